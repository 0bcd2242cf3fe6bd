"""Each kernel against a convolution that anyone can check, at every instruction set, size and range of frames."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch.nn import functional

from quovadis.engines import native_library
from quovadis.engines.native_integers import bounds_3x3x3, bounds_stem, pack_integers
from quovadis.engines.native_library import (
    BufferView,
    KernelGeometry,
    Kernels,
    has_integers,
    instruction_sets,
    pack,
    padded_channels,
)
from quovadis.engines.winograd import transform_3x3x3, transform_stem
from quovadis.errors import EngineError

Map = NDArray[np.float32]
Pixels = NDArray[np.uint8] | NDArray[np.float32]

sizes = st.integers(1, 17)


@pytest.fixture(scope="module", params=["avx512", "avx2"])
def kernels(request: pytest.FixtureRequest) -> Kernels:
    if request.param not in instruction_sets():
        pytest.skip(f"this processor has no {request.param}")
    return Kernels(3, request.param)


def view(values: NDArray[np.generic], first: int = 0) -> BufferView:
    frames, height, width, channels = values.shape
    return BufferView(values.ctypes.data, first, first + frames, height, width, channels)


def torch_convolution(x: Map, kernel: Map, bias: Map, stride: int, padding: list[tuple[int, int]]) -> Map:
    spread = [side for pair in reversed(padding) for side in pair]
    images = functional.pad(torch.from_numpy(x).double().permute(3, 0, 1, 2)[None], spread)
    weights = torch.from_numpy(kernel).double().permute(4, 3, 0, 1, 2)
    y = functional.conv3d(images, weights, torch.from_numpy(bias).double(), stride).relu()
    return np.ascontiguousarray(y[0].permute(1, 2, 3, 0).float().numpy())


def random_pixels(random: np.random.Generator, shape: tuple[int, ...], dtype: type[np.generic]) -> Pixels:
    """Floats have fractions."""
    if dtype == np.float32:
        return random.uniform(0, 255, shape).astype(np.float32)
    return random.integers(0, 256, shape, np.uint8)


def filled(shape: tuple[int, ...]) -> Map:
    """What no kernel may leave in its output."""
    return np.full(shape, np.nan, np.float32)


@settings(max_examples=30, deadline=None)
@given(
    frames=sizes,
    height=sizes,
    width=sizes,
    channels=st.sampled_from([16, 48]),
    out=st.sampled_from([16, 24, 80]),
    seed=st.integers(0, 9),
)
def test_3x3x3(kernels: Kernels, frames: int, height: int, width: int, channels: int, out: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    x = random.standard_normal((frames, height, width, channels), np.float32)
    kernel = random.standard_normal((3, 3, 3, channels, out), np.float32) / np.float32(np.sqrt(27 * channels))
    bias = random.standard_normal(out, np.float32)
    expected = torch_convolution(x, kernel, bias, 1, [(1, 1)] * 3)
    # All frames, and some in the middle as a stream asks for them.
    for first in (0, frames // 2):
        y = filled((frames - first, height, width, padded_channels(out)))
        kernels.convolve3(view(x), pack(transform_3x3x3(kernel), bias), view(y, first))
        np.testing.assert_allclose(y[..., :out], expected[first:], atol=1e-4)
        assert np.abs(y[..., :out] - expected[first:]).mean() < 5e-6
        assert not y[..., out:].any()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@settings(max_examples=20, deadline=None)
@given(frames=st.integers(1, 20), height=st.integers(1, 40), width=st.integers(1, 70), seed=st.integers(0, 9))
def test_the_stem(kernels: Kernels, dtype: type[np.generic], frames: int, height: int, width: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    pixels = random_pixels(random, (frames, height, width, 3), dtype)
    kernel = random.standard_normal((7, 7, 7, 3, 48), np.float32) / np.float32(np.sqrt(7**3))
    bias = random.standard_normal(48, np.float32)
    before = tuple(int(value) for value in random.integers(2, 4, 3))
    shape = tuple(-(-size // 2) for size in pixels.shape[:3])
    after = [2 * (out - 1) + 7 - size - side for out, size, side in zip(shape, pixels.shape, before, strict=False)]
    scaled = (pixels.astype(np.float32) - 127.5) / 127.5
    expected = torch_convolution(scaled, kernel, bias, 2, list(zip(before, after, strict=True)))
    window = KernelGeometry((7, 7, 7), (2, 2, 2), before)
    for first in (0, shape[0] // 2):
        y = filled((shape[0] - first, *shape[1:], 48))
        kernels.stem(
            view(pixels), pack(transform_stem(kernel), bias), view(y, first), window, floats=dtype == np.float32
        )
        # Rounding reaches 3.05e-5 for a value in a million; on average it is far below that.
        np.testing.assert_allclose(y, expected[first:], atol=6e-5)
        assert np.abs(y - expected[first:]).mean() < 3e-6


@settings(max_examples=30, deadline=None)
@given(pixels=st.integers(1, 200), channels=st.integers(1, 40), out=st.integers(1, 70), relu=st.booleans())
def test_1x1x1_into_part_of_the_channels(kernels: Kernels, pixels: int, channels: int, out: int, relu: bool) -> None:
    random = np.random.default_rng(pixels)
    x = random.standard_normal((1, 1, pixels, channels), np.float32)
    kernel, bias = random.standard_normal((channels, out), np.float32), random.standard_normal(out, np.float32)
    stored = padded_channels(out)
    y = np.full((1, 1, pixels, 32 + stored), 7, np.float32)
    target = BufferView(y.ctypes.data + 16 * y.itemsize, 0, 1, 1, pixels, y.shape[-1])
    kernels.pointwise(view(x), pack(kernel[np.newaxis], bias), target, relu=relu)
    expected = x @ kernel + bias
    np.testing.assert_allclose(y[..., 16 : 16 + out], np.maximum(expected, 0) if relu else expected, atol=1e-4)
    # The neighbours' channels stay as they were.
    assert (y[..., :16] == 7).all()
    assert (y[..., 16 + stored :] == 7).all()


@settings(max_examples=30, deadline=None)
@given(frames=sizes, height=sizes, width=sizes, kernel=st.integers(2, 3), stride=st.integers(1, 2))
def test_max_pool_never_sees_its_padding(
    kernels: Kernels, frames: int, height: int, width: int, kernel: int, stride: int
) -> None:
    x = np.random.default_rng(width).standard_normal((frames, height, width, 16), np.float32) - 9
    shape = [-(-size // stride) for size in x.shape[:3]]
    total = [max((out - 1) * stride + kernel - size, 0) for out, size in zip(shape, x.shape, strict=False)]
    before = tuple(side // 2 for side in total)
    spread = [(side, whole - side) for side, whole in zip(before, total, strict=True)]
    padded = np.pad(x, [*spread, (0, 0)], constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel,) * 3, (0, 1, 2))
    y = filled((*shape, 16))
    kernels.max_pool(view(x), 16, view(y), KernelGeometry((kernel,) * 3, (stride,) * 3, before))
    np.testing.assert_array_equal(y, windows[::stride, ::stride, ::stride].max((-3, -2, -1)))


@pytest.fixture(scope="module")
def integers() -> Kernels:
    if not has_integers():
        pytest.skip("this processor has no AVX-512 VNNI")
    return Kernels(3)


def bytes_of(values: Map, step: Map) -> NDArray[np.uint8]:
    return np.clip(np.rint(values / step), 0, 255).astype(np.uint8)


def assert_close_levels(made: NDArray[np.uint8], exact: NDArray[np.uint8]) -> None:
    """Weights have some 10 bits before the transform back enlarges errors: mostly the same level or its neighbour."""
    difference = np.abs(made.astype(int) - exact)
    assert difference.max() <= 6
    assert difference.mean() < 0.5


@settings(max_examples=20, deadline=None)
@given(frames=sizes, height=sizes, width=sizes, channels=st.sampled_from([16, 48, 192]), seed=st.integers(0, 9))
def test_3x3x3_of_bytes(integers: Kernels, frames: int, height: int, width: int, channels: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    x = random.integers(0, 256, (frames, height, width, channels), np.uint8)
    kernel = random.standard_normal((3, 3, 3, channels, 24), np.float32)
    bias, step = random.standard_normal(24, np.float32), random.uniform(40, 200, 24).astype(np.float32)
    packed = pack_integers(transform_3x3x3(kernel), bias, bounds_3x3x3(), step)
    expected = torch_convolution(x.astype(np.float32), kernel, bias, 1, [(1, 1)] * 3)
    for first in (0, frames // 2):
        y = np.full((frames - first, height, width, 32), 7, np.uint8)
        integers.integers.convolve3(view(x), packed, view(y, first))
        assert_close_levels(y[..., :24], bytes_of(expected[first:], step))
        assert not y[..., 24:].any()


def test_no_sum_overflows_whatever_the_video_shows(integers: Kernels) -> None:
    # The greatest depth there is, and weights that all have the same sign.
    x = np.full((4, 2, 2, 192), 255, np.uint8)
    kernel = np.ones((3, 3, 3, 192, 16), np.float32)
    kernel[..., 8:] = -1
    packed = pack_integers(transform_3x3x3(kernel), np.zeros(16, np.float32), bounds_3x3x3(), np.float32(12 * 192))
    # Layout: point, pair of inputs, output, one of the pair.
    sums = np.abs(packed.weights.reshape(144, 96, 16, 2).astype(np.int64)).sum((1, 3))
    assert (sums * bounds_3x3x3()[:, np.newaxis] < 2**31).all()
    y = np.zeros((4, 2, 2, 16), np.uint8)
    integers.integers.convolve3(view(x), packed, view(y))
    exact = torch_convolution(x.astype(np.float32), kernel, np.zeros(16, np.float32), 1, [(1, 1)] * 3) / (12 * 192)
    assert np.abs(y.astype(int) - np.clip(np.rint(exact), 0, 255)).max() <= 1


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@settings(max_examples=15, deadline=None)
@given(frames=st.integers(1, 20), height=st.integers(1, 40), width=st.integers(1, 70), seed=st.integers(0, 9))
def test_the_stem_into_shorts(
    integers: Kernels, dtype: type[np.generic], frames: int, height: int, width: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    pixels = random_pixels(random, (frames, height, width, 3), dtype)
    kernel = random.standard_normal((7, 7, 7, 3, 32), np.float32)
    bias = random.standard_normal(32, np.float32)
    before = tuple(int(value) for value in random.integers(2, 4, 3))
    shape = tuple(-(-size // 2) for size in pixels.shape[:3])
    after = [2 * (out - 1) + 7 - size - side for out, size, side in zip(shape, pixels.shape, before, strict=False)]
    scaled = (pixels.astype(np.float32) - 127.5) / 127.5
    expected = torch_convolution(scaled, kernel, bias, 2, list(zip(before, after, strict=True)))
    weights = transform_stem(kernel / 127.5).reshape(49, 4, 21, 32)
    padded = np.pad(weights, ((0, 0), (0, 0), (0, 1), (0, 0))).reshape(49, 88, 32)
    packed = pack_integers(padded, bias, bounds_stem(), np.float32(0.25 / 16))
    y = np.full((*shape, 32), 7, np.int16)
    window = KernelGeometry((7, 7, 7), (2, 2, 2), before)
    integers.integers.stem(view(pixels), packed, view(y), window, floats=dtype == np.float32)
    # The tail of rounding: one value in a million is off by 2.04.
    assert np.abs(y / 16 - np.maximum(expected, 0) / 0.25).max() < 2.5
    assert np.abs(y / 16 - np.maximum(expected, 0) / 0.25).mean() < 0.1


@pytest.mark.parametrize(
    ("values", "weights"), [(np.uint8, np.int8), (np.uint8, np.int16), (np.int16, np.int16)], ids=str
)
@settings(max_examples=15, deadline=None)
@given(pixels=st.integers(1, 200), channels=st.sampled_from([16, 64, 208]), out=st.integers(1, 70))
def test_1x1x1_into_bytes(
    integers: Kernels, values: type[np.int16], weights: type[np.int16], pixels: int, channels: int, out: int
) -> None:
    random = np.random.default_rng(pixels)
    greatest = int(np.iinfo(values).max)
    if values == np.int16:
        # Wide values leave weights few bits, and are only read where channels are few.
        channels = min(channels, 64)
    x = random.integers(0, greatest + 1, (1, 1, pixels, channels)).astype(values)
    # Weights that 8 bits hold exactly.
    kernel = random.integers(-127, 128, (channels, out)).astype(np.float32) / 32
    kernel[0] = 127 / 32
    bias = random.standard_normal(out, np.float32)
    step = (random.uniform(2, 30, out) * greatest / 255).astype(np.float32)
    y = np.full((1, 1, pixels, padded_channels(out)), 7, np.uint8)
    packed = pack_integers(kernel[np.newaxis], bias, np.array([float(greatest)]), step, weights)
    integers.integers.pointwise(view(x), packed, view(y), wide=values == np.int16)
    difference = np.abs(y[..., :out].astype(int) - bytes_of(x.astype(np.float32) @ kernel + bias, step))
    assert difference.max() <= (2 if values == np.int16 else 1)


@pytest.mark.parametrize("channels", [16, 32, 64])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_max_pool_of_integers(integers: Kernels, dtype: type[np.int16], channels: int, stride: int) -> None:
    greatest = np.iinfo(dtype).max
    x = np.random.default_rng(channels).integers(0, greatest, (5, 7, 9, channels), dtype, endpoint=True)
    shape = [-(-size // stride) for size in x.shape[:3]]
    padded = np.pad(x, [(1, 1), (1, 1), (1, 1), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3, 3), (0, 1, 2))
    y = np.zeros((*shape, channels), dtype)
    window = KernelGeometry((3, 3, 3), (stride,) * 3, (1, 1, 1))
    integers.integers.max_pool(view(x), channels, view(y), window, wide=dtype == np.int16)
    np.testing.assert_array_equal(y, windows[::stride, ::stride, ::stride].max((-3, -2, -1)))


def test_avx2_has_no_kernels_for_bytes() -> None:
    if "avx2" not in instruction_sets():
        pytest.skip("this processor has no avx2")
    with pytest.raises(EngineError, match="AVX-512 VNNI"):
        _ = Kernels(1, "avx2").integers


def test_an_unknown_instruction_set_is_refused() -> None:
    with pytest.raises(EngineError, match="mmx"):
        Kernels(1, "mmx")


def test_without_the_library_the_error_says_how_to_make_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_library, "LIBRARY", native_library.LIBRARY.with_name("missing.so"))
    with pytest.raises(EngineError, match=r"python -m quovadis\.native"):
        Kernels(1)
