"""Frames gathered into clips: nothing lost, nothing kept that need not be."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quovadis.video import CentreClip, Clip, Frame, SlidingWindows, sliding_clips


def frames(count: int) -> Iterator[Frame]:
    """Frames of one pixel that holds their number."""
    for place in range(count):
        yield Frame(np.array([[[place % 256, place // 256, 0]]], np.uint8), place / 25, 1 / 25)


def places(clip: Clip) -> list[int]:
    values = clip.pixels[:, 0, 0].astype(int)
    return [int(low + 256 * high) for low, high, _ in values]


def clips(count: int, clip_frames: int, stride: int) -> list[Clip]:
    return list(sliding_clips(frames(count), SlidingWindows(clip_frames=clip_frames, stride=stride)))


COUNTS = st.integers(1, 400)
LENGTHS = st.integers(9, 90)
STRIDES = st.integers(1, 120)


@given(count=COUNTS, clip_frames=LENGTHS, stride=STRIDES)
def test_starts_are_multiples_of_the_stride_and_numbers_run(count: int, clip_frames: int, stride: int) -> None:
    made = clips(count, clip_frames, stride)
    assert [clip.index for clip in made] == list(range(len(made)))
    assert [places(clip)[0] for clip in made] == [stride * clip.index for clip in made]
    assert [clip.start_seconds for clip in made] == pytest.approx([stride * clip.index / 25 for clip in made])


@given(count=COUNTS, clip_frames=LENGTHS, stride=STRIDES)
def test_every_frame_is_in_a_clip_unless_the_stride_passes_over_it(count: int, clip_frames: int, stride: int) -> None:
    seen = {place for clip in clips(count, clip_frames, stride) for place in places(clip)}
    if stride <= clip_frames:
        assert seen == set(range(count))
    else:
        full = [start for start in range(0, count, stride) if start + clip_frames <= count]
        assert seen >= {start + offset for start in full for offset in range(clip_frames)}


@given(count=COUNTS, clip_frames=LENGTHS, stride=STRIDES)
def test_a_clip_is_full_or_looped_to_full_and_only_the_last_has_up_to_8_more(
    count: int, clip_frames: int, stride: int
) -> None:
    made = clips(count, clip_frames, stride)
    assert all(len(clip.pixels) == clip_frames for clip in made[:-1])
    assert clip_frames <= len(made[-1].pixels) <= clip_frames + 8
    for clip in made:
        start = places(clip)[0]
        assert places(clip) == [start + offset % clip.frames for offset in range(len(clip.pixels))]
        assert clip.looped == (clip.frames < clip_frames)
        assert clip.end_seconds == pytest.approx((start + clip.frames) / 25)


@given(count=COUNTS, clip_frames=LENGTHS)
def test_adjoining_clips_have_as_many_as_the_video_holds(count: int, clip_frames: int) -> None:
    whole, rest = divmod(count, clip_frames)
    assert len(clips(count, clip_frames, clip_frames)) == max(whole + (rest >= 9), 1)


@pytest.mark.parametrize(
    ("count", "lengths", "real"),
    [
        (1, [79], [1]),
        (8, [79], [8]),
        (79, [79], [79]),
        (87, [87], [87]),
        (88, [79, 79], [79, 9]),
        (158, [79, 79], [79, 79]),
        (160, [79, 81], [79, 81]),
    ],
)
def test_the_rest_of_a_video_joins_or_is_looped(count: int, lengths: list[int], real: list[int]) -> None:
    made = clips(count, 79, 79)
    assert [len(clip.pixels) for clip in made] == lengths
    assert [clip.frames for clip in made] == real


def test_no_frames_make_no_clip() -> None:
    assert clips(0, 79, 79) == []


def test_a_clip_is_given_as_soon_as_nothing_can_join_it() -> None:
    taken = 0

    def counted() -> Iterator[Frame]:
        nonlocal taken
        for frame in frames(1000):
            taken += 1
            yield frame

    stream = sliding_clips(counted(), SlidingWindows(clip_frames=79, stride=79))
    next(stream)
    assert taken == 79 + 9


@given(count=COUNTS, clip_frames=LENGTHS)
def test_the_centre_leaves_as_much_before_as_after(count: int, clip_frames: int) -> None:
    start, *_ = indices = CentreClip(clip_frames=clip_frames).indices(count)
    assert indices == [start + index % min(count, clip_frames) for index in range(clip_frames)]
    after = count - clip_frames - start
    assert start == 0 if count <= clip_frames else after - start in (0, 1)
