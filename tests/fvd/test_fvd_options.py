"""Whose conventions are followed, and what was asked for by name."""

from __future__ import annotations

import pytest

from quovadis.errors import ArchitectureError
from quovadis.fvd import PRESETS, plan_sets


def test_conventions_are_named_after_whose_they_are() -> None:
    original, stylegan_v = PRESETS["original"], PRESETS["stylegan-v"]
    assert (original.coordinate_mode, original.covariance) == ("asymmetric", "unbiased")
    assert (original.real_clips, original.fake_clips) == ("first", "first")
    assert (stylegan_v.coordinate_mode, stylegan_v.covariance) == ("half-pixel", "population")
    assert (stylegan_v.real_clips, stylegan_v.fake_clips) == ("random", "first")


def test_without_a_word_both_sets_are_measured_as_the_original_does() -> None:
    real, fake = plan_sets()
    assert real == fake
    assert real.options.frames == (16,)
    assert (real.options.clips, real.options.coordinate_mode, real.options.features) == (
        "first",
        "asymmetric",
        "logits",
    )
    assert real.named == {}


def test_stylegan_v_takes_random_clips_of_the_real_videos_and_the_first_of_the_generated_ones() -> None:
    real, fake = plan_sets("stylegan-v", frames=[16, 128, 16], seed=7)
    assert (real.options.clips, fake.options.clips) == ("random", "first")
    assert real.options.seed == 7
    assert real.options.frames == fake.options.frames == (16, 128)
    assert real.named == {"coordinate_mode": "half-pixel", "clips": "random", "seed": 7}
    # It plays no part in first clips.
    assert fake.named == {"coordinate_mode": "half-pixel", "clips": "first"}
    assert plan_sets("stylegan-v")[0].options.seed == 0


@pytest.mark.parametrize("like", [None, "original", "stylegan-v"])
def test_what_is_asked_for_comes_before_the_convention(like: str | None) -> None:
    real, fake = plan_sets(like, clips="random", coordinate_mode="asymmetric", features="pooled")  # type: ignore[arg-type]
    assert (real.options, real.named) == (fake.options, fake.named)
    assert real.named == {"clips": "random", "coordinate_mode": "asymmetric", "features": "pooled"}
    real, fake = plan_sets(like, clips="random", fake_clips="first")  # type: ignore[arg-type]
    assert (real.options.clips, fake.options.clips) == ("random", "first")


def test_several_clips_are_taken_of_the_videos_with_random_ones() -> None:
    real, fake = plan_sets("stylegan-v", clips_per_video=4)
    assert (real.options.clips_per_video, fake.options.clips_per_video) == (4, 1)
    with pytest.raises(ArchitectureError, match="a video has one beginning"):
        plan_sets(clips_per_video=4)
