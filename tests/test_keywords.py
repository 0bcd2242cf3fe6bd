"""Keywords in place of options: `model.classify(path, stride=8)`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import quovadis
from quovadis import (
    ArchitectureError,
    CentreClip,
    Dense,
    FeatureOptions,
    Recognizer,
    Sampling,
    SlidingWindows,
    TimeSpan,
    VideoError,
    VideoLimitError,
    VideoLimits,
)
from quovadis.fields import with_keywords
from quovadis.inference.feature_rows import VideoFeatures
from support.fake_engine import MeanEngine, recognizer
from support.synthetic import moving_squares, write_video

FRAMES = np.random.default_rng(0).integers(0, 256, (100, 16, 16, 3), np.uint8)


@pytest.fixture(scope="module")
def model() -> Recognizer:
    return recognizer(MeanEngine())


def sampled(given: Sampling | None, **keywords: Any) -> Sampling:
    sampling: Sampling = with_keywords(keywords, given or Sampling(), free=given is None)[0]
    return sampling


@pytest.mark.parametrize(
    ("keywords", "same"),
    [
        ({}, Sampling()),
        ({"stride": 8}, Sampling(clips=SlidingWindows(stride=8))),
        ({"clip_frames": 16, "remainder": "drop"}, Sampling(clips=SlidingWindows(clip_frames=16, remainder="drop"))),
        ({"fps": 10, "start_seconds": 1}, Sampling(fps=10, span=TimeSpan(start_seconds=1))),
        ({"duration_seconds": 2.0}, Sampling(span=TimeSpan(duration_seconds=2.0))),
        ({"chunk_frames": 8}, Sampling(clips=Dense(chunk_frames=8))),
        ({"window_steps": 3, "fps": "native"}, Sampling(clips=Dense(window_steps=3), fps="native")),
        ({"clips": CentreClip()}, Sampling(clips=CentreClip())),
        ({"clips": CentreClip(), "clip_frames": 16}, Sampling(clips=CentreClip(clip_frames=16))),
        ({"span": TimeSpan(start_seconds=1), "duration_seconds": 2}, TimeSpan(start_seconds=1, duration_seconds=2)),
    ],
)
def test_keywords_are_fields_of_options(keywords: dict[str, Any], same: Sampling | TimeSpan) -> None:
    found = sampled(None, **keywords)
    assert (found.span if isinstance(same, TimeSpan) else found) == same


def test_every_field_of_the_options_is_a_keyword() -> None:
    for held in (SlidingWindows(), CentreClip(), Dense(), TimeSpan()):
        for field in fields(held):
            assert isinstance(sampled(None, **{field.name: getattr(held, field.name)}), Sampling)


def test_beside_options_keywords_replace_their_fields() -> None:
    given = Sampling(clips=Dense(window_steps=3), fps=10)
    assert sampled(given, chunk_frames=8) == replace(given, clips=Dense(window_steps=3, chunk_frames=8))
    assert sampled(given, fps=5, clips=SlidingWindows()) == Sampling(fps=5)
    assert given == Sampling(clips=Dense(window_steps=3), fps=10)


@pytest.mark.parametrize(
    ("given", "keywords", "option", "said"),
    [
        (None, {"stride": 8, "chunk_frames": 16}, "chunk_frames", "`chunk_frames` is for Dense, .* go with `stride`"),
        (
            None,
            {"clips": CentreClip(), "stride": 8},
            "stride",
            "`stride` is for SlidingWindows, .* of CentreClip",
        ),
        (Sampling(clips=Dense()), {"clip_frames": 16}, "clip_frames", "for SlidingWindows and CentreClip, .* of Dense"),
        (Sampling(), {"window_steps": 3}, "window_steps", "for Dense, .* of SlidingWindows"),
        (None, {"fps": "12"}, "fps", "fps must be a number"),
        (None, {"stride": 0}, "stride", "must be 1 or more, not 0"),
        (None, {"clips": "centre"}, "clips", "clips must be SlidingWindows"),
    ],
)
def test_what_does_not_go_together_is_refused(
    given: Sampling | None, keywords: dict[str, Any], option: str, said: str
) -> None:
    with pytest.raises(ArchitectureError, match=said) as caught:
        sampled(given, **keywords)
    assert caught.value.option == option


def test_classify_takes_fields_of_sampling_and_of_limits(model: Recognizer, tmp_path: Path) -> None:
    assert [clip.start_seconds for clip in model.classify(FRAMES, stride=20).clips] == [0.0, 0.8]
    (clip,) = model.classify(FRAMES, Sampling(fps=10), clips=CentreClip(), clip_frames=16).clips
    assert (clip.start_seconds, clip.frames) == (4.2, 16)
    path = write_video(tmp_path / "clip.mp4", moving_squares(12))
    with pytest.raises(VideoLimitError):
        model.classify(path, max_frames=5)
    with pytest.raises(VideoLimitError):
        model.classify(path, limits=VideoLimits(max_frames=20), max_frames=5)


def test_features_take_fields_of_their_options_and_of_sampling(model: Recognizer) -> None:
    def same(found: VideoFeatures, options: FeatureOptions) -> bool:
        return np.array_equal(found.values, model.features(FRAMES, options).values)

    wanted = FeatureOptions(pool="space", sampling=Sampling(clips=SlidingWindows(clip_frames=16, stride=40)))
    assert same(model.features(FRAMES, pool="space", clip_frames=16, stride=40), wanted)
    assert same(
        model.features(FRAMES, wanted, stride=50), replace(wanted, sampling=sampled(wanted.sampling, stride=50))
    )
    assert same(model.features(FRAMES, chunk_frames=8), FeatureOptions(sampling=Sampling(clips=Dense(chunk_frames=8))))
    with pytest.raises(ArchitectureError, match="features are taken of all of a video"):
        model.features(FRAMES, clips=CentreClip())


def test_a_stream_takes_fields_of_dense(model: Recognizer) -> None:
    steps = list(model.stream(FRAMES, window_steps=2, duration_seconds=2))
    same = Sampling(clips=Dense(window_steps=2, chunk_frames=8), span=TimeSpan(duration_seconds=2))
    expected = list(model.stream(FRAMES, same))
    np.testing.assert_array_equal([step.logits for step in steps], [step.logits for step in expected])
    for wrong in ({"stride": 8}, {"clips": CentreClip()}):
        with pytest.raises(ArchitectureError, match="Dense"):
            next(model.stream(FRAMES, **wrong))


def test_an_unknown_keyword_is_an_error_that_lists_those_there_are(model: Recognizer) -> None:
    for act in (model.classify, model.features, lambda frames, **keywords: next(model.stream(frames, **keywords))):
        with pytest.raises(
            TypeError, match=r"unknown keyword 'strid' \(did you mean 'stride'\?\); there are .*stride.*max_frames"
        ):
            act(FRAMES, strid=8)  # type: ignore[operator]
    with pytest.raises(TypeError, match="unknown keyword 'pool'"):
        model.classify(FRAMES, pool="all")
    with pytest.raises(TypeError, match=r"'devise' \(did you mean 'device'\?\); there are weights, labels, device,"):
        quovadis.load("rgb-scratch", devise="cuda")


def test_what_is_true_or_false_is_nothing_else(model: Recognizer) -> None:
    for act in (
        model.classify,
        model.features,
        model.stream,
        lambda frames, **options: model.classify_many([frames], **options),
    ):
        for wrong in ("no", 1, None):
            with pytest.raises(ArchitectureError, match=r"^allow_partial must be True or False, not") as caught:
                act(FRAMES, allow_partial=wrong)  # type: ignore[operator]
            assert caught.value.option == "allow_partial"
    assert model.classify(FRAMES, allow_partial=np.True_)  # type: ignore[arg-type]


def test_what_is_called_is_a_function(model: Recognizer) -> None:
    for name in ("on_start", "on_clip"):
        with pytest.raises(ArchitectureError, match=f"^{name} must be a function or None, not 3"):
            model.classify(FRAMES, **{name: 3})  # type: ignore[arg-type]


def test_options_of_another_kind_are_refused(model: Recognizer) -> None:
    for wrong in (CentreClip(), 8, "centre"):
        with pytest.raises(ArchitectureError, match="is no Sampling: give one, or its fields as keywords"):
            model.classify(FRAMES, wrong)  # type: ignore[arg-type]
    with pytest.raises(ArchitectureError, match="Sampling is no FeatureOptions"):
        model.features(FRAMES, Sampling())  # type: ignore[arg-type]
    for held in (
        {"clips": "centre", "clip_frames": 16},
        {"clips": CentreClip, "clip_frames": 16},
        {"clips": None, "stride": 3},
    ):
        with pytest.raises(ArchitectureError, match=r"^clips must be"):
            model.classify(FRAMES, **held)  # type: ignore[arg-type]
    with pytest.raises(ArchitectureError, match="int is no VideoLimits"):
        model.classify(FRAMES, limits=5)  # type: ignore[arg-type]


@pytest.mark.parametrize("clips", [SlidingWindows(), Dense()], ids=["windows", "dense"])
def test_a_part_behind_the_end_of_a_video_is_an_error_that_says_so(
    model: Recognizer, clips: SlidingWindows | Dense
) -> None:
    calls: list[Callable[..., Any]] = [model.classify, model.features]
    if isinstance(clips, Dense):
        calls.append(lambda *given, **keywords: next(model.stream(*given, **keywords)))
    for call in calls:
        with pytest.raises(VideoError, match="no frame lies in the part of the video that was asked for") as caught:
            call(FRAMES, clips=clips, start_seconds=9)
        assert caught.value.option == "start_seconds"
