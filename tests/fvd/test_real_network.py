"""Fréchet Video Distance by the network that it is defined by."""

from __future__ import annotations

from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from quovadis import Recognizer, load
from quovadis.fvd import FVDOptions, Statistics, distances, set_statistics
from quovadis.fvd.options import DEFAULT_FRAMES, DEFAULT_WEIGHTS
from quovadis.video import open_video
from support.video_sets import Videos, members_of, saved

SIGMAS = (0, 8, 48)
"""Of Gaussian noise on pixels of 0..255."""


@pytest.fixture(scope="module")
def model(rgb_scratch_path: Path) -> Recognizer:
    return load(DEFAULT_WEIGHTS, threads=2)


CLIPS = 6
NINE = FVDOptions(frames=(9,))
"""Clips of 9 frames: the fewest that the network takes."""


def features(model: Recognizer, source: str, options: FVDOptions) -> NDArray[np.float32]:
    found = set_statistics(model, source, members_of(source), options).lengths[DEFAULT_FRAMES].features
    assert found is not None
    return found


def test_the_default_vector_is_the_logits_of_deepminds_graph(
    model: Recognizer, cricket_frames: Videos, assets: Path, tmp_path: Path
) -> None:
    assert (DEFAULT_WEIGHTS, DEFAULT_FRAMES) == ("rgb-scratch", 16)
    oracle = np.load(assets / "oracle" / "cricket_T16_rgb_scratch.npz")
    # 224x224 already: stretching leaves them as the oracle's network saw them. The frames after the clip do not count.
    source = saved(tmp_path / "cricket.npy", cricket_frames[:20])
    np.testing.assert_allclose(features(model, source, FVDOptions())[0], oracle["logits"], atol=1e-3)
    pooled = features(model, source, FVDOptions(features="pooled"))
    np.testing.assert_allclose(pooled[0], oracle["pooled_5c"].mean(0), atol=1e-3)


def test_small_videos_are_stretched_as_pytorch_does_and_not_rounded(
    model: Recognizer, cricket_frames: Videos, tmp_path: Path
) -> None:
    small = np.ascontiguousarray(cricket_frames[:16, 20:180:2, ::2])
    batch = torch.from_numpy(small).permute(0, 3, 1, 2).float()
    stretched = torch.nn.functional.interpolate(batch, (224, 224), mode="bilinear").permute(0, 2, 3, 1).numpy()
    expected = model.engine.run(np.ascontiguousarray(stretched)[np.newaxis]).logits[0]
    source = saved(tmp_path / "small.npy", small)
    found = features(model, source, FVDOptions(coordinate_mode="half-pixel"))[0]
    np.testing.assert_allclose(found, expected, atol=1e-3)
    # Rounded pixels and the other convention give others.
    rounded = model.engine.run(np.rint(stretched).astype(np.uint8)[np.newaxis]).logits[0]
    for other in (rounded, features(model, source, FVDOptions())[0]):
        assert np.abs(other - expected).max() > 5e-3


@pytest.fixture(scope="module")
def real_clips(assets: Path) -> Videos:
    """Clips of 9 frames from two videos, every 61 frames."""
    clips = []
    for name in ("archery.avi", "clean_and_jerk.mp4"):
        with open_video(assets / "clips" / name, fps="native") as video:
            frames = np.stack([frame.pixels[::2, ::2] for frame in islice(video, 137)])
        clips += [frames[start : start + 9] for start in range(0, len(frames) - 8, 61)]
    assert len(clips) == CLIPS
    return np.stack(clips)


@pytest.fixture(scope="module")
def noisy(model: Recognizer, real_clips: Videos, tmp_path_factory: pytest.TempPathFactory) -> list[Statistics]:
    """The clips with noise of growing strength."""
    folder = tmp_path_factory.mktemp("noisy")
    generator = np.random.default_rng(0)
    sets = []
    for sigma in SIGMAS:
        noise = generator.normal(0, sigma, real_clips.shape).astype(np.float32)
        source = saved(folder / f"{sigma}.npy", np.clip(np.rint(real_clips + noise), 0, 255).astype(np.uint8))
        sets.append(set_statistics(model, source, members_of(source), NINE))
    return sets


def test_the_distance_of_real_clips_from_themselves_is_none_and_grows_with_noise(noisy: list[Statistics]) -> None:
    found = [distances(noisy[0], other)[0] for other in noisy]
    assert found[0].dimensions == 400
    assert found[0].clips_a == found[0].clips_b == CLIPS
    assert found[0].fvd == pytest.approx(0, abs=1e-6)
    for less, more in pairwise(found):
        assert less.fvd < more.fvd
        assert less.kvd is not None
        assert more.kvd is not None
        assert less.kvd < more.kvd
    # Far beyond rounding from the first step on.
    assert found[1].fvd > 1
    assert all(
        f"{CLIPS} clips of 9 frames in 400 dimensions" in text for distance in found for text in distance.warnings
    )


def test_measured_again_the_set_is_the_same(model: Recognizer, noisy: list[Statistics]) -> None:
    source = noisy[0].source
    again = set_statistics(model, source, members_of(source), NINE, workers=1)
    (distance,) = distances(noisy[0], again)
    assert distance.fvd == pytest.approx(0, abs=1e-6)
