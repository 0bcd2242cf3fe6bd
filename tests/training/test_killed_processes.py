"""The command is killed by the system at moments of its own, and run again: the weights are those of no kill at all."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from quovadis.training.synthetic import write_motion_dataset
from support.command_line import quovadis
from support.killed_training import patch_network, train_process

STEPS = 12
CLIPS = ["--frames", "9", "--short-side", "32", "--crop", "32", "--no-flip", "--views", "1", "--workers", "0"]
OPTIONS = ["-w", "random", "--stage", "full", "--batch", "3", "--steps", str(STEPS), "--save-every", "1"]
ARITHMETIC = {
    "average": ["--ema-decay", "0.9"],
    "bf16": ["--amp", "bf16"],
    "bf16 and average": ["--amp", "bf16", "--ema-decay", "0.9", "--accumulate", "2"],
}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_motion_dataset(tmp_path_factory.mktemp("motion") / "videos", videos_per_class=3, frames=9, size=32)


def check(videos: Path, folder: Path, kills: list[int], *more: str) -> None:
    """Compare a training that is killed after so many lines of its history with one that is not."""
    arguments = [videos, *OPTIONS, *CLIPS, *more]
    with pytest.MonkeyPatch.context() as patch:
        patch_network(patch)
        done = quovadis("train", *arguments, "--out", folder / "whole", "--quiet")
    assert done.returncode == 0, done.stderr
    for lines in kills:
        assert train_process(folder / "parts", *arguments, kill_after=lines) == -signal.SIGKILL
    assert train_process(folder / "parts", *arguments) == 0
    for name in ("best.safetensors", "last.safetensors"):
        whole, parts = (load_file(folder / run / name) for run in ("whole", "parts"))
        assert whole.keys() == parts.keys()
        assert [key for key in whole if whole[key].tobytes() != parts[key].tobytes()] == [], name
    predictions = [(folder / run / "predictions.jsonl").read_text() for run in ("whole", "parts")]
    assert predictions[0] == predictions[1]


@pytest.mark.slow
def test_a_command_that_was_killed_goes_on_to_the_same_weights(videos: Path, tmp_path: Path) -> None:
    check(videos, tmp_path, [2], "--steps", "4")


@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.parametrize("more", ARITHMETIC.values(), ids=ARITHMETIC)
def test_a_command_that_was_killed_three_times_goes_on_to_the_same_weights(
    more: list[str], videos: Path, tmp_path: Path
) -> None:
    generator = np.random.default_rng(list(map(ord, "".join(more))))
    kills = sorted(generator.choice(np.arange(1, STEPS - 4), 3, replace=False).tolist())
    check(videos, tmp_path, kills, *more)
