"""Which frames become features: windows as v-iashin/video_features cuts them, windows as `classify` does, and steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from quovadis.errors import VideoError
from quovadis.features import PRESETS, FeatureOptions, FeatureRow, feature_rows, video_features
from quovadis.inference.feature_options import like_video_features
from quovadis.video import (
    Clip,
    Dense,
    Frame,
    Sampling,
    SlidingWindows,
    TimeSpan,
    VideoLimits,
    sliding_clips,
)
from support.fake_engine import MeanEngine
from support.numbered_frames import numbered_frames, numbers
from support.synthetic import ORIENTATIONS, as_stored, moving_squares, set_display_matrix, write_video
from support.video_features import as_the_original_does, opencv_frames, resized_and_cropped

LENGTHS = range(60, 401)


def uneven(length: int) -> list[float]:
    """Times of frames that no rate explains: an end is then the time of one certain frame and no other."""
    return [0.04 * i + 0.0001 * i * i for i in range(length)]


def full_windows(frames: Iterable[Frame], size: int, stride: int, ahead: int) -> Iterator[Clip]:
    windows = SlidingWindows(clip_frames=size, stride=stride, remainder="drop", lookahead_frames=ahead)
    return sliding_clips(frames, windows)


# --- full windows -----------------------------------------------------------------------------------------------------


def test_stacks_of_64_are_those_of_video_features_at_every_length() -> None:
    for length in LENGTHS:
        times = uneven(length)
        made = list(full_windows(numbered_frames(length, seconds=times), 64, 64, 1))
        expected = as_the_original_does(length, 64, 64)
        assert len(made) == (length - 1) // 64, length
        assert [numbers(clip.pixels) for clip in made] == [frames for frames, _ in expected], length
        assert [clip.index for clip in made] == list(range(len(expected)))
        assert [clip.start_seconds for clip in made] == [times[frames[0]] for frames, _ in expected]
        assert [clip.end_seconds for clip in made] == [times[following] for _, following in expected]
        assert not any(clip.looped for clip in made)


@given(data=st.data(), stack=st.integers(9, 40), length=st.integers(0, 200))
def test_other_stacks_and_steps_are_those_of_video_features_too(data: st.DataObject, stack: int, length: int) -> None:
    step = data.draw(st.integers(1, stack + 1))
    times = uneven(length)
    made = full_windows(numbered_frames(length, seconds=times), stack, step, 1)
    assert [(numbers(clip.pixels), clip.end_seconds) for clip in made] == [
        (frames, times[following]) for frames, following in as_the_original_does(length, stack, step)
    ]


@given(size=st.integers(9, 40), stride=st.integers(1, 100), ahead=st.integers(0, 12), length=st.integers(0, 300))
def test_a_window_counts_if_it_and_what_must_follow_it_are_there(
    size: int, stride: int, ahead: int, length: int
) -> None:
    times = uneven(length)
    frames = numbered_frames(length, seconds=times)
    made = list(full_windows(frames, size, stride, ahead))
    starts = [start for start in range(0, length, stride) if start + size + ahead <= length]
    assert [numbers(clip.pixels) for clip in made] == [list(range(start, start + size)) for start in starts]
    for clip, start in zip(made, starts, strict=True):
        # Where no frame need follow, a window ends with its last frame.
        end = times[start + size] if ahead else times[start + size - 1] + 0.04
        assert clip.end_seconds == end


def test_full_windows_hold_no_more_frames_than_a_window_and_what_follows_it() -> None:
    taken = 0

    def endless() -> object:
        nonlocal taken
        while True:
            yield numbered_frames(1)[0]
            taken += 1

    windows = full_windows(endless(), 64, 64, 1)  # type: ignore[arg-type]
    next(windows)
    assert taken == 64
    next(windows)
    assert taken == 128


def test_the_preset_gives_1024_values_a_stack_and_refuses_what_has_none() -> None:
    for length in LENGTHS:
        engine = MeanEngine()
        rows = feature_rows(engine, numbered_frames(length), PRESETS["video_features"], name="clip.mp4")
        if length < 65:
            with pytest.raises(VideoError, match=f"clip.mp4: {length} frames are too few: features need 65"):
                next(rows)
            assert not engine.clips
            continue
        made = list(rows)
        assert len(made) == (length - 1) // 64
        for place, row in enumerate(made):
            assert row.values.shape == (1024,)
            assert row.values.dtype == np.float32
            assert list(row.values[1:4]) == [64 * place, 64 * place + 63, 64]


# --- the preset on a file ---------------------------------------------------------------------------------------------


@cache
def smooth_pictures(frames: int, width: int, height: int) -> list[NDArray[np.uint8]]:
    """Waves that move: no edge at which two scalers would have to differ."""
    y, x = np.mgrid[:height, :width]
    return [
        np.stack(
            [
                127 + 100 * np.sin((x + 3 * k) / 40),
                127 + 100 * np.cos((y - k) / 30),
                127 + 100 * np.sin((x + y + k) / 50),
            ],
            -1,
        )
        .round()
        .astype(np.uint8)
        for k in range(frames)
    ]


# 347.7 and 353.8 pixels long once scaled, so that rounding and truncating differ; landscape and portrait. The rest of
# 347 less 224 is odd, so that it matters on which side of the picture as shown the smaller half is cut off.
@pytest.mark.parametrize(
    ("turned", "width", "height", "stack"),
    [
        # Which way it is turned has nothing to do with how many frames a stack has.
        ("upright", 326, 240, 64),
        ("upright", 246, 340, 16),
        ("quarter turn right", 326, 240, 16),
        ("half turn", 246, 340, 16),
        ("quarter turn left", 246, 340, 16),
        *(
            pytest.param(*one, marks=pytest.mark.soak)
            for one in (
                ("upright", 246, 340, 64),
                ("quarter turn right", 246, 340, 16),
                ("half turn", 326, 240, 16),
                ("quarter turn left", 326, 240, 16),
            )
        ),
    ],
)
def test_a_file_gives_the_stacks_times_and_pixels_that_opencv_and_pillow_give(
    tmp_path: Path, turned: str, width: int, height: int, stack: int
) -> None:
    orientation = ORIENTATIONS[turned]
    options = PRESETS["video_features"] if stack == 64 else like_video_features(stack, stack)
    stored = (as_stored(picture, orientation) for picture in smooth_pictures(2 * stack + 2, width, height))
    path = write_video(tmp_path / "v.mp4", stored, rate=Fraction(98, 5), pixel_format="yuv444p", options={"crf": "4"})
    set_display_matrix(path, orientation)
    engine = MeanEngine()
    made = video_features(engine, path, options)
    pictures, times, rate = opencv_frames(path)
    assert len(pictures) == 2 * stack + 2
    assert pictures[0].shape == (height, width, 3)
    assert made.values.shape == (2, 1024)
    assert made.values.dtype == np.float32
    assert made.frames_per_second == pytest.approx(rate, abs=1e-9)
    np.testing.assert_allclose(made.end_seconds * 1000, [times[stack], times[2 * stack]], atol=1e-6)
    np.testing.assert_allclose(made.start_seconds * 1000, [times[0], times[stack]], atol=1e-6)
    for clip, first in zip(engine.clips, (0, stack), strict=True):
        for place in (0, stack // 2 - 1, stack - 1):
            np.testing.assert_array_equal(clip[place], resized_and_cropped(pictures[first + place]))


@pytest.mark.parametrize("name", ["archery.avi", "arm_wrestling.mp4", "clean_and_jerk.mp4"])
def test_of_real_clips_pixels_are_what_opencv_and_pillow_give(name: str, assets: Path) -> None:
    engine = MeanEngine()
    video_features(engine, assets / "clips" / name, like_video_features(16, 16))
    pictures = [resized_and_cropped(picture) for picture in opencv_frames(assets / "clips" / name)[0]]
    assert len(engine.clips) == (len(pictures) - 1) // 16
    for number, clip in enumerate(engine.clips):
        np.testing.assert_array_equal(clip, pictures[16 * number : 16 * number + 16])


# Halved, quartered, interlaced by half, deep and full-range colours, odd sides, other matrices, an alpha channel: where
# chroma has to be interpolated, where OpenCV has a conversion of its own, and where it takes another one of FFmpeg's.
@pytest.mark.parametrize("size", [(64, 48), (51, 39)], ids=["even", "odd"])
@pytest.mark.parametrize(
    ("codec", "pixel_format"),
    [
        *(("ffv1", name) for name in ("yuv420p", "yuv410p", "yuv411p", "yuv440p", "yuv422p10le", "yuv420p10le")),
        *(("ffv1", name) for name in ("yuv444p12le", "gray", "gray10le", "yuva420p", "bgr0")),
        ("mjpeg", "yuvj422p"),
    ],
)
def test_pixels_of_every_format_are_what_opencv_and_pillow_give(
    codec: str, pixel_format: str, size: tuple[int, int], tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    noise = [random.integers(0, 256, (size[1], size[0], 3), np.uint8) for _ in range(10)]
    path = write_video(tmp_path / "v.mkv", noise, codec=codec, pixel_format=pixel_format)
    engine = MeanEngine()
    video_features(engine, path, like_video_features(9, 9))
    for ours, theirs in zip(engine.clips[0], opencv_frames(path, 9)[0], strict=True):
        np.testing.assert_array_equal(ours, resized_and_cropped(theirs))


@pytest.mark.parametrize("colorspace", [1, 5, 9], ids=["BT.709", "BT.601", "BT.2020"])
@pytest.mark.parametrize("full_range", [False, True])
def test_pixels_of_every_matrix_are_what_opencv_and_pillow_give(
    colorspace: int, full_range: bool, tmp_path: Path
) -> None:
    path = write_video(tmp_path / "v.mp4", smooth_pictures(10, 64, 48), colorspace=colorspace, full_range=full_range)
    engine = MeanEngine()
    video_features(engine, path, like_video_features(9, 9))
    np.testing.assert_array_equal(engine.clips[0][4], resized_and_cropped(opencv_frames(path, 9)[0][4]))


def test_frames_in_memory_are_scaled_as_those_of_a_file(tmp_path: Path) -> None:
    pictures = smooth_pictures(10, 326, 240)
    engine = MeanEngine()
    video_features(engine, np.stack(pictures), like_video_features(9, 9))
    for ours, picture in zip(engine.clips[0], pictures[:9], strict=True):
        np.testing.assert_array_equal(ours, resized_and_cropped(picture))


def test_samples_are_taken_for_square_and_a_prepared_picture_is_scaled_all_the_same(tmp_path: Path) -> None:
    pictures = smooth_pictures(66, 224, 224)
    options = {"crf": "4"}
    path = write_video(
        tmp_path / "v.mp4", pictures, aspect_ratio=Fraction(4, 3), pixel_format="yuv444p", options=options
    )
    engine = MeanEngine()
    video_features(engine, path, PRESETS["video_features"])
    expected = resized_and_cropped(opencv_frames(path)[0][0]).astype(int)
    np.testing.assert_array_equal(engine.clips[0][0], expected)


# --- windows as classify takes them -----------------------------------------------------------------------------------


def rows_of(length: int, **options: object) -> tuple[list[FeatureRow], MeanEngine]:
    engine = MeanEngine()
    chosen = FeatureOptions(**options)  # type: ignore[arg-type]
    return list(feature_rows(engine, numbered_frames(length), chosen)), engine


@given(length=st.integers(1, 120), stride=st.integers(1, 40))
def test_windows_are_those_of_classify(length: int, stride: int) -> None:
    rows, engine = rows_of(length, sampling=Sampling(clips=SlidingWindows(clip_frames=16, stride=stride)))
    clips = list(sliding_clips(numbered_frames(length), SlidingWindows(clip_frames=16, stride=stride)))
    assert [numbers(clip) for clip in engine.clips] == [numbers(clip.pixels) for clip in clips]
    for row, clip in zip(rows, clips, strict=True):
        assert (row.start_seconds, row.end_seconds) == (clip.start_seconds, clip.end_seconds)
        assert row.looped == clip.looped


@pytest.mark.parametrize("pool", ["space", "none"])
@given(length=st.integers(1, 120), stride=st.integers(1, 40))
def test_rows_that_show_a_windows_length_have_one_shape_for_which_a_short_rest_is_left_out(
    pool: str, length: int, stride: int
) -> None:
    rows, engine = rows_of(length, sampling=Sampling(clips=SlidingWindows(clip_frames=16, stride=stride)), pool=pool)
    assert {row.values.shape for row in rows} == {(1, 1024) if pool == "space" else (2, 7, 7, 1024)}
    clips = list(sliding_clips(numbered_frames(length), SlidingWindows(clip_frames=16, stride=stride)))
    assert [numbers(clip) for clip in engine.clips] == [numbers(clip.pixels[:16]) for clip in clips]
    for row, clip in zip(rows, clips, strict=True):
        real = min(clip.frames, 16)
        assert row.start_seconds == clip.start_seconds
        assert row.end_seconds == pytest.approx(clip.start_seconds + real / 25)


@pytest.mark.parametrize(
    ("length", "looped", "note"),
    [
        (5, [True], "shorter than a window: looped to 16 frames"),
        (15, [True], "shorter than a window: looped to 16 frames"),
        (16, [False], None),
        (24, [False], None),
        (25, [False, True], "the last window is not full: its frames were looped"),
        (31, [False, True], "the last window is not full: its frames were looped"),
        (32, [False, False], None),
    ],
)
def test_a_video_whose_frames_are_looped_says_so(length: int, looped: list[bool], note: str | None) -> None:
    options = FeatureOptions(sampling=Sampling(clips=SlidingWindows(clip_frames=16)))
    rows, _ = rows_of(length, sampling=options.sampling)
    assert [row.looped for row in rows] == looped
    made = video_features(MeanEngine(), np.zeros((length, 224, 224, 3), np.uint8), options)
    assert made.notes == (() if note is None else (note,))


# --- dense ------------------------------------------------------------------------------------------------------------


def test_the_papers_preset_has_a_step_for_every_8_frames_at_every_length() -> None:
    for length in LENGTHS:
        engine = MeanEngine()
        rows = list(feature_rows(engine, numbered_frames(length), PRESETS["i3d"]))
        # Frames 0..14 make the first step, each 8 more another; what is left is held to a full one.
        assert len(rows) == -(-(length - 15) // 8) + 1, length
        assert engine.pushed == 15 + 8 * (len(rows) - 1), length
        # A step is of the frames around its middle; the first and last reach to the ends.
        starts = [0, *((8 * place + 4) / 25 for place in range(1, len(rows)))]
        assert [row.start_seconds for row in rows] == pytest.approx(starts), length
        assert [row.end_seconds for row in rows] == pytest.approx([*starts[1:], length / 25]), length
        assert {row.values.shape for row in rows} == {(1024,)}
        assert not any(row.looped for row in rows)


@pytest.mark.parametrize("length", [1, 14, 15, 16, 56, 80, 200])
def test_dense_mode_has_a_row_for_every_8_frames_and_says_where_it_looped(length: int) -> None:
    engine = MeanEngine()
    rows = list(feature_rows(engine, numbered_frames(length), PRESETS["i3d"]))
    held = max(-(-(length + 1) // 8) * 8 - 1, 15)
    assert len(rows) == (held + 1) // 8 - 1
    assert all(row.values.shape == (1024,) for row in rows)
    assert [row.looped for row in rows] == [length < 15] * len(rows)
    assert rows[-1].end_seconds == pytest.approx(length / 25)


def test_a_dense_video_that_is_looped_says_so() -> None:
    pixels = np.zeros((15, 224, 224, 3), np.uint8)
    assert video_features(MeanEngine(), pixels[:14], PRESETS["i3d"]).notes == (
        "shorter than 15 frames, which make one step: looped",
    )
    assert video_features(MeanEngine(), pixels, PRESETS["i3d"]).notes == ()


def test_the_papers_preset_resamples_to_25_frames_a_second(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", moving_squares(60, 64, 48), rate=50)
    engine = MeanEngine()
    made = video_features(engine, path, PRESETS["i3d"])
    # 60 frames at 50 a second are 30 at 25, held to 31: three steps.
    assert made.values.shape == (3, 1024)
    assert made.frames_per_second == 25
    assert [len(clip) for clip in engine.clips] == [31]


# --- what cannot be ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clips", [SlidingWindows(), Dense()])
def test_a_part_without_frames_is_an_error_and_not_an_empty_array(
    clips: SlidingWindows | Dense, tmp_path: Path
) -> None:
    sampling = Sampling(clips=clips, span=TimeSpan(start_seconds=60))
    path = write_video(tmp_path / "v.mp4", moving_squares(20, 64, 48))
    for source in (path, np.zeros((20, 224, 224, 3), np.uint8)):
        with pytest.raises(VideoError, match="no frame lies in the part of the video that was asked for"):
            video_features(MeanEngine(), source, FeatureOptions(sampling=sampling))


def test_limits_hold(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", moving_squares(70, 64, 48))
    with pytest.raises(VideoError, match="`max_frames`"):
        video_features(MeanEngine(), path, PRESETS["video_features"], limits=VideoLimits(max_frames=60))
