"""Several items worked on at once, given out in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import TypeVar

from quovadis.errors import VideoError

Item = TypeVar("Item")
Other = TypeVar("Other")


def map_ordered(
    make: Callable[[Item], Other], items: Iterable[Item], at_once: int, *, stop: Event | None = None
) -> Iterator[Other]:
    """Yield `make` of each item in order, with at most `at_once` of them in work.

    No item is taken before there is room for it. An error is raised where its item's result would have come, and what
    is in work then is finished and left.

    Args:
        make: makes the result of an item.
        items: taken as there is room for them.
        at_once: 1 or more; 1 is the thread that asks.
        stop: set when all ends, early perhaps, so that what is in work can stop.
    """
    if at_once == 1:
        # Not `map`, which would take a `StopIteration` that `make` lets out for the end of the items.
        for item in items:
            yield make(item)
        return
    executor = ThreadPoolExecutor(at_once, "quovadis-clip")
    working: deque[Future[Other]] = deque()
    process = os.getpid()

    def check_process() -> None:
        if os.getpid() != process:
            raise VideoError("these videos were being processed when the process was forked: begin again in the child")

    try:
        for item in items:
            check_process()
            working.append(executor.submit(make, item))
            if len(working) == at_once:
                yield working.popleft().result()
        while working:
            check_process()
            yield working.popleft().result()
    finally:
        # A forked child has none of the threads, and locks that they may have held.
        if os.getpid() == process:
            if stop is not None:
                stop.set()
            executor.shutdown()
