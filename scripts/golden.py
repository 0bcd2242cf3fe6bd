#!/usr/bin/env python3
"""Record what the command line writes, and compare two records: the proof that a change inside is none outside.

    scripts/golden.py record FOLDER [--assets ../shared] [--only NAME...]
    scripts/golden.py compare BEFORE AFTER

A record holds, for each case of `golden_cases.py`, the exit code, stdout and stderr of each command and the files that
were written. `PYTHONPATH` chooses the source tree that runs; this script imports nothing of it. The weights
`rgb-scratch` have to be cached in `QUOVADIS_HOME`. What varies by nature (folders, version, seconds) is replaced by a
placeholder. `compare` prints `same` or what differs, and its exit code is 1 if anything does.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from golden_cases import CASES, Case

TEXT = {".json", ".jsonl", ".csv", ".tsv", ".txt", ".md", ".html", ".xml"}
ARRAYS = {".npy", ".npz", ".parquet", ".h5", ".hdf5"}
TIMEOUT = 300
"""Seconds for one command."""
LONGEST_DIFF = 14
"""Lines shown of the difference of one file."""
VARYING = (
    (r'("(?:seconds|[a-z]+_per_second)": )[0-9.e+-]+', r"\1<varies>"),
    (r"in [0-9.]+ seconds with (\d+ workers?)", r"in <varies> seconds with \1"),
    (r": [0-9.]+ videos and [0-9.]+ views a second", ": <varies> videos and <varies> views a second"),
)
"""What reports say about how long a run took: in run.json, and in a sentence."""
SCRATCH = "golden-"
"""Beginning of the temporary folder's name."""


class Recorder:
    """Runs cases in fresh folders and keeps what they say and write.

    Args:
        target: folder of the record.
        assets: folder that holds `clips` and `assets`.
        scratch: temporary folder; the cache of the runs is in it, so that each record begins with a cold one.
    """

    def __init__(self, target: Path, assets: Path, scratch: Path) -> None:
        self._target, self._assets, self._scratch = target, assets, scratch
        home = scratch / "home"
        home.mkdir()
        cached = Path(os.environ["QUOVADIS_HOME"]).resolve() / "weights"
        (home / "weights").symlink_to(cached, target_is_directory=True)
        self._environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(
                str(Path(part).resolve()) for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part
            ),
            "QUOVADIS_HOME": str(home),
            "QUOVADIS_OFFLINE": "1",
            "COLUMNS": "160",
            "TERM": "dumb",
            "NO_COLOR": "1",
        }
        self._environment.pop("QUOVADIS_DEBUG", None)
        version = self._run(["--version"], scratch).stdout.split()[-1]
        self._replacements = [
            (re.escape(str(cached)), "<home>/weights"),
            (re.escape(str(home)), "<home>"),
            (rf"(?<![\w.]){re.escape(version)}(?![\w.])", "<version>"),
        ]

    def record(self, case: Case) -> float:
        """Run a case and keep its record.

        Returns:
            How many seconds its commands took.
        """
        work = self._scratch / case.name
        for part in ("clips", "assets"):
            _copy_tree(self._assets / part, work / part)
        for name, content in case.setup.items():
            path = work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                path.write_text(content, encoding="utf-8")
            else:
                content(work, path)
        before = _stamps(work)
        kept = self._target / case.name
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        started = time.monotonic()
        for number, command in enumerate(case.commands, start=1):
            done = self._run(shlex.split(command), work)
            said = (
                f"$ quovadis {command}\nexit code {done.returncode}\n--- stdout\n{done.stdout}--- stderr\n{done.stderr}"
            )
            (kept / f"{number:02d}.said").write_text(self._plain(said, work), encoding="utf-8")
        seconds = time.monotonic() - started
        for name, stamp in _stamps(work).items():
            if before.get(name) != stamp:
                self._keep(work / name, kept / "files" / name, work)
        if deleted := sorted(before.keys() - _stamps(work).keys()):
            (kept / "deleted.said").write_text("\n".join(deleted), encoding="utf-8")
        shutil.rmtree(work)
        return seconds

    def _run(self, arguments: list[str], work: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "quovadis", *arguments]
        return subprocess.run(
            command,
            cwd=work,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=TIMEOUT,
            check=False,
        )

    def _plain(self, text: str, work: Path) -> str:
        for pattern, placeholder in [(re.escape(str(work)), "<work>"), *self._replacements]:
            text = re.sub(pattern, placeholder, text)
        for path in work.glob("*.safetensors"):  # its metadata stand in random order
            text = text.replace(_sha256(path), f"<sha256 of {path.name}>")
        return text

    def _keep(self, source: Path, target: Path, work: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix in ARRAYS:
            shutil.copyfile(source, target)
        elif source.suffix in TEXT:
            text = self._plain(source.read_bytes().decode("utf-8", "backslashreplace"), work)
            if source.suffix == ".md" or source.name in {"run.json", "report.html"}:
                for pattern, placeholder in VARYING:
                    text = re.sub(pattern, placeholder, text)
            target.write_text(text, encoding="utf-8")
        else:
            target.with_name(f"{target.name}.said").write_text(_describe(source), encoding="utf-8")


def _copy_tree(source: Path, target: Path) -> None:
    """Copy files with one fixed time and without their permissions: the shared ones may be read-only."""
    for path in sorted(source.rglob("*")):
        if path.is_file():
            copied = target / path.relative_to(source)
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copied)
            os.utime(copied, (1.7e9, 1.7e9))


