"""The matrix unit's kernels against integers, exactly: every size, border, range of frames and number of threads."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch.nn import functional

from quovadis.engines.native_amx import BYTE_QMAX, WEIGHT_QMAX, pack_3x3x3, pack_pointwise, pack_stem
from quovadis.engines.native_library import (
    AMX,
    AmxConvolution,
    BufferView,
    KernelGeometry,
    Kernels,
    instruction_sets,
    padded_channels,
)
from quovadis.errors import EngineError

Map = NDArray[np.float32]
Exact = NDArray[np.float64]

sizes = st.integers(1, 17)


@pytest.fixture(scope="module")
def kernels() -> list[Kernels]:
    """Of one thread and of three, which must give the same."""
    if AMX not in instruction_sets():
        pytest.skip("this processor has no AMX, or the kernels were compiled without")
    return [Kernels(1, AMX), Kernels(3, AMX)]


def view(values: NDArray[np.generic], first: int = 0) -> BufferView:
    frames, height, width, channels = values.shape
    return BufferView(values.ctypes.data, first, first + frames, height, width, channels)


def random_map(random: np.random.Generator, *shape: int) -> Map:
    return random.standard_normal(shape, np.float32)


def whole_weights(random: np.random.Generator, qmax: int, *shape: int) -> Map:
    """Return weights that packing has nothing to round of: whole, and in each output channel one of `qmax`."""
    kernel = random.integers(-qmax, qmax, shape, endpoint=True).astype(np.float32)
    kernel[0, 0, 0, 0] = qmax
    return kernel


def direct(x: NDArray[np.generic], kernel: Map, stride: int, padding: list[tuple[int, int]]) -> Exact:
    """Return sums that float64 holds exactly."""
    spread = [side for pair in reversed(padding) for side in pair]
    images = functional.pad(torch.from_numpy(x.astype(np.float64)).permute(3, 0, 1, 2)[None], spread)
    sums = functional.conv3d(images, torch.from_numpy(kernel.astype(np.float64)).permute(4, 3, 0, 1, 2), None, stride)
    return np.ascontiguousarray(sums[0].permute(1, 2, 3, 0).numpy())


def finished(sums: Exact, packed: AmxConvolution) -> NDArray[np.uint8]:
    """Scale sums, add the bias and round, once each in float32."""
    out = sums.shape[-1]
    values = (sums.astype(np.float32) * packed.scale[:out].astype(np.float64) + packed.bias[:out]).astype(np.float32)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("in_bytes", [False, True])
@settings(max_examples=25, deadline=None)
@given(
    frames=sizes,
    height=sizes,
    width=sizes,
    channels=st.sampled_from([16, 32, 48, 64, 96, 112, 144]),
    out=st.sampled_from([16, 24, 48, 80]),
    seed=st.integers(0, 9),
)
def test_3x3x3(
    kernels: list[Kernels], in_bytes: bool, frames: int, height: int, width: int, channels: int, out: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    x = random.integers(0, 256, (frames, height, width, channels), np.uint8)
    qmax = BYTE_QMAX if in_bytes else WEIGHT_QMAX
    kernel, bias = whole_weights(random, qmax, 3, 3, 3, channels, out), random_map(random, out) * qmax * 300
    packed = pack_3x3x3(kernel, bias, np.float32(20 * qmax * np.sqrt(channels)), in_bytes=in_bytes)
    expected = finished(direct(x, kernel, 1, [(1, 1)] * 3), packed)
    stored = padded_channels(out)
    # All frames, and some in the middle as a stream asks for them, beside another branch's channels.
    for first in (0, frames // 2):
        for each in kernels:
            y = np.full((frames - first, height, width, 16 + stored), 7, np.uint8)
            target = BufferView(y.ctypes.data + 16, first, frames, height, width, y.shape[-1])
            each.amx.convolve3(view(x), packed, target)
            np.testing.assert_array_equal(y[..., 16 : 16 + out], expected[first:])
            assert not y[..., 16 + out :].any()
            assert (y[..., :16] == 7).all()


@pytest.mark.parametrize("in_bytes", [False, True])
@settings(max_examples=30, deadline=None)
@given(
    blocks=st.integers(0, 9),
    more=st.sampled_from([1, 2, 3, 16, 17, 31, 32]),
    channels=st.sampled_from([16, 64, 208, 256, 832]),
    out=st.integers(1, 70),
)
def test_1x1x1(kernels: list[Kernels], in_bytes: bool, blocks: int, more: int, channels: int, out: int) -> None:
    random = np.random.default_rng(blocks)
    x = random.integers(0, 256, (1, 1, 32 * blocks + more, channels), np.uint8)
    qmax = BYTE_QMAX if in_bytes else WEIGHT_QMAX
    kernel, bias = whole_weights(random, qmax, 1, 1, 1, channels, out), random_map(random, out) * qmax * 300
    packed = pack_pointwise(kernel, bias, np.float32(4 * qmax * np.sqrt(channels)), in_bytes=in_bytes)
    expected = finished(x.astype(np.float64) @ kernel[0, 0, 0].astype(np.float64), packed)
    for each in kernels:
        y = np.full((*x.shape[:3], padded_channels(out)), 7, np.uint8)
        each.amx.pointwise(view(x), packed, view(y))
        np.testing.assert_array_equal(y[..., :out], expected)


@pytest.mark.parametrize("in_bytes", [False, True])
def test_no_sum_overflows_whatever_the_video_shows(kernels: list[Kernels], in_bytes: bool) -> None:
    # The greatest depth there is, and weights whose bytes are as great as they can be, of either sign.
    x = np.full((3, 3, 3, 192), 255, np.uint8)
    kernel = np.ones((3, 3, 3, 192, 16), np.float32)
    kernel[..., 8:] = -1
    bias = np.where(np.arange(16) < 8, 0, 27 * 192 * 255).astype(np.float32)
    packed = pack_3x3x3(kernel, bias, np.float32(27 * 192), in_bytes=in_bytes)
    y = np.zeros((3, 3, 3, 16), np.uint8)
    kernels[0].amx.convolve3(view(x), packed, view(y))
    # In the middle all taps meet 255; in a corner 8 of 27 do.
    assert list(y[1, 1, 1]) == [255] * 8 + [0] * 8
    assert list(y[0, 0, 0]) == [round(255 * 8 / 27)] * 8 + [round(255 * 19 / 27)] * 8


@pytest.mark.parametrize("size", [1, 3])
def test_the_rounding_errors_of_8_bit_weights_cancel_where_inputs_are_alike(kernels: list[Kernels], size: int) -> None:
    random = np.random.default_rng(size)
    channels = 832 if size == 1 else 16
    kernel = random_map(random, size, size, size, channels, 32)
    # Errors of one group add up to half a step at most; those of different groups are not made to cancel.
    groups = 1 if size == 1 else channels
    levels = np.abs(kernel).max((0, 1, 2, 3)) / BYTE_QMAX * 200 * groups
    x = np.full((3, 3, 3, channels), 200, np.uint8)
    y = np.zeros((3, 3, 3, 32), np.uint8)
    bias = 128 * levels - 200 * kernel.sum((0, 1, 2, 3))
    pack_kernel = pack_pointwise if size == 1 else pack_3x3x3
    packed = pack_kernel(kernel, bias, levels, in_bytes=True)
    run = kernels[0].amx.pointwise if size == 1 else kernels[0].amx.convolve3
    run(view(x), packed, view(y))
    assert np.abs(y[1, 1, 1].astype(int) - 128).max() <= 1


@pytest.mark.parametrize("pixels", ["bytes", "whole floats", "floats"])
@settings(max_examples=15, deadline=None)
@given(frames=st.integers(1, 20), height=st.integers(1, 40), width=st.integers(1, 80), seed=st.integers(0, 9))
def test_the_stem(kernels: list[Kernels], pixels: str, frames: int, height: int, width: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    shape = frames, height, width, 3
    levels = random.integers(0, 256, shape, np.uint8)
    x = levels if pixels == "bytes" else levels.astype(np.float32)
    if pixels == "floats":
        x = np.clip(x + random.uniform(-1, 1, shape), 0, 255).astype(np.float32)
    kernel, bias = whole_weights(random, WEIGHT_QMAX, 7, 7, 7, 3, 48), random_map(random, 48) * WEIGHT_QMAX
    before = tuple(int(value) for value in random.integers(2, 4, 3))
    outputs = tuple(-(-size // 2) for size in shape[:3])
    after = [2 * (out - 1) + 7 - size - side for out, size, side in zip(outputs, shape, before, strict=False)]
    packed = pack_stem(kernel, bias, np.float32(WEIGHT_QMAX / 2))
    sums = direct(x.astype(np.float64) - 127.5, kernel, 2, list(zip(before, after, strict=True)))
    expected = np.maximum(sums * packed.scale + packed.bias, 0)
    window = KernelGeometry((7, 7, 7), (2, 2, 2), before)
    for first in (0, outputs[0] // 2):
        made = []
        for each in kernels:
            y = np.full((outputs[0] - first, *outputs[1:], 48), 7, np.int16)
            each.amx.stem(view(x), packed, view(y, first), window, floats=pixels != "bytes")
            made.append(y)
        np.testing.assert_array_equal(*made)
        # Rounding to whole numbers; of floats, which are summed to 256ths of a level, the tail of that as well.
        difference = np.abs(made[0] - expected[first:])
        assert difference.max() < (0.8 if pixels == "floats" else 0.501)
        assert difference.mean() < 0.3
        if pixels == "whole floats":
            again = np.empty_like(made[0])
            kernels[0].amx.stem(view(levels), packed, view(again, first), window)
            np.testing.assert_array_equal(again, made[0])


@pytest.mark.parametrize("name", ["avx512", "avx2"])
def test_an_instruction_set_that_is_asked_for_goes_without_amx(name: str) -> None:
    if name not in instruction_sets():
        pytest.skip(f"this processor has no {name}")
    with pytest.raises(EngineError, match="AMX"):
        _ = Kernels(1, name).amx


def test_what_is_best_has_amx_where_the_processor_has(kernels: list[Kernels]) -> None:
    best = Kernels(1)
    assert best.has_amx
    assert best.has_integers
    assert best.instruction_set == "avx512"
    assert instruction_sets()[0] == AMX
