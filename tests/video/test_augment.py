"""Other views of a clip: of the same kind, different, and always the same ones."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from numpy.typing import NDArray

from quovadis.video.augment import augmented


@pytest.fixture
def clip() -> NDArray[np.uint8]:
    """A ramp from left to right, which gets brighter with every frame."""
    ramp = np.linspace(20, 180, 64).astype(np.uint8)
    return np.stack([np.tile(ramp + 5 * index, (48, 1)) for index in range(4)])[..., np.newaxis].repeat(3, axis=-1)


def test_views_look_like_clips_and_differ(clip: NDArray[np.uint8]) -> None:
    views = list(islice(augmented(clip), 6))
    assert {(view.shape, view.dtype) for view in views} == {(clip.shape, clip.dtype)}
    assert len({view.tobytes() for view in [clip, *views]}) == 7
    # All frames of a view are seen alike: they still get brighter one after the other.
    assert all((np.diff(view.astype(int).mean((1, 2, 3))) > 0).all() for view in views)


def test_views_are_flipped_larger_and_of_another_brightness(clip: NDArray[np.uint8]) -> None:
    views = [view[0, :, :, 0].astype(int) for view in islice(augmented(clip), 40)]
    is_flipped = [line[0, 0] > line[0, -1] for line in views]
    assert 8 < sum(is_flipped) < 32
    steps = [abs(line[0, -1] - line[0, 0]) / line.mean() for line in views]
    # Of a part of the ramp that is made larger the ends are closer to each other.
    assert min(steps) < 0.8 * (160 / 100)
    means = [line.mean() for line in views]
    assert min(means) < 90 < 110 < max(means)


def test_the_same_clip_has_the_same_views(clip: NDArray[np.uint8]) -> None:
    first, again = (list(islice(augmented(given), 3)) for given in (clip, clip.copy()))
    np.testing.assert_array_equal(first, again)
    clip[0, 0, 0, 0] += 1
    assert not np.array_equal(first, list(islice(augmented(clip), 3)))
