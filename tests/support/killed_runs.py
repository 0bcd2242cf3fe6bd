"""Commands that go on from a file, on an engine without a network, and a program that is killed while it runs one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from quovadis import __main__ as program
from quovadis.cli import classify, fvd
from quovadis.runs.ledger import Ledger
from support.fake_engine import CornerEngine, MeanEngine, recognizer
from support.synthetic import write_video


def main(kill_after: int, moment: str, arguments: list[str]) -> None:
    """Run a command, and be killed just before or after the result of a video is kept; 0: never."""
    engine = CornerEngine() if arguments[0] == "fvd" else MeanEngine()
    for module in (classify, fvd):
        module.load = lambda *_, **__: recognizer(engine)  # type: ignore[attr-defined]
    store, left = Ledger.store, kill_after

    def store_and_die(self: Ledger, *values: object) -> None:
        nonlocal left
        left -= 1
        if left == 0 and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        store(self, *values)  # type: ignore[arg-type]
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    Ledger.store = store_and_die  # type: ignore[method-assign]
    sys.argv = ["quovadis", *arguments]
    program.main()


def fake_command(*arguments: str | Path, kill_after: int = 0, moment: str = "after") -> list[str]:
    """Return what to type for a command in a process of its own, in the `environment`: see `main`."""
    return [sys.executable, "-m", "support.killed_runs", str(kill_after), moment, *map(str, arguments)]


def environment() -> dict[str, str]:
    """Return the variables with which the process finds this program."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])}


def run_process(
    *arguments: str | Path, kill_after: int = 0, moment: str = "after", **settings: Any
) -> subprocess.CompletedProcess[Any]:
    """Run a command in a process of its own, with settings of `subprocess.run`: see `main`."""
    usual = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 600, "env": environment()}
    return subprocess.run(
        fake_command(*arguments, kill_after=kill_after, moment=moment), check=False, **{**usual, **settings}
    )


def write_videos(folder: Path, lengths: dict[str, int]) -> Path:
    """Write small videos of so many frames each, no two of them alike."""
    folder.mkdir(parents=True)
    for number, (name, frames) in enumerate(lengths.items()):
        pictures = (np.full((48, 64, 3), 10 + 20 * number + 2 * i, np.uint8) for i in range(frames))
        write_video(folder / name, pictures, options={"crf": "8"})
    return folder


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