def _stamps(work: Path) -> dict[str, tuple[int, int]]:
    files = sorted(path for path in work.rglob("*") if path.is_file())
    return {path.relative_to(work).as_posix(): (path.stat().st_mtime_ns, path.stat().st_size) for path in files}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _describe(path: Path) -> str:
    """Say what is in a file that is not kept itself: tensors one by one, of other weights the checksum.

    Of pictures and of a run's own record only the existence counts.
    """
    if path.suffix == ".safetensors":
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
            start = file.tell()
            for name, tensor in header.items():
                if name != "__metadata__":
                    first, end = tensor.pop("data_offsets")
                    file.seek(start + first)
                    tensor["sha256"] = hashlib.sha256(file.read(end - first)).hexdigest()
        return json.dumps(header, indent=1, sort_keys=True)
    if path.suffix == ".onnx":
        import onnx

        model = onnx.load(path)
        tensors = {t.name: hashlib.sha256(t.SerializeToString()).hexdigest() for t in model.graph.initializer}
        del model.graph.initializer[:]
        return f"{json.dumps(tensors, indent=1)}\n{model}"
    if path.suffix in {".bin", ".pt", ".pth"}:
        return f"sha256 {_sha256(path)}\n"
    return "exists\n"


def read_values(path: Path) -> dict[str, np.ndarray]:
    """Read every array of a file, by name."""
    if path.suffix == ".npy":
        return {"array": np.load(path)}
    if path.suffix == ".npz":
        with np.load(path) as archive:
            return dict(archive)
    if path.suffix == ".parquet":
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(path)
        values = {f"column {name}": _stack(table[name].to_pylist()) for name in table.column_names}
        types = [f"{field.name}: {field.type}" for field in table.schema]
        metadata = [f"{key.decode()}={value.decode()}" for key, value in (table.schema.metadata or {}).items()]
        return values | {"types": np.array(types), "metadata": np.array(sorted(metadata), dtype=str)}
    import h5py

    values = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: values.update(_hdf5_values(name, item)))
        values.update({f"@{key}": np.asarray(value) for key, value in file.attrs.items()})
    return values


def _hdf5_values(name: str, item: Any) -> Iterator[tuple[str, np.ndarray]]:
    yield from ((f"{name}@{key}", np.asarray(value)) for key, value in item.attrs.items())
    if hasattr(item, "shape"):
        content = item[()]
        yield name, np.array(content.astype(str) if item.dtype.kind == "O" else content)


def _stack(rows: list) -> np.ndarray:
    """Make an array of a column's rows; of rows of different lengths or with gaps, one of their text."""
    try:
        values = np.array(rows)
    except ValueError:
        values = np.array(rows, dtype=object)
    return values if values.dtype != object else np.array([repr(row) for row in rows])


