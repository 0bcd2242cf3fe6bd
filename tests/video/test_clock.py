"""Times of frames from timestamps that jump, are missing, or are wrong."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quovadis.video.clock import JUMP_SECONDS, STEP_BACK_SECONDS, FrameClock, PacketClock

BASE = Fraction(1, 90_000)
FRAME = 3600
"""Ticks of a frame at 25 a second."""


def packet(dts: int | None, pts: int | None = None, duration: int | None = FRAME) -> Any:
    return SimpleNamespace(dts=dts, pts=dts if pts is None else pts, duration=duration)


def corrected(times: list[int]) -> tuple[list[int], PacketClock]:
    clock = PacketClock(BASE, Fraction(1, 25))
    packets = [packet(time) for time in times]
    for each in packets:
        clock.correct(each)
    return [each.dts for each in packets], clock


def frame(pts: int | None, dts: int | None, duration: int = 1) -> Any:
    return SimpleNamespace(pts=pts, dts=dts, duration=duration)


def stamps(frames: list[Any]) -> list[float]:
    clock = FrameClock(Fraction(1, 25), Fraction(1, 25))
    return [float(clock.stamp(each)[0] * 25) for each in frames]


class TestClocksThatJump:
    def test_a_steady_clock_is_left_alone(self) -> None:
        times = [126_000 + FRAME * number for number in range(50)]
        assert corrected(times)[0] == times
        assert corrected(times)[1].jumps == 0

    @pytest.mark.parametrize("second_start", [0, 126_000, 126_000 + 3600 * 20, 10_000_000, 1 << 32])
    def test_a_recording_that_follows_goes_on_where_the_first_one_ended(self, second_start: int) -> None:
        first = [126_000 + FRAME * number for number in range(50)]
        second = [second_start + FRAME * number for number in range(50)]
        times, clock = corrected(first + second)
        assert times == [126_000 + FRAME * number for number in range(100)]
        assert clock.jumps == 1
        assert clock.first_jump_seconds == pytest.approx(2.0)

    def test_a_gap_that_is_no_longer_than_the_threshold_is_a_gap(self) -> None:
        gap = int(JUMP_SECONDS / BASE)
        times, clock = corrected([0, FRAME, 2 * FRAME + gap])
        assert times == [0, FRAME, 2 * FRAME + gap]
        assert clock.jumps == 0
        times, clock = corrected([0, FRAME, 2 * FRAME + gap + 1])
        assert times == [0, FRAME, 2 * FRAME]
        assert clock.jumps == 1

    def test_packets_a_little_out_of_order_are_no_new_recording(self) -> None:
        back = int(STEP_BACK_SECONDS / BASE)
        assert corrected([0, 5 * FRAME, 5 * FRAME - back])[1].jumps == 0
        assert corrected([0, 5 * FRAME, 5 * FRAME - back - 1])[1].jumps == 1

    def test_presentation_times_move_with_decoding_times(self) -> None:
        clock = PacketClock(BASE, Fraction(1, 25))
        packets = [packet(0, 2 * FRAME), packet(50_000_000, 50_000_000 + 3 * FRAME), packet(None, 50_000_000)]
        for each in packets:
            clock.correct(each)
        assert [each.pts for each in packets] == [2 * FRAME, 4 * FRAME, FRAME]

    @given(st.lists(st.integers(0, 1 << 33), min_size=1, max_size=60))
    def test_whatever_the_clock_does_time_never_leaps(self, times: list[int]) -> None:
        found, _ = corrected(times)
        for before, after in pairwise(found):
            assert after >= before - STEP_BACK_SECONDS / BASE
            assert after <= before + FRAME + JUMP_SECONDS / BASE


class TestFrames:
    def test_presentation_times_are_taken_where_they_are_right(self) -> None:
        assert stamps([frame(10, 8), frame(11, 9), frame(13, 10), frame(14, 11)]) == [0, 1, 3, 4]

    def test_without_presentation_times_as_in_avi_decoding_times_are_taken_and_the_last_frames_follow(self) -> None:
        assert stamps([frame(None, 2), frame(None, 3), frame(None, 5), frame(None, None)]) == [0, 1, 3, 4]

    def test_presentation_times_that_keep_going_back_are_not_trusted(self) -> None:
        wrong = [0, 2, 1, 4, 3, 6, 5, 8, 7]
        found = stamps([frame(pts, dts) for dts, pts in enumerate(wrong)])
        assert found[3:] == list(range(3, 9))

    def test_no_times_at_all_are_a_frame_after_a_frame(self) -> None:
        assert stamps([frame(None, None)] * 4) == [0, 1, 2, 3]

    @given(st.lists(st.tuples(st.none() | st.integers(0, 99), st.none() | st.integers(0, 99)), max_size=40))
    def test_times_begin_at_0_and_never_go_back(self, times: list[tuple[int | None, int | None]]) -> None:
        found = stamps([frame(pts, dts) for pts, dts in times])
        assert found == sorted(found)
        assert not found or found[0] == 0
