"""Install the wheel as users do, on every Python there is, and run the smoke suite: `make test-matrix`.

For each Python, once with the newest allowed dependencies and once with the lowest ones: a fresh environment, a plain
`pip install` of the wheel (no constraints), the base suite; then the extras that need neither PyTorch nor TensorFlow,
whose builds take gigabytes, and their suite. pytest runs in the environment that runs this script: nothing but the
wheel and its dependencies is in the one that is tested.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias, get_args

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
EXTRAS = ("plot", "parquet", "evaluation", "hdf5", "pandas", "onnx")
"""Those that bring neither PyTorch nor TensorFlow."""
SHOWN = ("av", "openvino", "numpy")
FORBIDDEN = re.compile(r"^(torch|tensorflow|nvidia-|jax)")

Resolution: TypeAlias = Literal["newest", "lowest"]


class MatrixError(Exception):
    """A step that failed; the message says which."""


@dataclass
class Row:
    """What came of one environment."""

    python: str
    resolution: Resolution
    versions: dict[str, str] = field(default_factory=dict)
    tests: int = 0
    seconds: float = 0.0
    failure: str | None = None


def main() -> int:
    """Run the matrix and print its table; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", action="append", choices=PYTHONS, help="only this Python; may be repeated")
    parser.add_argument("--resolution", choices=get_args(Resolution), help="only this end of the ranges")
    arguments = parser.parse_args()
    resolutions: Sequence[Resolution] = [arguments.resolution] if arguments.resolution else get_args(Resolution)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="quovadis-matrix-") as name:
        folder = Path(name)
        wheel = build_wheel(folder / "wheel")
        # As where there is no compiler.
        uncompiled = build_wheel(folder / "uncompiled", {**os.environ, "CXX": "no-such-compiler"})
        for version in arguments.python or PYTHONS:
            interpreter = find_interpreter(version)
            if interpreter is None:
                print(f"Python {version}: skipped: none found by pyenv, uv or on PATH", flush=True)
                continue
            for resolution in resolutions:
                rows.append(Row(version, resolution))
                try_one(rows[-1], interpreter, wheel, uncompiled, folder / f"{version}-{resolution}")
    if not rows:
        raise SystemExit("no Python to test was found")
    print_table(rows)
    failed = sum(row.failure is not None for row in rows)
    print(f"{len(rows) - failed} passed, {failed} failed")
    return 1 if failed else 0


def build_wheel(folder: Path, environment: dict[str, str] | None = None) -> Path:
    """Build a wheel once: its kernels know nothing of Python's version."""
    command = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
    run(*command, environment=environment)
    (wheel,) = folder.glob("*.whl")
    return wheel


def find_interpreter(version: str) -> Path | None:
    """Return a Python of this version that can make environments."""
    return next((path for path in candidates(version) if is_usable(path, version)), None)


