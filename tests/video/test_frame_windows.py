"""Windows of frames by number: all of them right, and no frame held longer than needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quovadis.video import Frame, open_video
from quovadis.video.windows import required_frames, select_windows
from support.synthetic import moving_squares, write_video

WINDOWS = st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=12), min_size=1, max_size=6)


def numbered(numbers: list[int]) -> Iterator[Frame]:
    for number in numbers:
        yield Frame(np.array([number]), number / 25, 1 / 25)


def number_of(frame: Frame) -> int:
    return int(frame.pixels[0])


@given(WINDOWS)
def test_every_window_comes_once_with_its_frames(windows: list[list[int]]) -> None:
    found = {
        w.number: [number_of(f) for f in w.frames] for w in select_windows(numbered(required_frames(windows)), windows)
    }
    assert found == dict(enumerate(windows))


@given(WINDOWS, st.integers(0, 41))
def test_a_video_that_ends_leaves_out_the_windows_that_need_more(windows: list[list[int]], length: int) -> None:
    there = [number for number in required_frames(windows) if number < length]
    found = {window.number for window in select_windows(numbered(there), windows)}
    assert found == {number for number, window in enumerate(windows) if max(window) < length}


@given(WINDOWS)
def test_a_window_comes_as_soon_as_its_last_frame(windows: list[list[int]]) -> None:
    read = -1

    def watched() -> Iterator[Frame]:
        nonlocal read
        for frame in numbered(required_frames(windows)):
            read = number_of(frame)
            yield frame

    for window in select_windows(watched(), windows):
        assert read == max(windows[window.number])


def test_frames_that_are_not_wanted_are_not_converted(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", moving_squares(30))
    with open_video(path, fps="native") as video:
        every = [frame.pixels for frame in video]
    with open_video(path, fps="native") as video:
        some = [frame.pixels for frame in video.frames_where({3, 4, 17}.__contains__)]
    np.testing.assert_array_equal(some, [every[3], every[4], every[17]])
