"""Every format, written once by the product from the official weights and verified by it."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from numpy.typing import NDArray

from quovadis import convert
from quovadis.engines import OpenVINOEngine
from quovadis.export import worker
from quovadis.export.exporter import RunResult
from quovadis.export.formats import FORMATS
from quovadis.export.options import ExportOptions
from quovadis.export.verification import clip_shapes
from quovadis.weights import Weights, read_weights
from support.conversions import Written, convert_in_process

NAMES = {"tensorflow-checkpoint": "model.ckpt", "tensorflow-graph": "i3d-rgb.frozen.pb", "openvino": "i3d-rgb.xml"}
SUFFIXES = {"onnx": ".onnx", "safetensors": ".safetensors", "torch-program": ".pt2"}
SHORT = {
    **{name: [(1, 9)] for name in ("safetensors", "torch", "piergiaj", "hassony2")},
    "onnx": [(1, 16), (2, 9)],
    # Other tests run it on one clip of 79 frames.
    "torch-program": [(2, 17)],
}
"""Shapes of the clips that a format is verified on, in place of the product's, where a size is free."""
_run_apart = worker.run


@pytest.fixture(scope="session")
def official(rgb_scratch_path: Path) -> Weights:
    return read_weights(rgb_scratch_path)


@pytest.fixture(scope="session")
def written(official: Weights, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Written]:
    """By format; made once, whichever of several test processes asks first."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "written"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / ".lock"):
        kept = folder / "written.pickle"
        if not kept.exists():
            done = {}
            for name in FORMATS:
                path = folder / NAMES.get(name, name + SUFFIXES.get(name, ".pth"))
                done[name] = _measured(path, name) if name == "tensorflow-graph" else _converted(path, name)
            kept.write_bytes(pickle.dumps(done))
        found: dict[str, Written] = pickle.loads(kept.read_bytes())
        return found


def _converted(path: Path, name: str) -> Written:
    """Convert with as few processes and frames as prove the format; other tests run the files on the real clip."""
    with pytest.MonkeyPatch.context() as patch:
        convert_in_process(patch)
        patch.setattr(worker, "run", _run)
        patch.setattr(worker, "clip_shapes", lambda options: SHORT.get(name, clip_shapes(options)))
        return Written(path, convert("rgb-scratch", path, to=name))


_runs_of_the_source: dict[tuple[object, ...], list[RunResult]] = {}


def _run(name: str, path: Path, options: ExportOptions, results: Path) -> list[RunResult]:
    """Run a model; the source, which is the same for every format, once for the same clips."""
    if path.name != "weights.safetensors":
        return _run_apart(name, path, options, results)
    shapes = tuple(worker.clip_shapes(options))
    if shapes not in _runs_of_the_source:
        _runs_of_the_source[shapes] = _run_apart(name, path, options, results)
    return _runs_of_the_source[shapes]


CONVERT_AND_MEASURE = """
import pickle, resource, sys
from pathlib import Path
from quovadis import convert

done = convert("rgb-scratch", sys.argv[1], to=sys.argv[2])
# `ru_maxrss` of the process itself counts what it was started from: all that the tests' process holds.
(own,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
peak = max(int(own.split()[1]), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.stdout.buffer.write(pickle.dumps((done, peak * 1024)))
"""


def _measured(path: Path, name: str) -> Written:
    """Convert as users do, in a process of its own, so that the largest process is one of this conversion's."""
    command = [sys.executable, "-c", CONVERT_AND_MEASURE, path, name]
    run = subprocess.run(command, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()
    return Written(path, *pickle.loads(run.stdout))


@pytest.fixture(scope="session")
def oracle_logits(assets: Path) -> NDArray[np.float32]:
    logits: NDArray[np.float32] = np.load(assets / "oracle" / "cricket_rgb_scratch.npz")["logits"].reshape(1, -1)
    return logits


@pytest.fixture(scope="session")
def engine(official: Weights) -> OpenVINOEngine:
    return OpenVINOEngine(official.tensors)