def candidates(version: str) -> Iterator[Path]:
    """Yield where a Python of this version may be: pyenv's, uv's, the PATH's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    yield from sorted(pyenv.glob(f"{version}.*/bin/python"), reverse=True)
    if shutil.which("uv"):
        found = subprocess.run(["uv", "python", "find", version], capture_output=True, text=True, check=False)
        if found.returncode == 0:
            yield Path(found.stdout.strip())
    # pyenv's shims answer to every name and fail; those are told by running them.
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield Path(on_path)


def is_usable(python: Path, version: str) -> bool:
    """Tell whether `python` runs, is of the version, and has pip for new environments."""
    code = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    try:
        found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return found.returncode == 0 and found.stdout.strip() == version


def try_one(row: Row, interpreter: Path, wheel: Path, uncompiled: Path, folder: Path) -> None:
    """Fill in a row: install, look at what came, and run the suites."""
    begin = time.monotonic()
    try:
        print(f"\n== Python {row.python}, {row.resolution} dependencies ({interpreter})", flush=True)
        run(interpreter, "-m", "venv", folder)
        python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
        for extras in ((), EXTRAS):
            install(python, wheel, extras, row.resolution)
            row.versions = look_at(python)
            row.tests += smoke(python, "extras" if extras else "base", folder / "home")
        run(python, "-m", "pip", "install", "--quiet", "--force-reinstall", "--no-deps", "--no-compile", uncompiled)
        row.tests += smoke(python, "uncompiled", folder / "home")
    except MatrixError as error:
        row.failure = str(error)
        print(f"FAILED: {error}", flush=True)
    finally:
        row.seconds = time.monotonic() - begin
        shutil.rmtree(folder, ignore_errors=True)


def install(python: Path, wheel: Path, extras: Sequence[str], resolution: Resolution) -> None:
    """Install the wheel; with `lowest`, each direct dependency at the lower end of its range."""
    wanted = [f"{wheel}[{','.join(extras)}]" if extras else str(wheel)]
    if resolution == "lowest":
        wanted += lowest_pins(extras)
    # No building from source: what has no wheel for this Python is outside what the ranges promise.
    run(python, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", "--no-compile", *wanted)
    run(python, "-m", "pip", "check")


def lowest_pins(extras: Sequence[str]) -> list[str]:
    """Return the direct dependencies, pinned to the lower ends of their ranges, markers kept."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    requirements = list(project["dependencies"])
    for extra in extras:
        requirements += [line for line in project["optional-dependencies"][extra] if not line.startswith("quovadis[")]
    return [re.sub(r">=\s*([^,; ]+)[^;]*", r"==\1", line, count=1) for line in requirements]


def look_at(python: Path) -> dict[str, str]:
    """Return the versions that the table shows, after a look that no framework came along."""
    listing = json.loads(run(python, "-m", "pip", "list", "--format", "json"))
    packages = {package["name"].lower(): package["version"] for package in listing}
    unwanted = sorted(name for name in packages if FORBIDDEN.match(name))
    if unwanted:
        raise MatrixError(f"the dependencies brought {', '.join(unwanted)}")
    return {name: packages[name] for name in SHOWN}


def smoke(python: Path, suite: str, home: Path) -> int:
    """Run one of the smoke suites against an environment; return how many tests passed."""
    environment = {**os.environ, "QUOVADIS_SMOKE_PYTHON": str(python), "QUOVADIS_SMOKE_HOME": str(home)}
    # The tests have a home directory of their own; what pip has fetched before is shared.
    environment["PIP_CACHE_DIR"] = run(sys.executable, "-m", "pip", "cache", "dir").strip()
    options = ("-q", "-p", "no:cacheprovider", "--durations=3", "-m", suite)
    output = run(sys.executable, "-m", "pytest", *options, ROOT / "tests" / "smoke", environment=environment)
    print(output.strip(), flush=True)
    found = re.search(r"(\d+) passed", output)
    if found is None or "skipped" in output:
        raise MatrixError(f"the {suite} suite did not run whole")
    return int(found[1])


def run(*command: str | Path, environment: dict[str, str] | None = None) -> str:
    """Run a command and return its stdout.

    Raises:
        MatrixError: it failed; what it printed is printed.
    """
    done = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False, cwd=ROOT, env=environment,
    )  # fmt: skip
    if done.returncode != 0:
        print(done.stdout, flush=True)
        raise MatrixError(f"exit code {done.returncode}: {' '.join(map(str, command))[:200]}")
    return done.stdout


def print_table(rows: Sequence[Row]) -> None:
    """Print a line for each environment."""
    print(f"\n{'Python':8}{'dependencies':14}{''.join(f'{name:12}' for name in SHOWN)}{'tests':>6}{'seconds':>9}")
    for row in rows:
        versions = "".join(f"{row.versions.get(name, '-'):12}" for name in SHOWN)
        print(f"{row.python:8}{row.resolution:14}{versions}{row.tests:6}{row.seconds:9.0f}  {row.failure or 'passed'}")


if __name__ == "__main__":
    sys.exit(main())
