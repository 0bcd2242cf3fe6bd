"""Slices, state and memory of the native network; its numbers are tested with all engines and in dense mode."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from quovadis.engines import native_network
from quovadis.engines.native_backend import FloatBackend
from quovadis.engines.native_library import Kernels
from quovadis.engines.native_network import FeatureMap, NativeNetwork
from quovadis.weights import load_weights


@pytest.fixture(scope="module")
def arithmetic(rgb_scratch_path: Path) -> FloatBackend:
    return FloatBackend(load_weights("rgb-scratch").tensors)


@pytest.mark.parametrize(("frames", "slice_frames"), [(64, 8), (87, 32), pytest.param(159, 79, marks=pytest.mark.soak)])
def test_logits_of_any_length_in_slices_of_any_length_are_the_originals(
    arithmetic: FloatBackend,
    cricket_frames: NDArray[np.uint8],
    assets: Path,
    monkeypatch: pytest.MonkeyPatch,
    frames: int,
    slice_frames: int,
) -> None:
    monkeypatch.setattr(native_network, "SLICE_FRAMES", slice_frames)
    looped = cricket_frames[np.arange(frames) % len(cricket_frames)]
    found = NativeNetwork(arithmetic, (frames, 224, 224)).push(Kernels(2), looped, is_last=True)
    oracle = np.load(assets / "oracle" / f"cricket_T{frames}_rgb_scratch.npz")
    np.testing.assert_allclose(found.steps()[0].mean(0), oracle["logits"], rtol=0, atol=1e-3)


def test_the_length_of_slices_changes_nothing(
    arithmetic: FloatBackend, cricket_frames: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels = Kernels(2)
    made = []
    for slice_frames in (8, 16, 31):
        monkeypatch.setattr(native_network, "SLICE_FRAMES", slice_frames)
        made.append(NativeNetwork(arithmetic).push(kernels, cricket_frames[:31], is_last=True).logits)
    assert len(made[0]) == 4
    np.testing.assert_allclose(made[1], made[0], atol=1e-4)
    np.testing.assert_allclose(made[2], made[0], atol=1e-4)


def test_memory_does_not_grow_with_the_video(arithmetic: FloatBackend, cricket_frames: NDArray[np.uint8]) -> None:
    kernels = Kernels(2)
    network = NativeNetwork(arithmetic)
    network.push(kernels, cricket_frames[:55], is_last=False)
    sizes = []
    for start in range(0, 48, 8):
        network.push(kernels, cricket_frames[start : start + 8], is_last=False)
        sizes.append(network.bytes_held)
    assert sizes[1:] == sizes[1:2] * 5
    assert sizes[-1] < 200e6


def test_a_feature_map_keeps_what_its_readers_need() -> None:
    frames = np.arange(40, dtype=np.uint8).reshape(40, 1, 1, 1)
    feature_map = FeatureMap((40, 1, 1), 1, dtype=np.uint8, stored=1)
    feature_map.append(frames[:10])
    np.testing.assert_array_equal(feature_map.frames(0, 10), frames[:10])
    # Nobody reads: all that is there may go.
    feature_map.append(frames[10:16])
    np.testing.assert_array_equal(feature_map.frames(10, 16), frames[10:16])
    feature_map.keep_all = True
    feature_map.append(frames[16:40])
    np.testing.assert_array_equal(feature_map.frames(10, 40), frames[10:])
