"""Several videos processed at once: while the network has one, others are decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
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
from quovadis.faults import unexpected

Item = TypeVar("Item")
Result = TypeVar("Result")


ENDS_THE_RUN = (CacheError, EngineError, MissingDependencyError, OutputError, WeightsError)
"""Errors of the machine or of the run, which the next video would meet too."""


class VideoObserver(Protocol):
    """Something that shows how far a run over many videos has come."""

    def start(self, total: int, done: int) -> None:
        """Take how many videos there are, and how many an earlier run has done."""
        ...

    def advance(self, note: str) -> None:
        """Take one video as done; `note` says how things stand."""
        ...


class VideoPartObserver(VideoObserver, Protocol):
    """One that also shows how far the videos in work have come."""

    def reach(self, video: str, part: float) -> None:
        """Take how much of a video is done, from 0 to 1: 1 just before `advance` is told of it, and never earlier.

        Called from the threads in which the videos are worked on.
        """
        ...


class Done(NamedTuple, Generic[Item, Result]):
    """An item that is finished, one way or the other."""

    item: Item
    result: Result | None
    error: VideoError | None
    """Why there is no result."""


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
        return VideoError(f"{name}: {error}")
    return unexpected(name, error)


def map_unordered(
    make: Callable[[Item, Event], Result],
    items: Iterable[Item],
    workers: int,
    *,
    name: Callable[[Item], str] = str,
) -> Iterator[Done[Item, Result]]:
    """Yield each item as it is finished, in no certain order, with at most `workers` of them in flight.

    A video that cannot be read, or whose work raises an unexpected exception, is yielded with its error; an
    error that the next video would meet too, such as of the device or the disk, ends the whole. When it ends early, by
    an error or because no more is asked for, videos in flight are told to stop through the event, and waited for.

    Args:
        make: does one item; looks at the event now and then, and raises `Cancelled` once it is set.
        items: taken as there is room for them.
        workers: threads, 1 or more.
        name: what the user calls the video of an item, for errors that do not say it.
    """
    stop = Event()
    executor = ThreadPoolExecutor(workers, "quovadis-video")
    working: dict[Future[Result], Item] = {}
    waiting = iter(items)
    try:
        while True:
            while len(working) < workers and (item := next(waiting, None)) is not None:
                working[executor.submit(make, item, stop)] = item
            if not working:
                return
            # With a time limit, so that Ctrl-C is heard on every platform.
            finished, _ = wait(working, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in finished:
                item = working.pop(future)
                result, error = None, None
                try:
                    result = future.result()
                except Cancelled:
                    raise
                except Exception as raised:
                    error = video_error(name(item), raised)
                yield Done(item, result, error)
    finally:
        stop.set()
        executor.shutdown(cancel_futures=True)
