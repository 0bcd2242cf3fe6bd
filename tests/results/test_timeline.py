"""Predictions merged into segments."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quovadis.results import ClipPrediction
from quovadis.results.timeline import merge_segments

LABELS = ("run", "jump", "sit")


def clip(place: int, probabilities: tuple[float, ...]) -> ClipPrediction:
    return ClipPrediction(
        index=place,
        start_seconds=0.32 * place,
        end_seconds=0.32 * (place + 1),
        frames=8,
        looped=False,
        logits=np.log(np.array(probabilities, np.float32)),
        labels=LABELS,
    )


def test_neighbours_of_one_class_become_one_segment_with_their_mean_score() -> None:
    made = merge_segments([clip(0, (0.8, 0.1, 0.1)), clip(1, (0.6, 0.3, 0.1)), clip(2, (0.1, 0.9, 1e-9))], 0.3)
    assert [(segment.label, segment.index) for segment in made] == [("run", 0), ("jump", 1)]
    assert (made[0].start_seconds, made[0].end_seconds) == (0.0, 0.64)
    np.testing.assert_allclose([segment.score for segment in made], [0.7, 0.9], atol=1e-6)


def test_what_is_below_the_threshold_belongs_to_no_segment_and_parts_two() -> None:
    clips = [clip(0, (0.8, 0.1, 0.1)), clip(1, (0.4, 0.3, 0.3)), clip(2, (0.8, 0.1, 0.1))]
    made = merge_segments(clips, 0.5)
    assert [(round(s.start_seconds, 2), round(s.end_seconds, 2)) for s in made] == [(0, 0.32), (0.64, 0.96)]
    assert merge_segments(clips, 0.9) == ()
    assert len(merge_segments(clips, 0.0)) == 1


@given(st.lists(st.integers(0, 2), min_size=1, max_size=40))
def test_with_no_threshold_segments_tile_time_and_never_repeat_a_class(classes: list[int]) -> None:
    rows = [tuple(0.9 if k == best else 0.05 for k in range(3)) for best in classes]
    made = merge_segments([clip(place, row) for place, row in enumerate(rows)], 0.0)
    assert made[0].start_seconds == 0
    assert made[-1].end_seconds == 0.32 * len(classes)
    for before, after in pairwise(made):
        assert before.end_seconds == after.start_seconds
        assert before.index != after.index
