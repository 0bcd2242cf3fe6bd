"""What passes as the same, and the clips it is tried on."""

from __future__ import annotations

import numpy as np
import pytest

from quovadis.export.exporter import RunResult
from quovadis.export.options import ExportOptions
from quovadis.export.verification import FLOAT32, clip_shapes, difference, fixed_clips, tolerance
from quovadis.results import softmax


def result(*logits: float) -> RunResult:
    array = np.array([logits], np.float32)
    with np.errstate(invalid="ignore"):
        return RunResult(array, softmax(array), "a runtime")


@pytest.mark.parametrize(
    ("actual", "ok"),
    [
        (result(1.0, 2.0), True),
        (result(1.0, 2.0005), True),
        (result(1.0, 2.002), False),
        (result(1.0, np.nan), False),
        (result(1.0, np.inf), False),
        (result(1.0, 2.0, 3.0), False),
    ],
)
def test_only_finite_differences_within_the_tolerance_pass(actual: RunResult, ok: bool) -> None:
    with np.errstate(invalid="ignore"):
        assert difference([result(1.0, 2.0)], [actual], FLOAT32).ok is ok


def test_the_worst_of_several_runs_counts() -> None:
    runs = [result(1.0), result(2.0)]
    assert difference(runs, [result(1.0), result(2.5)], FLOAT32).logits == 0.5


def test_half_precision_weights_may_differ_more_and_are_named_so() -> None:
    assert tolerance(ExportOptions(compress="fp16")).logits > tolerance(ExportOptions()).logits


def test_free_sizes_are_tried_at_two_values() -> None:
    assert clip_shapes(ExportOptions()) == [(1, 79)]
    assert clip_shapes(ExportOptions(batch=None, frames=None)) == [(1, 79), (2, 24)]
    assert clip_shapes(ExportOptions(batch=4, frames=None)) == [(4, 79), (4, 24)]


def test_the_fixed_clips_are_the_same_every_time_and_move_in_time_space_and_colour() -> None:
    clips = fixed_clips(2, 9)
    assert np.array_equal(clips, fixed_clips(2, 9))
    assert clips.shape == (2, 9, 224, 224, 3)
    assert not np.array_equal(clips[0], clips[1])
    smooth = clips[0].astype(float)
    for axis in range(4):
        assert np.abs(np.diff(smooth, axis=axis)).mean() > 5
