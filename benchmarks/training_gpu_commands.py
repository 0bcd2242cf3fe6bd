"""`quovadis train` on a GPU: compiled, killed and resumed, by torchrun, too large. A part of `training_gpu.py`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gpu_case import ROOT, Bench, Record

from quovadis.training.synthetic import write_motion_dataset

_SECONDS = 150
"""That one command may take."""


def commands(bench: Bench) -> list[Record]:
    """Run each command, and return how it ended and what it said last."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_motion_dataset(folder / "videos", videos_per_class=4, frames=16, size=64)
        return _Commands(bench, folder).rows()


class _Commands:
    def __init__(self, bench: Bench, folder: Path) -> None:
        self._folder = folder
        device = bench.device if bench.is_cuda else "CPU"
        self._common = [str(folder / "videos"), "--device", device, "-w", "random", "--stage", "full"]
        self._common += ["--frames", "16", "--views", "1", "--no-flip", "--batch", "4"]
        # One layer is enough for a trial of the script.
        self._common += ["--from", "Mixed_5c", "--steps", "4"] if bench.small else ["--epochs", "4"]
        self._amp = ["--amp", "fp16" if bench.is_cuda else "bf16"]
        self._is_cuda = bench.is_cuda

    def rows(self) -> list[Record]:
        fast = ["--amp", "bf16", "--channels-last", "--ema-decay", "0.99"]
        rows = [self._row("bf16", "fast", fast), self._killed()]
        several = ["--nproc-per-node", "1"]
        if self._is_cuda:
            rows += [
                self._row("compiled", "compiled", [*fast, "--compile"]),
                self._row("torchrun, NCCL", "joined", [*fast, "--sync-batch-norm"], several),
                self._row("torchrun, more processes than GPUs", "many", [], ["--nproc-per-node", "2"]),
                self._row("no such GPU", "none", ["--device", "cuda:99"]),
                self._row("too large", "large", ["--batch", "2000", "--balance", "sampler"]),
            ]
        else:
            rows.append(self._row("torchrun, gloo", "joined", [], several))
        return rows

    def _row(self, title: str, run: str, options: list[str], torchrun: list[str] | None = None) -> Record:
        start = time.perf_counter()
        done = subprocess.run(
            self._command(run, options, torchrun), capture_output=True, text=True, timeout=_SECONDS, env=_environment()
        )
        said = [line for line in done.stderr.replace("\r", "\n").splitlines() if line.startswith("quovadis")]
        return {
            "command": title,
            "seconds": time.perf_counter() - start,
            "status": done.returncode,
            "said": (said or done.stderr.splitlines() or [""])[-1][-300:],
            "last": (done.stdout.splitlines() or [""])[-1][-200:],
        }

    def _killed(self) -> Record:
        """Kill a training once it has a state, and run it again: every step is in the history once."""
        options, state = [*self._amp, "--save-every", "1"], self._folder / "killed" / "state.ckpt"
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(self._command("killed", options), env=_environment(), **silent) as process:
            end = time.perf_counter() + _SECONDS
            while process.poll() is None and not state.exists() and time.perf_counter() < end:
                time.sleep(0.05)
            process.kill()
        before = state.exists()
        row = self._row("killed and resumed, " + self._amp[-1], "killed", options)
        with (self._folder / "killed" / "history.jsonl").open() as lines:
            records = [json.loads(line) for line in lines]
        steps = [record["step"] for record in records if record["kind"] == "step"]
        return row | {"had_state": before, "steps": len(steps), "each_once": steps == list(range(1, len(steps) + 1))}

    def _command(self, run: str, options: list[str], torchrun: list[str] | None = None) -> list[str]:
        starter = [] if torchrun is None else ["-m", "torch.distributed.run", *torchrun]
        made = [sys.executable, *starter, "-m", "quovadis", "train", *self._common]
        return [*made, "--out", str(self._folder / run), *options]


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])}
