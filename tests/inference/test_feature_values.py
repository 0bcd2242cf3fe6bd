"""Features of the real network: those of the engine, pooled, and those of the original graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import quovadis
from quovadis import Dense, FeatureOptions, Recognizer, Sampling, SlidingWindows
from quovadis.engines import EngineOutput
from quovadis.features import PRESETS
from support.remembering import RememberingEngine

ENDPOINTS = ("Mixed_5c", "Mixed_4f", "Conv3d_2c_3x3")
WINDOWS = Sampling(clips=SlidingWindows(clip_frames=16))


@pytest.fixture(scope="module")
def model(rgb_scratch_path: Path) -> Recognizer:
    model = quovadis.load("rgb-scratch", threads=2)
    model.engine = RememberingEngine(model.engine)  # type: ignore[assignment]
    return model


@pytest.fixture(scope="module")
def outputs(model: Recognizer, cricket_frames: NDArray[np.uint8]) -> list[EngineOutput]:
    """What the engine makes of two adjoining windows of 16 frames."""
    return [model.run(cricket_frames[np.newaxis, start : start + 16], ENDPOINTS) for start in (0, 16)]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_without_a_pool_a_row_is_the_endpoints_map(
    endpoint: str, model: Recognizer, cricket_frames: NDArray[np.uint8], outputs: list[EngineOutput]
) -> None:
    made = model.features(cricket_frames[:32], FeatureOptions(endpoint=endpoint, pool="none", sampling=WINDOWS))
    expected = np.concatenate([output.endpoints[endpoint] for output in outputs])
    assert made.values.shape == expected.shape
    assert expected.ndim == 5
    np.testing.assert_allclose(made.values, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("pool", ["space", "all"])
@pytest.mark.parametrize("endpoint", ENDPOINTS[1:])
def test_of_other_endpoints_pools_are_plain_means(
    endpoint: str, pool: str, model: Recognizer, cricket_frames: NDArray[np.uint8], outputs: list[EngineOutput]
) -> None:
    options = FeatureOptions(endpoint=endpoint, pool=pool, sampling=WINDOWS)  # type: ignore[arg-type]
    made = model.features(cricket_frames[:32], options)
    axes = (2, 3) if pool == "space" else (1, 2, 3)
    expected = np.concatenate([output.endpoints[endpoint].mean(axes, dtype=np.float64) for output in outputs])
    assert made.values.dtype == np.float32
    np.testing.assert_allclose(made.values, expected, rtol=1e-4, atol=1e-5)


def test_of_mixed_5c_the_pools_are_the_heads_own_and_the_mean_of_its_steps(
    model: Recognizer, cricket_frames: NDArray[np.uint8]
) -> None:
    # 24 frames are two steps, so that a step is not already the mean.
    sampling = Sampling(clips=SlidingWindows(clip_frames=24))
    output = model.run(cricket_frames[np.newaxis, :24], ["Mixed_5c"])
    steps = model.features(cricket_frames[:24], FeatureOptions(pool="space", sampling=sampling)).values
    np.testing.assert_allclose(steps, output.features, rtol=0, atol=1e-5)
    feature_map = output.endpoints["Mixed_5c"][0].mean((1, 2), dtype=np.float64)
    np.testing.assert_allclose(steps[0], (feature_map[:-1] + feature_map[1:]) / 2, rtol=0, atol=1e-5)
    (whole,) = model.features(cricket_frames[:24], FeatureOptions(sampling=sampling)).values
    np.testing.assert_allclose(whole, output.features[0].mean(0), rtol=0, atol=1e-5)


def test_dense_rows_are_the_steps_of_the_whole_video(model: Recognizer, cricket_frames: NDArray[np.uint8]) -> None:
    made = model.features(cricket_frames[:60], PRESETS["i3d"])
    held = np.concatenate([cricket_frames[:60], np.repeat(cricket_frames[59:60], 3, axis=0)])
    whole = model.run(held[np.newaxis])
    np.testing.assert_allclose(made.values, whole.features[0], rtol=0, atol=1e-4)


def test_each_crop_has_the_features_of_a_video_that_was_cut_so_before(
    model: Recognizer, cricket_frames: NDArray[np.uint8]
) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (23, 256, 300, 3), np.uint8)
    # A picture in it, without which all features would be alike.
    frames[:, 16:240, 40:264] = cricket_frames[:23]
    right = np.ascontiguousarray(frames[:, 16:240, -224:])
    for sampling in (Sampling(clips=SlidingWindows(clip_frames=12)), Sampling(clips=Dense())):
        made = model.features(frames, FeatureOptions(sampling=sampling, crops=3))
        assert made.values.shape == (2, 3, 1024)
        expected = model.features(right, FeatureOptions(sampling=sampling))
        np.testing.assert_allclose(made.values[:, 2], expected.values, rtol=0, atol=1e-5)
        assert np.abs(made.values[:, 0] - made.values[:, 2]).max() > 0.1


# --- the original graph ----------------------------------------------------------------------------------------------


def steps_of(positions: NDArray[np.float32]) -> NDArray[np.float32]:
    """The head averages neighbours in time: its steps, of `Mixed_5c` that the oracle averaged over space alone."""
    return (positions[:-1] + positions[1:]) / 2


@pytest.mark.parametrize("pool", ["all", "space", "none"])
def test_the_feature_of_the_sample_is_that_of_the_original_graph(
    pool: str, model: Recognizer, cricket_gif: Path, assets: Path
) -> None:
    positions = np.load(assets / "oracle" / "cricket_T64_rgb_scratch.npz")["pooled_5c"]
    options = FeatureOptions(pool=pool, sampling=Sampling(clips=SlidingWindows(clip_frames=64, remainder="drop")))  # type: ignore[arg-type]
    # One window: the GIF's first 64 frames of 79, which no scaling has touched.
    (row,) = model.features(cricket_gif, options).values
    if pool == "none":
        assert row.shape == (8, 7, 7, 1024)
        np.testing.assert_allclose(row.mean((1, 2)), positions, rtol=0, atol=1e-3)
    elif pool == "space":
        assert row.shape == (7, 1024)
        np.testing.assert_allclose(row, steps_of(positions), rtol=0, atol=1e-3)
    else:
        assert row.shape == (1024,)
        np.testing.assert_allclose(row, steps_of(positions).mean(0), rtol=0, atol=1e-3)


@pytest.mark.parametrize("endpoint", ["Mixed_4f", pytest.param("MaxPool3d_5a_2x2", marks=pytest.mark.soak)])
def test_any_endpoint_of_the_sample_is_that_of_the_original_graph(
    endpoint: str, model: Recognizer, cricket_gif: Path, assets: Path
) -> None:
    oracle = np.load(assets / "oracle" / "cricket_rgb_scratch.npz")
    (row,) = model.features(cricket_gif, FeatureOptions(endpoint=endpoint)).values
    np.testing.assert_allclose(row, oracle[f"mean_{endpoint}"], rtol=0, atol=1e-3)


def test_dense_features_are_those_of_the_original_graph(
    model: Recognizer, cricket_frames: NDArray[np.uint8], assets: Path
) -> None:
    positions = np.load(assets / "oracle" / "cricket_T87_rgb_scratch.npz")["pooled_5c"]
    looped = np.concatenate([cricket_frames, cricket_frames[:8]])
    made = model.features(looped, PRESETS["i3d"])
    np.testing.assert_allclose(made.values, steps_of(positions), rtol=0, atol=1e-3)
