"""Items made ahead in a thread: in order, bounded, with their errors, and dropped only where that was asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quovadis.errors import VideoError
from quovadis.video import Prefetch
from support.forks import in_forked_child


@given(items=st.lists(st.integers()), size=st.integers(1, 5))
def test_everything_comes_once_and_in_order(items: list[int], size: int) -> None:
    with Prefetch(items, size) as ahead:
        assert list(ahead) == items
        assert ahead.dropped == 0


def test_no_more_than_the_size_waits_and_nothing_is_made_before_it_is_asked_for() -> None:
    made = []

    def items() -> Iterator[int]:
        for item in range(100):
            made.append(item)
            yield item

    with Prefetch(items(), 3) as ahead:
        assert not made
        taken = iter(ahead)
        assert next(taken) == 0
        deadline = time.monotonic() + 5
        while len(made) < 5 and time.monotonic() < deadline:
            time.sleep(0.01)
        # Taken: 1. Waiting: 3. At hand, not yet waiting: 1.
        assert len(made) == 5
    assert not [thread for thread in threading.enumerate() if thread.name == "quovadis-prefetch"]


def test_an_error_comes_where_its_item_would_have() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("broken")

    with Prefetch(items(), 10) as ahead:
        taken = iter(ahead)
        assert [next(taken), next(taken)] == [1, 2]
        with pytest.raises(ValueError, match="broken"):
            next(taken)


def test_a_live_source_loses_its_oldest_waiting_items() -> None:
    produced = threading.Event()
    go = threading.Event()

    def items() -> Iterator[int]:
        yield 0
        go.wait(5)
        yield from range(1, 31)
        produced.set()

    with Prefetch(items(), 16, drop=8) as ahead:
        taken = iter(ahead)
        assert next(taken) == 0
        go.set()
        assert produced.wait(5)
        rest = list(taken)
    assert ahead.dropped == 16
    assert rest == list(range(17, 31))


def test_a_child_that_was_forked_in_the_middle_is_told_instead_of_waiting() -> None:
    with Prefetch(range(100), 3) as ahead:
        taken = iter(ahead)
        assert next(taken) == 0

        def go_on() -> None:
            with ahead:
                list(taken)

        error = in_forked_child(go_on, seconds=20)
        assert isinstance(error, VideoError)
        assert "open it again in the child" in str(error)
        assert list(taken) == list(range(1, 100))
