"""Several items in work at once, and still in order."""

from __future__ import annotations

import threading

import pytest

from quovadis.errors import VideoError
from quovadis.runs.ordered import map_ordered
from support.forks import in_forked_child


@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_results_come_in_order_and_no_item_is_taken_before_there_is_room(at_once: int) -> None:
    taken = 0

    def items() -> object:
        nonlocal taken
        while taken < 20:
            taken += 1
            yield taken

    made = []
    for result in map_ordered(lambda item: item * 10, items(), at_once):  # type: ignore[arg-type, operator]
        made.append(result)
        assert taken - len(made) < at_once
    assert made == [item * 10 for item in range(1, 21)]


def test_items_are_in_work_at_the_same_time() -> None:
    meeting = threading.Barrier(3, timeout=10)
    assert list(map_ordered(lambda _: meeting.wait() >= 0, range(6), 3)) == [True] * 6


@pytest.mark.parametrize("at_once", [1, 3])
def test_an_error_comes_where_its_result_would_have(at_once: int) -> None:
    made = map_ordered(lambda item: 1 // item, [1, 1, 0, 1], at_once)
    assert [next(made), next(made)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(made)


@pytest.mark.parametrize("at_once", [1, 3])
def test_a_stop_iteration_that_is_let_out_is_not_the_end_of_the_items(at_once: int) -> None:
    with pytest.raises(RuntimeError, match="StopIteration"):
        list(map_ordered(lambda item: next(iter(range(item))), [1, 0, 1], at_once))


def test_a_child_that_was_forked_in_the_middle_is_told_instead_of_waiting() -> None:
    results = map_ordered(lambda item: item, range(9), 2)
    assert next(results) == 0
    error = in_forked_child(lambda: list(results), seconds=20)
    assert isinstance(error, VideoError)
    assert "begin again in the child" in str(error)
    assert list(results) == list(range(1, 9))
