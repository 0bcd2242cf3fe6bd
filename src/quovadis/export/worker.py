"""One step of a conversion in a process of its own: `python -m quovadis.export.worker`.

Frameworks take half a gigabyte each just to be imported, keep what they took, write to stderr as they like, and can end
the process they run in. Here each comes and goes alone. The job comes as JSON on stdin, the answer goes as JSON to
stdout; tensors and logits travel in files.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from quovadis import errors
from quovadis.durable import output_error
from quovadis.errors import OutputError, QuovadisError
from quovadis.export import safetensors_file
from quovadis.export.exporter import RunResult
from quovadis.export.formats import FORMATS
from quovadis.export.options import ExportOptions
from quovadis.export.verification import clip_shapes, fixed_clips
from quovadis.weights import Weights, read_weights


@dataclass(frozen=True)
class StoredWeights:
    """What is known of weights, in JSON's types; their tensors and class names are in a file."""

    name: str
    sha256: str
    source: str
    num_classes: int
    labels: Sequence[str] | None
    """Class names in output order; None if they are unknown."""
    input: Mapping[str, Any]
    """The known fields of their input's specification."""


def read(
    source: Path, store: Path, labels: Sequence[str] | None = None, labels_origin: str = "labels"
) -> StoredWeights:
    """Read weights of any format into `store`, a safetensors file.

    `labels` are in place of their own class names; `labels_origin` says in errors where these are from.
    """
    job = {"step": "read", "source": str(source), "store": str(store), "labels": labels, "origin": labels_origin}
    return StoredWeights(**_ask(job))


def write(identity: StoredWeights, store: Path, name: str, path: Path, options: ExportOptions) -> None:
    """Write the weights in `store` to `path` in the format called `name`."""
    job = {"step": "write", "identity": asdict(identity), "store": str(store), "format": name, "path": str(path)}
    _ask({**job, "options": asdict(options)})


def run(name: str, path: Path, options: ExportOptions, results: Path) -> list[RunResult]:
    """Run a written model on the fixed clips of each shape that its options allow; `results` is a file to use."""
    job = {"step": "run", "format": name, "path": str(path), "options": asdict(options), "results": str(results)}
    runtimes = _ask(job)["runtimes"]
    with np.load(results) as arrays:
        return [RunResult(arrays[f"l{i}"], arrays[f"p{i}"], runtime) for i, runtime in enumerate(runtimes)]


def _ask(job: dict[str, Any]) -> Any:
    process = subprocess.run(  # noqa: S603
        [sys.executable, "-m", __name__], input=json.dumps(job), capture_output=True, text=True, check=False
    )
    try:
        answer = json.loads(process.stdout)
    except ValueError as error:
        ended = f"signal {-process.returncode}" if process.returncode < 0 else f"exit code {process.returncode}"
        last = process.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise OutputError(
            f"{job.get('path', job.get('source'))}: to {job['step']} it failed ({ended}): {last[0]}"
        ) from error
    if "error" in answer:
        kind = getattr(errors, answer["error"], QuovadisError)
        failure = kind.__new__(kind)
        failure.args = (answer["message"],)
        raise failure
    return answer


def _main() -> None:
    answer_stream = sys.stdout
    # Frameworks that print, print elsewhere.
    sys.stdout = sys.stderr
    job = json.load(sys.stdin)
    try:
        answer = _do(job)
    except QuovadisError as error:
        answer = {"error": type(error).__name__, "message": str(error)}
    except OSError as error:
        where = Path(error.filename or job.get("path") or job.get("store"))
        answer = {"error": "OutputError", "message": str(output_error(where, error, "cannot write the model"))}
    json.dump(answer, answer_stream)
    answer_stream.flush()


def _do(job: dict[str, Any]) -> dict[str, Any]:
    if job["step"] == "read":
        weights = read_weights(Path(job["source"]))
        if job["labels"] is not None:
            weights = replace(weights, stated_labels=weights.class_names(job["labels"], job["origin"]))
        safetensors_file.write(weights, Path(job["store"]), ExportOptions())
        known, specified = weights.known_labels, weights.input.to_dict()
        identity = weights.name, weights.sha256, str(weights.source), weights.num_classes
        return asdict(StoredWeights(*identity, known, specified))
    options, path = ExportOptions(**job["options"]), Path(job["path"])
    exporter = FORMATS[job["format"]].load_exporter()
    if job["step"] == "write":
        exporter.write(_stored(Path(job["store"]), job["identity"]), path, options)
        return {}
    results = [exporter.run(path, fixed_clips(*shape), options) for shape in clip_shapes(options)]
    arrays: dict[str, Any] = {f"l{i}": result.logits for i, result in enumerate(results)}
    arrays |= {f"p{i}": result.probabilities for i, result in enumerate(results)}
    with Path(job["results"]).open("wb") as file:
        np.savez(file, **arrays)
    return {"runtimes": [result.runtime for result in results]}


def _stored(store: Path, identity: dict[str, Any]) -> Weights:
    return replace(read_weights(store), name=identity["name"], source=Path(identity["source"]))


if __name__ == "__main__":
    _main()