def differences(before: Path, after: Path) -> list[str]:
    """Return lines that say how two files differ; none if they are the same to the byte or in all values."""
    if before.read_bytes() == after.read_bytes():
        return []
    if before.suffix in ARRAYS:
        return _array_differences(read_values(before), read_values(after))
    old, new = (_lines(path) for path in (before, after))
    if old == new:
        return ["the layout of the JSON alone"]
    shown = [line[:200] for line in difflib.unified_diff(old, new, lineterm="", n=0)][2:]
    rest = len(shown) - LONGEST_DIFF
    return shown[:LONGEST_DIFF] + ([f"… {rest} more lines"] if rest > 0 else [])


def _lines(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        text = json.dumps(json.loads(text), indent=1, ensure_ascii=False)
    return text.splitlines()


def _array_differences(old: dict[str, np.ndarray], new: dict[str, np.ndarray]) -> list[str]:
    found = [f"- {name}" for name in old.keys() - new.keys()] + [f"+ {name}" for name in new.keys() - old.keys()]
    for name in old.keys() & new.keys():
        a, b = _without_scratch(old[name]), _without_scratch(new[name])
        if a.shape != b.shape or (a.dtype != b.dtype and not a.dtype.kind == b.dtype.kind == "U"):
            found.append(f"{name}: {a.dtype}{list(a.shape)} became {b.dtype}{list(b.shape)}")
        elif a.dtype.kind in "fiub":
            if not np.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
                found.append(f"{name}: maximum absolute difference {np.abs(a.astype(float) - b).max():.3g}")
        elif (unequal := np.atleast_1d(a != b)).any():
            index = np.flatnonzero(unequal)[0]
            first, second = np.atleast_1d(a).flat[index], np.atleast_1d(b).flat[index]
            found.append(f"{name}: {unequal.sum()} differ, first {str(first)[:160]!r} became {str(second)[:160]!r}")
    return sorted(found)


def _without_scratch(values: np.ndarray) -> np.ndarray:
    """Replace the temporary folder in texts; files of arrays are kept as they were written."""
    if values.dtype.kind != "U":
        return values
    pattern = re.compile(rf"""[^\s"']*/{SCRATCH}\w{{8}}/[^/]+""")
    return np.array([pattern.sub("<work>", text) for text in values.ravel()], dtype=str).reshape(values.shape)


def compare(before: Path, after: Path) -> int:
    counts = {"same": 0, "different": 0}
    names = sorted({path.name for folder in (before, after) for path in folder.iterdir()})
    known = [case.name for case in CASES]
    for case in sorted(names, key=lambda name: (known.index(name) if name in known else len(known), name)):
        lines = []
        roots = before / case, after / case
        files = [{p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()} for root in roots]
        for name in sorted(files[0] | files[1]):
            if name not in files[1]:
                lines.append(f"  {name}: missing now")
            elif name not in files[0]:
                lines.append(f"  {name}: new")
            elif found := differences(roots[0] / name, roots[1] / name):
                lines += [f"  {name}:", *(f"    {line}" for line in found)]
        counts["different" if lines else "same"] += 1
        print("\n".join([f"{case}: {'differs' if lines else 'same'}", *lines]))
    print(f"{counts['same']} same, {counts['different']} different")
    return 1 if counts["different"] else 0


def record(target: Path, assets: Path, only: list[str]) -> int:
    if unknown := set(only) - {case.name for case in CASES}:
        sys.exit(f"no such case: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix=SCRATCH) as scratch:
        recorder = Recorder(target, assets.resolve(), Path(scratch).resolve())
        total = 0.0
        for case in CASES:
            if not only or case.name in only:
                seconds = recorder.record(case)
                total += seconds
                print(f"{seconds:6.1f} s  {case.name}", flush=True)
        print(f"{total:6.1f} s  in all")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    actions = parser.add_subparsers(dest="action", required=True)
    recording = actions.add_parser("record", help="run the commands and keep what they write")
    recording.add_argument("folder", type=Path)
    recording.add_argument("--assets", type=Path, default=Path("../shared"))
    recording.add_argument("--only", nargs="+", default=[], metavar="NAME")
    comparing = actions.add_parser("compare", help="say what differs between two records")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    chosen = parser.parse_args()
    if chosen.action == "record":
        return record(chosen.folder, chosen.assets, chosen.only)
    return compare(chosen.before, chosen.after)


if __name__ == "__main__":
    sys.exit(main())
