"""Floating-point clips must hold pixels of 0..255: what is none is refused, what seems scaled already is warned of."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from quovadis.engines.base import check_clips
from quovadis.errors import ArchitectureError

Floats = NDArray[np.float32]


@pytest.fixture
def clip() -> Floats:
    """Noise of 0..255, of which no value is whole."""
    return np.random.default_rng(0).random((1, 9, 224, 224, 3), np.float32) * 255


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_not_finite_is_enough_to_refuse_a_clip(clip: Floats, value: float) -> None:
    clip[0, 5, 3, 3, 1] = value
    with pytest.raises(ArchitectureError, match=r"NaN or infinity: pixels must be in 0\.\.255"):
        check_clips(clip)


@pytest.mark.parametrize("factor", [1e9, 257, -1e9, 3e38 / 255])
def test_values_far_from_pixels_are_refused_with_where_they_lie(clip: Floats, factor: float) -> None:
    with pytest.raises(ArchitectureError, match=r"in 0\.\.255, and these reach from .* to .*: give them as decoded"):
        check_clips(clip * np.float32(factor))


@pytest.mark.parametrize("value", [1e9, -1e9])
@pytest.mark.parametrize("place", [(0, 0, 0, 0, 0), (0, 5, 3, 3, 1), (0, 8, 223, 223, 2)])
def test_one_value_far_from_pixels_is_found_wherever_it_is(clip: Floats, value: float, place: tuple[int, ...]) -> None:
    clip[place] = value
    with pytest.raises(ArchitectureError, match="these reach from"):
        check_clips(clip)


def test_the_overshoot_of_resizing_is_allowed(clip: Floats) -> None:
    check_clips(clip * np.float32(1.8) - np.float32(100))
    # Of white lines on black, by Lanczos.
    check_clips(np.where(clip > 128, np.float32(255), np.float32(-176)))


@pytest.mark.parametrize(
    ("scaled", "undo"),
    [
        (lambda clip: clip / 255, "multiply them by 255"),
        (lambda clip: clip / 127.5 - 1, r"add 1 and multiply by 127\.5"),
        (lambda clip: (clip / 255 - 0.45) / 0.225, "multiply them by the deviation"),
        (lambda clip: clip - 128, "add 128"),
        (lambda clip: np.rint(clip) - 128, "add 128"),
        (lambda clip: clip - 255, "add 255"),
        (lambda clip: clip - np.float32([104, 117, 124]), "add the mean that was taken away"),
    ],
    ids=["0..1", "-1..1", "ImageNet", "-128..127", "whole -128..127", "-255..0", "Caffe"],
)
def test_clips_that_are_scaled_or_centred_are_warned_of_with_what_undoes_it(
    clip: Floats, scaled: Callable[[Floats], Floats], undo: str
) -> None:
    with pytest.warns(UserWarning, match=rf"must be in 0\.\.255.*(scaled|centred) already: {undo}") as caught:
        check_clips(scaled(clip))
    assert [warning.filename for warning in caught] == [__file__]


def test_the_warning_comes_once_for_each_place(clip: Floats) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            check_clips(clip / 255)
    assert len(caught) == 1


def test_dark_clips_are_not_taken_for_scaled_ones(clip: Floats) -> None:
    check_clips(np.zeros_like(clip))
    check_clips(np.rint(clip / 255))
    # The noise of a few pixels, spread by resizing.
    dark = np.zeros_like(clip)
    dark[:, :, ::3] = 0.4
    check_clips(dark)


def test_bytes_are_not_looked_at(clip: Floats, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quovadis.engines.base.check_pixel_range", lambda _: pytest.fail("bytes cannot be wrong"))
    check_clips(clip.astype(np.uint8))
