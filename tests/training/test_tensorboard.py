"""What TensorBoard is shown of a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quovadis.training import tensorboard
from quovadis.training.evaluate import Evaluation
from quovadis.training.tensorboard import LOG_FOLDER, TensorBoardLog, tensorboard_log
from quovadis.training.trainer import StepReport

FOUND = Evaluation(0.5, ("a",), np.ones((1, 1), np.float32), np.ones((1, 1), np.float32), {"video_top1": 0.75})


def report(step: int) -> StepReport:
    return StepReport(step, 9, 0, loss=1.0 / step, rate_factor=0.5, clips_per_second=8.0, memory_bytes=1000)


def read_scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events: Any = EventAccumulator(str(folder / LOG_FOLDER)).Reload()
    return {tag: [(one.step, one.value) for one in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_a_resumed_training_shows_no_step_twice(tmp_path: Path) -> None:
    with TensorBoardLog(tmp_path) as log:
        for step in (1, 2, 3, 4):
            log.step(report(step))
        log.evaluation(4, FOUND)
    # Killed after step 4, while the last state was that of step 2.
    with TensorBoardLog(tmp_path) as log:
        for step in (3, 4, 5):
            log.step(report(step))
    scalars = read_scalars(tmp_path)
    assert [step for step, _ in scalars["train/loss"]] == [1, 2, 3, 4, 5]
    assert [value for _, value in scalars["train/loss"]] == pytest.approx([1 / step for step in (1, 2, 3, 4, 5)])
    assert scalars["train/rate_factor"][-1] == (5, 0.5)


def test_evaluations_stand_at_their_steps(tmp_path: Path) -> None:
    with TensorBoardLog(tmp_path) as log:
        log.step(report(1))
        log.evaluation(1, FOUND)
    scalars = read_scalars(tmp_path)
    assert scalars["validation/video_top1"] == [(1, 0.75)]
    assert scalars["validation/loss"] == [(1, 0.5)]


def test_the_stage_head_leaves_no_log(tmp_path: Path) -> None:
    with TensorBoardLog(tmp_path) as log:
        log.evaluation(0, FOUND)
    assert list(tmp_path.iterdir()) == []


def test_without_tensorboard_a_line_says_that_it_is_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(tensorboard, "find_spec", lambda _: None)
    assert tensorboard_log(tmp_path, lines.append) is None
    assert lines == ["TensorBoard is not installed, and gets no log; history.csv has the figures"]
