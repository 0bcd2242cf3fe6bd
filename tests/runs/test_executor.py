"""Several videos in work at once: each finished one comes out, errors where they belong, and nothing goes on after."""

from __future__ import annotations

import random
import struct
import threading
import time
from collections.abc import Callable, Iterator
from threading import Event

import pytest

from quovadis.errors import ArchitectureError, EngineError, OutputError, UnexpectedError, VideoError
from quovadis.runs.executor import Cancelled, Done, map_unordered

LONG = 20.0
"""Seconds after which a test is taken to hang."""


def at_work() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("quovadis-video")]


@pytest.fixture(autouse=True)
def no_thread_is_left_behind() -> Iterator[None]:
    yield
    assert at_work() == []


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.parametrize("workers", [1, 2, 7, 50])
def test_every_item_comes_out_once_with_its_own_result(workers: int) -> None:
    def make(item: int, stop: Event) -> str:
        time.sleep(random.Random(item).random() / 200)
        return f"result {item}"

    done = list(map_unordered(make, range(40), workers))
    assert sorted(done) == [Done(item, f"result {item}", None) for item in range(40)]


def test_a_quick_item_does_not_wait_for_a_slow_one() -> None:
    quick_is_out = Event()

    def make(item: str, stop: Event) -> str:
        if item == "slow":
            assert quick_is_out.wait(LONG)
        return item

    items = []
    for done in map_unordered(make, ["slow", "quick", "quick too"], 2):
        items.append(done.item)
        quick_is_out.set()
    assert items[0] == "quick"
    assert sorted(items) == ["quick", "quick too", "slow"]


def test_nothing_comes_of_nothing() -> None:
    assert list(map_unordered(lambda item, stop: item, [], 3)) == []


@pytest.mark.parametrize("workers", [1, 3])
def test_at_most_so_many_are_in_work_and_items_are_taken_as_there_is_room(workers: int) -> None:
    lock = threading.Lock()
    working = most = taken = finished = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(30):
            with lock:
                taken += 1
                # Those in work, and one whose result may be on its way out.
                assert taken - finished <= workers + 1
            yield item

    def make(item: int, stop: Event) -> int:
        nonlocal working, most
        with lock:
            working += 1
            most = max(most, working)
        time.sleep(0.002)
        with lock:
            working -= 1
        return item

    for _ in map_unordered(make, items(), workers):
        with lock:
            finished += 1
    assert most == workers
    assert taken == finished == 30


def test_as_many_as_that_are_in_work_at_the_same_time() -> None:
    together = threading.Barrier(3)

    def make(item: int, stop: Event) -> int:
        # Broken, which is an error, unless three come together.
        return together.wait(LONG)

    assert len(list(map_unordered(make, range(6), 3))) == 6


def test_a_video_that_cannot_be_read_comes_out_with_its_error_and_the_others_with_their_results() -> None:
    def make(item: int, stop: Event) -> int:
        if item % 3 == 0:
            raise VideoError(f"{item}.mp4: damaged")
        return item

    done = sorted(map_unordered(make, range(9), 2), key=lambda one: one.item)
    assert [one.result for one in done] == [None, 1, 2, None, 4, 5, None, 7, 8]
    assert [str(one.error) for one in done if one.error] == [f"{item}.mp4: damaged" for item in (0, 3, 6)]


UNFORESEEN = (
    *(RuntimeError("no such stream"), ValueError("two\nlines"), MemoryError(), RecursionError(), struct.error("short")),
    *(AttributeError("decode"), OSError(5, "Input/output error"), AssertionError()),
)


@pytest.mark.parametrize("raised", UNFORESEEN, ids=lambda error: type(error).__name__)
def test_an_exception_that_nobody_foresaw_costs_its_video_alone(raised: Exception) -> None:
    def make(item: int, stop: Event) -> int:
        if item == 1:
            raise raised
        return item

    done = sorted(map_unordered(make, range(4), 2, name=lambda item: f"{item}.mp4"), key=lambda one: one.item)
    assert [one.result for one in done] == [0, None, 2, 3]
    error = done[1].error
    assert isinstance(error, UnexpectedError)
    assert error.__cause__ is raised
    assert str(error).startswith(f"1.mp4: unexpected {type(raised).__name__}")
    assert "`QUOVADIS_DEBUG=1`" in str(error)
    assert "\n" not in str(error)


def test_an_error_of_ours_that_is_no_videos_own_costs_no_other_either() -> None:
    def make(item: int, stop: Event) -> int:
        raise ArchitectureError("fewer than 9 frames")

    (done,) = map_unordered(make, ["a.mp4"], 1)
    assert str(done.error) == "a.mp4: fewer than 9 frames"
    assert not isinstance(done.error, UnexpectedError)


@pytest.mark.parametrize("error", [EngineError("out of memory"), OutputError("disk full"), KeyboardInterrupt()])
def test_what_the_next_video_would_meet_too_ends_the_whole_and_is_heard_by_what_is_in_work(
    error: BaseException,
) -> None:
    heard = Event()
    waiting = Event()
    begun: list[int] = []

    def make(item: int, stop: Event) -> int:
        begun.append(item)
        if item == 0:
            assert waiting.wait(LONG)
            raise error
        waiting.set()
        assert stop.wait(LONG)
        heard.set()
        raise Cancelled

    with pytest.raises(type(error)) as raised:
        list(map_unordered(make, range(100), 2))
    assert raised.value is error
    assert heard.is_set()
    assert at_work() == []
    assert begun == [0, 1]


def test_when_no_more_is_asked_for_work_is_told_to_stop_and_waited_for() -> None:
    begun: list[int] = []
    stopped: list[int] = []

    def make(item: int, stop: Event) -> int:
        begun.append(item)
        if item == 0:
            until(lambda: len(begun) == 3)
            return item
        assert stop.wait(LONG)
        # Waited for, however long it takes.
        time.sleep(0.05)
        stopped.append(item)
        raise Cancelled

    finished = map_unordered(make, range(100), 3)
    assert next(finished).item == 0
    assert stopped == []
    finished.close()  # type: ignore[attr-defined]
    assert at_work() == []
    assert sorted(stopped) == [1, 2]
    # The fourth was never taken: there was no room before the first was asked for again.
    assert sorted(begun) == [0, 1, 2]


def test_an_error_of_who_takes_the_results_ends_the_work_before_it_is_seen_outside() -> None:
    stopped = Event()

    def make(item: int, stop: Event) -> int:
        if item == 0:
            return item
        assert stop.wait(LONG)
        stopped.set()
        raise Cancelled

    def take() -> None:
        for _ in map_unordered(make, range(5), 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take()
    assert at_work() == []


def test_the_event_is_not_set_while_all_is_well() -> None:
    assert [done.result for done in map_unordered(lambda item, stop: stop.is_set(), range(10), 2)] == [False] * 10
