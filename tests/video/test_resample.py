"""Frames at 25 a second, by their timestamps."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from quovadis.video import TimeSpan, open_video
from quovadis.video.frames import DecodedFrame
from quovadis.video.orientation import UPRIGHT
from quovadis.video.resample import resample
from support.synthetic import write_video

PICTURE = cast(av.VideoFrame, None)
"""Resampling looks at times alone."""


def frames_at(times: list[Fraction], last_duration: Fraction) -> list[DecodedFrame]:
    ends = [*times[1:], times[-1] + last_duration]
    return [
        DecodedFrame(PICTURE, Fraction(1), UPRIGHT, start, end - start) for start, end in zip(times, ends, strict=True)
    ]


def shown_places(times: list[Fraction], last_duration: Fraction, fps: Fraction = Fraction(25)) -> list[int]:
    frames = frames_at(times, last_duration)
    shown = list(resample(frames, fps, lambda _: None))
    assert [tick for tick, _ in shown] == list(range(len(shown)))
    return [next(place for place, frame in enumerate(frames) if frame is item.decoded) for item in shown]


TIMES = st.lists(st.fractions(0, 2, max_denominator=1000), max_size=60).map(
    lambda steps: [sum(steps[:count], Fraction(0)) for count in range(len(steps) + 1)]
)


@given(times=TIMES, duration=st.fractions(0, 1, max_denominator=1000))
def test_there_is_a_frame_for_each_tick_up_to_the_end(times: list[Fraction], duration: Fraction) -> None:
    total = (times[-1] + duration) * 25
    expected = max((total + Fraction(1, 2)).__floor__(), 1)
    assert len(shown_places(times, duration)) == expected


@given(times=TIMES, duration=st.fractions(0, 1, max_denominator=1000))
def test_each_tick_shows_the_last_frame_whose_nearest_tick_is_not_after_it(
    times: list[Fraction], duration: Fraction
) -> None:
    ticks = [(time * 25 + Fraction(1, 2)).__floor__() for time in times]
    for tick, place in enumerate(shown_places(times, duration)):
        assert place == max(number for number, own in enumerate(ticks) if own <= tick)


@given(count=st.integers(1, 200), fps=st.sampled_from([Fraction(25), Fraction(30000, 1001), Fraction(10)]))
def test_a_video_of_the_wanted_rate_is_itself(count: int, fps: Fraction) -> None:
    assert shown_places([place / fps for place in range(count)], 1 / fps, fps) == list(range(count))


def test_sixty_frames_a_second_are_thinned_and_ten_repeated() -> None:
    sixty = shown_places([Fraction(place, 60) for place in range(60)], Fraction(1, 60))
    assert len(sixty) == 25
    assert len(set(sixty)) == 25
    ten = shown_places([Fraction(place, 10) for place in range(4)], Fraction(1, 10))
    assert ten == [0, 0, 0, 1, 1, 2, 2, 2, 3, 3]


@pytest.mark.parametrize(
    ("name", "decoded", "resampled"),
    [
        ("archery.avi", 131, 131),
        ("arm_wrestling.mp4", 280, 250),
        ("clean_and_jerk.mp4", 355, 452),
        ("horse_riding.gif", 33, 123),
        ("sign_language_thanks.mkv", 51, 43),
    ],
)
def test_real_clips_come_out_as_long_as_they_are(assets: Path, name: str, decoded: int, resampled: int) -> None:
    with open_video(assets / "clips" / name) as video:
        frames = list(video)
        assert len(frames) == resampled
        assert video.report.frames_decoded == decoded
    assert [frame.pts_seconds for frame in frames] == pytest.approx([place / 25 for place in range(resampled)])
    with open_video(assets / "clips" / name, fps="native") as video:
        assert sum(1 for _ in video) == decoded


def brightness(value: int) -> NDArray[np.uint8]:
    return np.full((64, 64, 3), value, np.uint8)


def test_a_variable_frame_rate_shows_each_picture_for_its_own_time(tmp_path: Path) -> None:
    values, times = [20, 80, 140, 200, 250], [0, 100, 120, 520, 1000]
    path = write_video(
        tmp_path / "clip.mkv",
        [brightness(value) for value in values],
        timestamps=times,
        time_base=Fraction(1, 1000),
        options={"bf": "0"},
    )
    with open_video(path) as video:
        levels = [int(frame.pixels.mean()) for frame in video]
    expected = [values[max(p for p, t in enumerate(times) if round(t / 40 + 1e-9) <= tick)] for tick in range(25)]
    np.testing.assert_allclose(levels[:25], expected, atol=4)


def test_frames_that_are_not_shown_are_not_converted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from quovadis.video.geometry import FrameConverter

    converted = 0
    convert = FrameConverter.convert

    def count(*arguments: object) -> NDArray[np.uint8]:
        nonlocal converted
        converted += 1
        return convert(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(FrameConverter, "convert", count)
    path = write_video(tmp_path / "clip.mp4", [brightness(place) for place in range(120)], rate=60)
    with open_video(path) as video:
        assert sum(1 for _ in video) == 50
    assert converted == 50


def test_a_part_is_cut_out_by_time(assets: Path) -> None:
    with open_video(assets / "clips" / "archery.avi", span=TimeSpan(start_seconds=2.0, duration_seconds=1.0)) as video:
        seconds = [frame.pts_seconds for frame in video]
    assert seconds == pytest.approx([2.0 + place / 25 for place in range(25)])
