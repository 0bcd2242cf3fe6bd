"""Several videos processed at once: while the network has one, others are decoded."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from itertools import islice
from threading import Event
from typing import Generic, NamedTuple, Protocol, TypeVar

from quovadis.errors import (
    CacheError,
    EngineError,
    MissingDependencyError,
    OutputError,
    QuovadisError,
    VideoError,
    WeightsError,
)
from quovadis.faults import unexpected, users_error

Item = TypeVar("Item")
Result = TypeVar("Result")


ENDS_THE_RUN = (CacheError, EngineError, MissingDependencyError, OutputError, WeightsError)
"""Errors of the machine or of the run, which the next video would meet too."""


class VideoObserver(Protocol):
    """Something that shows how far a run over many videos has come."""

    def start(self, total: int, done: int) -> None:
        """Take how many videos there are, and how many an earlier run has done."""
        ...

    def reach(self, video: str, part: float) -> None:
        """Take how much of a video is done, from 0 to 1: 1 just before `advance` is told of it, and never earlier.

        Called from the threads in which the videos are worked on.
        """
        ...

    def advance(self, note: str) -> None:
        """Take one video as done; `note` says how things stand."""
        ...


class Done(NamedTuple, Generic[Item, Result]):
    """An item that is finished, one way or the other."""

    item: Item
    """What was given."""
    result: Result | None
    """What was made of it; None: an error prevented it."""
    error: VideoError | None
    """Why there is no result; None: there is one."""


class Executor(Protocol):
    """Something that does work on many items, several at once perhaps."""

    @property
    def workers(self) -> int:
        """How many items are in work at once, at most."""
        ...

    def map(
        self, make: Callable[[Item, Event], Result], items: Iterable[Item], *, name: Callable[[Item], str] = str
    ) -> Generator[Done[Item, Result], None, None]:
        """Yield each item as it is finished: see `map_unordered`."""
        ...


@dataclass(frozen=True)
class ThreadExecutor:
    """Threads of this process; of one alone, the one that asks."""

    workers: int
    """1 or more."""

    def map(
        self, make: Callable[[Item, Event], Result], items: Iterable[Item], *, name: Callable[[Item], str] = str
    ) -> Generator[Done[Item, Result], None, None]:
        """Yield each item as it is finished: see `map_unordered`."""
        return map_unordered(make, items, self.workers, name=name)


class Cancelled(Exception):  # noqa: N818 - not an error
    """Raised by work that was told to stop."""


def video_error(name: str, error: Exception) -> VideoError:
    """Return what work on one video raised as that video's error, so that it costs no other.

    Args:
        name: what the user calls the video.
        error: what was raised.

    Raises:
        QuovadisError: it is an error that ends the run.
    """
    if isinstance(error, VideoError):
        return error
    if isinstance(error, ENDS_THE_RUN):
        raise error
    if isinstance(error, QuovadisError):
        return error.restated(f"{name}: {error}", VideoError)
    return users_error(name, error) or unexpected(name, error)


def map_unordered(
    make: Callable[[Item, Event], Result],
    items: Iterable[Item],
    workers: int,
    *,
    name: Callable[[Item], str] = str,
) -> Generator[Done[Item, Result], None, None]:
    """Yield each item as it is finished, in no certain order, with at most `workers` of them in flight.

    A video that cannot be read, or whose work raises an unexpected exception, is yielded with its error; an
    error that the next video would meet too, such as of the device or the disk, ends the whole. When it ends early, by
    an error or because no more is asked for, videos in flight are told to stop through the event, and waited for.

    Args:
        make: does one item; looks at the event now and then, and raises `Cancelled` once it is set.
        items: taken as there is room for them.
        workers: threads, 1 or more; 1 is the thread that asks, so that Ctrl-C reaches the work itself.
        name: what the user calls the video of an item, for errors that do not say it.
    """
    stop = Event()
    if workers == 1:
        for item in items:
            yield finish(item, name, partial(make, item, stop))
        return
    executor = ThreadPoolExecutor(workers, "quovadis-video")
    working: dict[Future[Result], Item] = {}
    waiting = iter(items)
    try:
        while True:
            for item in islice(waiting, workers - len(working)):
                working[executor.submit(make, item, stop)] = item
            if not working:
                return
            # With a time limit, so that Ctrl-C is heard on every platform.
            finished, _ = wait(working, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in finished:
                yield finish(working.pop(future), name, future.result)
    finally:
        stop.set()
        executor.shutdown(cancel_futures=True)


def finish(item: Item, name: Callable[[Item], str], result: Callable[[], Result]) -> Done[Item, Result]:
    """Return an item with its result, or with the error of its video.

    Raises:
        Cancelled: the work was told to stop.
        QuovadisError: an error that ends the run.
    """
    try:
        return Done(item, result(), None)
    except Cancelled:
        raise
    except Exception as error:
        return Done(item, None, video_error(name(item), error))
