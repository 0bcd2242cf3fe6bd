"""Options of the wrong type are refused by one line that names them; what is of the right kind is taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import inf, nan
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch

import quovadis
from quovadis import (
    Address,
    ArrayFrames,
    Camera,
    CentreClip,
    Dense,
    FeatureOptions,
    FileObject,
    FrameFolder,
    LocalFile,
    ModelOptions,
    QuovadisError,
    Sampling,
    SlidingWindows,
    TimeSpan,
    VideoError,
    VideoLimits,
)
from quovadis.architecture import check_endpoints
from quovadis.fields import check_path, check_value
from quovadis.fvd import FVDOptions
from quovadis.labels import check_labels
from quovadis.results.timeline import merge_segments
from quovadis.video import discover_videos
from quovadis.video.geometry import Geometry

FRAMES = np.zeros((20, 8, 8, 3), np.uint8)
Make = Callable[..., Any]


@pytest.mark.parametrize(
    ("make", "option", "said"),
    [
        (lambda: Sampling(fps="12"), "fps", "fps must be a number or \"native\", not '12'"),
        (lambda: Sampling(fps=0), "fps", "0 frames per second is out of range"),
        (lambda: Sampling(fps=-1), "fps", "-1 frames per second is out of range"),
        (lambda: Sampling(fps=nan), "fps", "not nan"),
        (lambda: Sampling(fps=None), "fps", "not None"),
        (lambda: Sampling(clips="centre"), "clips", "clips must be SlidingWindows, CentreClip or Dense, not 'centre'"),
        (lambda: Sampling(span=3), "span", "span must be TimeSpan, not 3"),
        (lambda: SlidingWindows(clip_frames=2.5), "clip_frames", "a whole number, not 2.5"),
        (lambda: SlidingWindows(clip_frames=8), "clip_frames", "too short"),
        (lambda: SlidingWindows(stride="8"), "stride", "a whole number or None, not '8'"),
        (lambda: SlidingWindows(stride=True), "stride", "not True"),
        (lambda: SlidingWindows(remainder="rest"), "remainder", 'unknown remainder "rest": choose mixed, loop'),
        (lambda: CentreClip(clip_frames="64"), "clip_frames", "not '64'"),
        (lambda: Dense(chunk_frames=8.0), "chunk_frames", "not 8.0"),
        (lambda: TimeSpan(start_seconds="a"), "start_seconds", "a number, not 'a'"),
        (lambda: TimeSpan(duration_seconds=inf), "duration_seconds", "must be more than 0, and finite"),
        (lambda: ModelOptions(None), "weights", "weights must be text or a path, not None"),
        (lambda: quovadis.load(None), "weights", "weights must be text or a path, not None"),
        (lambda: quovadis.load(weights=5), "weights", "not 5"),
        (lambda: ModelOptions(labels=5), "labels", "labels must be text, a path, a list of text or None, not 5"),
        (lambda: ModelOptions(labels=["a", 5]), "labels", "a list of text"),
        (lambda: ModelOptions(threads="2"), "threads", "threads must be a whole number or None, not '2'"),
        (lambda: ModelOptions(threads=0), "threads", "threads must be 1 or more, not 0"),
        (lambda: ModelOptions(threads=True), "threads", "not True"),
        (lambda: ModelOptions(labels=[*map(str, range(400)), 5]), "labels", "not ('0', '1', '2', '3', '4', '5', ...)"),
        (lambda: ModelOptions(device=""), "device", "device is empty"),
        (
            lambda: quovadis.load("rgb-scratch", calibration=3),
            "calibration",
            "calibration must be a list or None, not 3",
        ),
        (lambda: quovadis.load("rgb-scratch", calibration_fallback=3), "calibration_fallback", "not 3"),
        (lambda: quovadis.load("rgb-scratch", notify=3), "notify", "notify must be a function or None, not 3"),
        (lambda: quovadis.load("rgb-scratch", progress="bar"), "progress", "a function or None, not 'bar'"),
        (lambda: quovadis.load("rgb-scratch", loaded=3), "loaded", "loaded must be Weights or None, not 3"),
        (lambda: quovadis.load("rgb-scratch", needs_labels="no"), "needs_labels", "True or False, not 'no'"),
        (lambda: ModelOptions(device=0), "device", "device must be text, not 0"),
        (lambda: ModelOptions(engine="abacus"), "engine", 'unknown engine "abacus": choose auto, native'),
        (lambda: ModelOptions(precision="f8"), "precision", 'unknown precision "f8": choose f32, f16'),
        (lambda: VideoLimits(max_pixels="x"), "max_pixels", "a whole number, not 'x'"),
        (lambda: VideoLimits(max_seconds=nan), "max_seconds", "not nan"),
        (lambda: LocalFile(3), "path", "path must be text or a path, not 3"),
        (lambda: FrameFolder("frames", extracted="yes"), "extracted", "extracted must be True or False, not 'yes'"),
        (lambda: FrameFolder("frames", frames=3), "frames", "frames must be range or None, not 3"),
        (lambda: Address(3), "address", "address must be text, not 3"),
        (lambda: Camera(0), "device", "device must be text, not 0"),
        (lambda: FileObject("clip.mp4"), "content", "not 'clip.mp4'"),
        (lambda: LocalFile("clip.mp4").open(fps="12"), "fps", "fps must be a number"),
        (lambda: LocalFile("clip.mp4").open(allow_partial="no"), "allow_partial", "must be True or False, not 'no'"),
        (lambda: LocalFile("clip.mp4").open(limits=3), "limits", "limits must be VideoLimits, not 3"),
        (lambda: LocalFile("clip.mp4").count_frames("x"), "fps", "not 'x'"),
        (lambda: ArrayFrames(FRAMES).open(fps="12"), "fps", "fps must be a number"),
        (lambda: ArrayFrames(FRAMES).open(span=3), "span", "span must be TimeSpan, not 3"),
        (lambda: discover_videos(None), "source", "source must be text or a path, not None"),
        (lambda: merge_segments([], None), "threshold", "threshold must be a number, not None"),
        (lambda: merge_segments([], "0.5"), "threshold", "not '0.5'"),
        (lambda: merge_segments([], nan), "threshold", "not nan"),
        (lambda: merge_segments([], -1), "threshold", "threshold must be 0 or more, not -1"),
        (lambda: merge_segments([], 2), "threshold", "threshold must be 1 or less, not 2"),
        (lambda: check_endpoints(None), "endpoints", "endpoints must be a name or a list of names, not None"),
        (lambda: check_endpoints(4), "endpoints", "a list of names, not 4"),
        (lambda: check_endpoints(b"Mixed_4f"), "endpoints", "a list of names, not b'Mixed_4f'"),
        (lambda: check_endpoints(["Mixed_4f", 3]), "endpoints", "no endpoint is called int"),
        (lambda: check_labels(["a", "a"], "labels"), "labels", "stands twice"),
        (lambda: ArrayFrames(FRAMES, rate=0), "rate", "0 frames per second is out of range"),
        (lambda: ArrayFrames(FRAMES, rate=-1), "rate", "-1 frames per second is out of range"),
        (lambda: ArrayFrames(FRAMES, rate=nan), "rate", "not nan"),
        (lambda: FeatureOptions(crops=2), "crops", "crops must be 1, 3, 5 or 10, not 2"),
        (lambda: FeatureOptions(endpoint=None), "endpoint", "endpoint must be text, not None"),
        (lambda: FeatureOptions(endpoint="Mixed"), "endpoint", 'no endpoint is called "Mixed"'),
        (lambda: VideoLimits(max_frames=0), "max_frames", "max_frames must be 1 or more, not 0"),
        (lambda: FeatureOptions(crops=True), "crops", "not True"),
        (lambda: FeatureOptions(pool="most"), "pool", 'unknown pool "most": choose none, space, all'),
        (lambda: FeatureOptions(sampling=CentreClip()), "sampling", "sampling must be Sampling, not CentreClip"),
        (lambda: Sampling(fps=10**400), "fps", 'fps must be a number or "native", not 1000'),
        (lambda: Geometry(crop="224"), "crop", "a whole number or None, not '224'"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_its_option(make: Make, option: str, said: str) -> None:
    with pytest.raises(QuovadisError) as caught:
        make()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.option == option


def test_numbers_of_numpy_become_pythons() -> None:
    windows = SlidingWindows(clip_frames=np.int32(20), stride=np.uint8(5))  # type: ignore[arg-type]
    assert (type(windows.clip_frames), type(windows.stride)) == (int, int)
    sampling = Sampling(clips=windows, fps=np.float32(12.5), span=TimeSpan(start_seconds=np.float64(1)))
    assert repr(sampling.fps) == "12.5"
    assert repr(sampling.span.start_seconds) == "1.0"
    assert Sampling(fps=Fraction(25)).fps == 25.0  # type: ignore[arg-type]
    assert FeatureOptions(crops=np.int64(3)).crops == 3  # type: ignore[arg-type]
    # Numbers of Python stay as they are.
    assert repr(Sampling(fps=25).fps) == "25"
    assert VideoLimits(max_seconds=inf).max_seconds == inf
    assert repr(VideoLimits(max_frames=1e9).max_frames) == "1000000000"  # type: ignore[arg-type]


class Index:
    """A whole number of a type of its own, as array libraries have them."""

    def __index__(self) -> int:
        return 20


@pytest.mark.parametrize(
    "number", [20, np.int64(20), np.array(20), torch.tensor(20), Index()], ids=lambda number: type(number).__name__
)
def test_whole_numbers_are_what_python_takes_as_an_index(number: Any) -> None:
    assert type(SlidingWindows(clip_frames=number).clip_frames) is int
    assert SlidingWindows(clip_frames=number, stride=number) == SlidingWindows(clip_frames=20, stride=20)
    assert Sampling(fps=number) == Sampling(fps=20)


@pytest.mark.parametrize("given", [True, np.True_, np.array(True), torch.tensor(True)], ids=repr)
def test_booleans_are_no_numbers(given: Any) -> None:
    for make in (
        lambda: SlidingWindows(clip_frames=given),
        lambda: Sampling(fps=given),
        lambda: FeatureOptions(crops=given),
    ):
        with pytest.raises(QuovadisError):
            make()


def test_lists_are_held_as_their_field_says() -> None:
    options = FVDOptions(frames=[np.int64(16), 32])  # type: ignore[arg-type]
    assert options == FVDOptions(frames=(16, 32))
    assert [type(one) for one in options.frames] == [int, int]


@pytest.mark.slow
def test_a_device_of_torch_is_taken() -> None:
    assert ModelOptions(device=torch.device("cuda", 1)).device == "cuda:1"
    assert ModelOptions(device=torch.device("cpu", 0)).device == ModelOptions(device="cpu").device == "CPU"


def test_any_list_of_names_is_taken() -> None:
    assert ModelOptions(labels=(name for name in "ab")).labels == ("a", "b")  # type: ignore[arg-type]


def test_a_path_may_be_text_and_is_never_empty(tmp_path: Path) -> None:
    assert check_path("source", str(tmp_path), VideoError) == check_path("source", tmp_path, VideoError) == tmp_path
    for given, said in ((3, "text or a path"), (b"x", "text or a path"), ("", "an empty name"), ("a\0b", "null byte")):
        with pytest.raises(VideoError, match=said) as refused:
            check_path("source", given, VideoError)
        assert refused.value.option == "source"


def test_a_text_in_place_of_a_number_or_a_word_is_told_of_the_number() -> None:
    with pytest.raises(VideoError, match="batch must be a whole number or \"any\", not '2'"):
        check_value("batch", "2", int | Literal["any"], VideoError)
    with pytest.raises(VideoError, match="frames must be a list of whole numbers, not 16"):
        check_value("frames", 16, Sequence[int], VideoError)
