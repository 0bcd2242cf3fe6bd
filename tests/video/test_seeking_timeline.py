"""Frames found by seeking are those that reading from the beginning gives, or are read from the beginning."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from quovadis.errors import TruncatedVideoError, VideoError
from quovadis.video import Frame, FrameFolder, LocalFile, SourceReader, TimeSpan, Video, VideoSource, clips_at
from quovadis.video.file_decoder import FileDecoder
from quovadis.video.frames import DecodedFrame
from quovadis.video.orientation import UPRIGHT
from quovadis.video.resample import resample
from quovadis.video.seeking import chosen_frames, frames_at
from quovadis.video.timeline import KeyFrame, KnownTimelines, SeekError, Timeline, timeline_of_packets
from support.synthetic import ORIENTATIONS, as_stored, moving_squares, set_display_matrix, write_video

RATES = ("native", 30)
B_FRAMES = {"g": "12", "bf": "3"}


def written(folder: Path, name: str) -> Path:
    """Write one of the videos that frames are looked for in."""
    path, pictures = folder / f"{name}.mp4", list(moving_squares(50, 96, 64))
    if name == "b-frames":
        return write_video(path, pictures, options=B_FRAMES)
    if name == "19.6 fps":
        return write_video(path, pictures, rate=Fraction(98, 5), options=B_FRAMES)
    if name == "30 fps in mkv":
        return write_video(path.with_suffix(".mkv"), pictures, rate=30, options=B_FRAMES)
    if name == "open groups":
        return write_video(path, pictures, options={"x264-params": "open-gop=1:keyint=12:bframes=3"})
    if name == "variable rate":
        times = np.cumsum([1 + number * number % 5 for number in range(50)]).tolist()
        return write_video(path, pictures, timestamps=times, time_base=Fraction(1, 60), options=B_FRAMES)
    orientation = ORIENTATIONS["quarter turn left"]
    stored = [as_stored(picture, orientation) for picture in pictures]
    path = write_video(path, stored, options=B_FRAMES)
    set_display_matrix(path, orientation)
    return path


def sequential(source: VideoSource, **view: object) -> list[Frame]:
    with source.open(**view) as video:  # type: ignore[arg-type]
        return list(video)


def assert_same(found: list[Frame], expected: list[Frame]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
        assert one[1:] == other[1:]


def no_reading(*arguments: object) -> None:
    raise AssertionError("read from the beginning")


NAMES = ("b-frames", "19.6 fps", "30 fps in mkv", "open groups", "variable rate", "turned")


@pytest.mark.parametrize("name", NAMES)
def test_frames_by_seeking_are_the_same_at_every_rate(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = LocalFile(written(tmp_path, name))
    expected = {fps: sequential(source, fps=fps) for fps in RATES}
    monkeypatch.setattr(Video, "frames_where", no_reading)
    for fps, frames in expected.items():
        with source.open(fps=fps) as video:
            timeline = video.timeline()
            assert timeline is not None
            assert video.indexed_count(timeline) == len(frames)
        for start in range(0, len(frames), 11):
            indices = [*range(start, min(start + 3, len(frames))), *range(start + 20, len(frames), 13)]
            assert_same(list(frames_at(source, indices, fps=fps)), [frames[index] for index in indices])


def test_no_frame_before_the_key_frame_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = LocalFile(
        write_video(tmp_path / "v.mp4", moving_squares(60, 96, 64), options={"g": "10", "sc_threshold": "0"})
    )
    shown: list[int] = []

    class Counted(FileDecoder):
        def _shown(self, frames: list[av.VideoFrame], key: KeyFrame) -> Iterator[av.VideoFrame]:
            for frame in super()._shown(frames, key):
                shown.append(frame.pts or 0)
                yield frame

    monkeypatch.setattr("quovadis.video.sources.FileDecoder", Counted)
    assert len(list(frames_at(source, [33, 57], fps="native"))) == 2
    assert len(shown) == (33 - 30 + 1) + (57 - 50 + 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["clean_and_jerk.mp4", "sign_language_thanks.mkv"])
def test_real_videos_are_the_same_by_seeking(name: str, assets: Path) -> None:
    source = LocalFile(assets / "clips" / name)
    frames = sequential(source)
    for start in (0, len(frames) // 3, len(frames) - 5):
        indices = list(range(start, start + 5))
        with source.open() as video:
            timeline = video.timeline()
            assert timeline is not None
            assert_same(list(video.frames_at(timeline, indices)), frames[start : start + 5])


FALSE: dict[str, Callable[[Timeline], Timeline]] = {
    "a frame more": lambda line: replace(line, pts=np.sort(np.append(line.pts, line.pts[20] + 1))),
    "a frame less": lambda line: replace(line, pts=np.delete(line.pts, 20)),
    "no such key frame": lambda line: replace(line, keys=(*line.keys[:1], KeyFrame(15, *line.keys[0][1:]))),
    "a key frame that is none": lambda line: replace(
        line, keys=(*line.keys[:1], KeyFrame(15, int(line.pts[15]), int(line.pts[15])))
    ),
}


@pytest.mark.parametrize("name", FALSE)
def test_where_the_packets_are_wrong_all_is_read(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = LocalFile(written(tmp_path, "b-frames"))
    frames = sequential(source, fps="native")
    true = FileDecoder.timeline
    monkeypatch.setattr(FileDecoder, "timeline", lambda self: FALSE[name](true(self)))
    indices = [4, 17, 25, 40]
    assert_same(list(frames_at(source, indices, fps="native")), [frames[index] for index in indices])
    found = chosen_frames(SourceReader(source), lambda count: [count - 10, 3, 3], lambda: len(frames), fps="native")
    assert found[1] is found[2]
    assert len(found) == 3


def test_frames_beyond_the_end_are_left_out(tmp_path: Path) -> None:
    source = LocalFile(written(tmp_path, "b-frames"))
    assert len(list(frames_at(source, [10, 49, 50, 90], fps="native"))) == 2
    assert [clip.index for clip in clips_at(source, [[48, 50], [3, 2]], fps="native")] == [1]


def test_a_cut_off_file_says_so_where_it_is_read(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mkv", moving_squares(50, 96, 64), options=B_FRAMES)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    with LocalFile(path).open() as video:
        assert video.timeline() is None
    with pytest.raises(TruncatedVideoError):
        list(frames_at(LocalFile(path), [45]))


def test_what_tells_no_times_is_read_from_the_beginning(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.avi", moving_squares(30, 96, 64), codec="mpeg4")
    frames = sequential(LocalFile(path))
    with LocalFile(path).open() as video:
        assert video.timeline() is None
    assert_same(list(frames_at(LocalFile(path), [3, 20])), [frames[3], frames[20]])


def test_partial_videos_and_parts_of_videos_are_read_from_the_beginning(tmp_path: Path) -> None:
    source = LocalFile(written(tmp_path, "b-frames"))
    with source.open(allow_partial=True) as video:
        assert not video.may_seek
    with source.open(span=TimeSpan(start_seconds=0.5)) as video:
        assert not video.may_seek


def test_images_are_read_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, picture in enumerate(moving_squares(12, 64, 48)):
        Image.fromarray(picture).save(tmp_path / f"image_{number + 1:05}.png")
    (tmp_path / "image_00003.png").write_bytes(b"no image")
    monkeypatch.setattr(Video, "frames_where", no_reading)
    source = FrameFolder(tmp_path)
    assert [frame.pts_seconds for frame in frames_at(source, [5, 9], fps="native")] == [5 / 25, 9 / 25]
    with source.open() as video:
        timeline = video.timeline()
        assert timeline is not None
        with pytest.raises(SeekError):
            list(video.frames_at(timeline, [2]))


class _NoFrame:
    """In the place of a decoded frame, whose pixels play no part."""


@given(
    steps=st.lists(st.integers(1, 90), min_size=1, max_size=40),
    fps=st.sampled_from([Fraction(25), Fraction(30), Fraction(98, 5), Fraction(1)]),
    phase=st.fractions(0, 1, max_denominator=100),
    last=st.integers(1, 90),
)
def test_ticks_are_those_of_resampling(steps: list[int], fps: Fraction, phase: Fraction, last: int) -> None:
    time_base = Fraction(1, 90)
    pts = np.cumsum([7, *steps])
    timeline = Timeline(pts, time_base, last * time_base, phase)
    durations = [*((b - a) for a, b in pairwise(pts.tolist())), last]
    frames = [
        DecodedFrame(_NoFrame(), Fraction(1), UPRIGHT, int(time - pts[0]) * time_base, duration * time_base)  # type: ignore[arg-type]
        for time, duration in zip(pts, durations, strict=True)
    ]
    shown = list(resample(frames, fps, lambda tick: None, lambda: phase))
    assert timeline.count(fps) == len(shown)
    expected = [next(i for i, frame in enumerate(frames) if frame is tick.decoded) for tick in shown]
    assert timeline.ordinals(range(len(shown)), fps) == expected


def test_packets_that_do_not_tell_make_no_timeline() -> None:
    base, second = Fraction(1, 25), Fraction(1)
    frames, keys = [(2, 1), (0, 1), (1, 1)], [(0, -1)]
    timeline = timeline_of_packets(frames, keys, base, base, None)
    assert timeline is not None
    assert timeline.pts.tolist() == [0, 1, 2]
    assert timeline.last_seconds == base
    assert timeline_of_packets([*frames, (1, 1)], keys, base, second, None) is None
    assert timeline_of_packets(frames, [], base, second, None) is None
    assert timeline_of_packets([], keys, base, second, None) is None
    assert timeline_of_packets(frames, [(1, 0)], base, second, None) is None


def test_known_timelines_stay_within_their_memory() -> None:
    known, reads = KnownTimelines(max_frames=250), []

    def of(state: str) -> Timeline | None:
        def read() -> Timeline:
            reads.append(state)
            return Timeline(np.arange(100), Fraction(1), Fraction(1))

        return known.get(state, read)

    assert of("a") is of("a")
    for state in "bac":
        of(state)
    of("a")
    of("b")
    assert reads == ["a", "b", "c", "b"]


def test_a_video_with_fewer_frames_than_counted_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.avi", moving_squares(20, 96, 64), codec="mpeg4")
    with pytest.raises(VideoError, match="fewer frames"):
        chosen_frames(SourceReader(LocalFile(path)), lambda count: [count - 1], lambda: 30, fps="native")
