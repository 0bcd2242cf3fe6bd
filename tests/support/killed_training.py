"""quovadis train with a small network, in a process of its own that is killed while it trains."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from quovadis.cli import main as cli
from quovadis.training import run
from support.training import small_network


def patch_network(patch: pytest.MonkeyPatch) -> None:
    """Let trainings in this process begin with a sixteenth of the channels, for frames of 32 pixels."""
    patch.setattr(run, "initial_network", lambda weights, labels, options: small_network(len(labels)))


def train_process(folder: Path, *arguments: str | Path, kill_after: int | None = None) -> int:
    """Run the command in a process of its own, and return its exit code.

    Args:
        folder: of the run.
        arguments: of the command.
        kill_after: lines of the history after which the process gets SIGKILL, whatever it is doing; None: never.
    """
    folders = [str(Path(__file__).parents[1]), *sys.path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "support.killed_training", "train", *arguments, "--out", folder, "--quiet"]
    with subprocess.Popen(list(map(str, command)), env=environment) as process:
        if kill_after is None:
            return process.wait()
        while _lines(folder / "history.jsonl") < kill_after:
            try:
                return process.wait(timeout=0.01)
            except subprocess.TimeoutExpired:
                continue
        process.kill()
        return process.wait()


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as context:
        patch_network(context)
        sys.argv[0] = "quovadis"
        cli.main()
