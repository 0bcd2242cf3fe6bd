"""Bilinear resizing is that of the tools whose figures it has to meet, pixel by pixel."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from quovadis.video.bilinear import CoordinateMode, resize

CENTRES: list[CoordinateMode] = ["half-pixel", "asymmetric"]
SHAPES = [
    ((5, 7), (224, 224)),
    ((240, 320), (224, 224)),
    ((301, 233), (224, 224)),
    ((64, 64), (224, 224)),
    ((224, 224), (31, 45)),
    ((3, 500), (17, 224)),
    ((1, 3), (5, 4)),
]
"""Height and width before and after: up, down, one way on each side, odd, a single line."""
TOLERANCE = 0.01
"""Of 255: PyTorch and TensorFlow reckon places in float32. The two conventions differ by whole levels."""

SIDES = st.integers(1, 12)


def noise(height: int, width: int, dtype: type = np.uint8) -> NDArray[Any]:
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width, 3)).astype(dtype)


def by_pytorch(pixels: NDArray[Any], height: int, width: int) -> NDArray[np.float32]:
    batch = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None]
    resized = torch.nn.functional.interpolate(batch, size=(height, width), mode="bilinear", align_corners=False)
    return resized[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize(("before", "after"), SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_half_pixel_is_what_pytorch_and_opencv_do(before: tuple[int, int], after: tuple[int, int], dtype: type) -> None:
    pixels = noise(*before, dtype)
    resized = resize(pixels, *after)
    assert resized.dtype == np.float32
    by_opencv = cv2.resize(pixels.astype(np.float32), after[::-1], interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(resized, by_opencv, atol=1e-3)
    np.testing.assert_allclose(resized, by_pytorch(pixels, *after), atol=TOLERANCE)


def test_asymmetric_is_what_tensorflow_1_did() -> None:
    import tensorflow as tf

    for before, after in SHAPES:
        pixels = noise(*before)
        expected = tf.compat.v1.image.resize_bilinear(
            pixels[np.newaxis].astype(np.float32), after, align_corners=False, half_pixel_centers=False
        ).numpy()[0]
        np.testing.assert_allclose(resize(pixels, *after, "asymmetric"), expected, atol=TOLERANCE)


def test_the_two_conventions_differ_by_levels() -> None:
    pixels = noise(240, 320)
    difference = np.abs(resize(pixels, 224, 224, "half-pixel") - resize(pixels, 224, 224, "asymmetric"))
    assert difference.mean() > 1


def test_asymmetric_looks_from_the_upper_left_corner_and_holds_the_last_pixel() -> None:
    ramp = np.array([[[0], [100]]], np.uint8)
    np.testing.assert_array_equal(resize(ramp, 1, 4, "asymmetric").ravel(), [0, 50, 100, 100])
    np.testing.assert_array_equal(resize(ramp, 1, 4, "half-pixel").ravel(), [0, 25, 75, 100])


@pytest.mark.parametrize("centres", CENTRES)
@pytest.mark.parametrize("columns", [slice(3, 20), slice(0, 1), slice(None, None, 2), slice(10, None)], ids=str)
def test_columns_are_those_of_the_whole(centres: CoordinateMode, columns: slice) -> None:
    pixels = noise(9, 14)
    whole = resize(pixels, 11, 33, centres)
    np.testing.assert_array_equal(resize(pixels, 11, 33, centres, columns), whole[:, columns])


@given(SIDES, SIDES, SIDES, SIDES, st.integers(0, 255), st.sampled_from(CENTRES))
def test_a_picture_of_one_colour_stays_so(
    height: int, width: int, new_height: int, new_width: int, level: int, centres: CoordinateMode
) -> None:
    resized = resize(np.full((height, width, 3), level, np.uint8), new_height, new_width, centres)
    assert resized.shape == (new_height, new_width, 3)
    assert (resized == level).all()


@given(SIDES, SIDES, SIDES, SIDES, st.sampled_from(CENTRES), st.sampled_from([np.uint8, np.float32]))
def test_values_stay_within_those_of_each_channel(
    height: int, width: int, new_height: int, new_width: int, centres: CoordinateMode, dtype: type
) -> None:
    pixels = noise(height, width, dtype)
    resized = resize(pixels, new_height, new_width, centres)
    # Past the ends by rounding alone.
    assert (resized.min((0, 1)) >= pixels.min((0, 1)) - 1e-4).all()
    assert (resized.max((0, 1)) <= pixels.max((0, 1)) + 1e-4).all()


@given(SIDES, SIDES, st.sampled_from(CENTRES), st.sampled_from([np.uint8, np.float32]))
def test_the_same_size_is_the_same_picture(height: int, width: int, centres: CoordinateMode, dtype: type) -> None:
    pixels = noise(height, width, dtype)
    np.testing.assert_array_equal(resize(pixels, height, width, centres), pixels)
