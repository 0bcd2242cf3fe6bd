"""Many sources, one after the other: a bad one is reported and the rest go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Protocol

from quovadis.errors import QuovadisError, VideoError
from quovadis.faults import unexpected
from quovadis.recognizer import Recognizer
from quovadis.results import ClipPrediction, VideoPrediction
from quovadis.runs.executor import video_error
from quovadis.video import Sampling, VideoLimits, discover_videos, open_video
from quovadis.video.source import is_address


class ClipObserver(Protocol):
    """Something that shows how far the video at hand has come."""

    def expect(self, clips: int | None) -> None:
        """Take how many clips there will be; None: not known."""
        ...

    def advance(self) -> None:
        """Take one clip as done."""
        ...


def _advance(observer: ClipObserver, _: ClipPrediction) -> None:
    observer.advance()


def discover_all(
    arguments: Iterable[str], on_failure: Callable[[str, QuovadisError], None], *, fail_fast: bool = False
) -> list[str]:
    """Return every video that `arguments` name, folders searched.

    Args:
        arguments: files, folders, addresses, cameras.
        on_failure: called with each that names no video, and why.
        fail_fast: stop at the first of these.
    """
    sources: list[str] = []
    for argument in arguments:
        try:
            sources.extend(discover_videos(argument))
        except Exception as error:
            on_failure(argument, video_error(argument, error))
            if fail_fast:
                break
    return sources


def open_failures(
    sources: Iterable[str], limits: VideoLimits, *, allow_partial: bool
) -> list[tuple[str, VideoError]] | None:
    """Return each source and why it cannot be opened, or None as soon as one can.

    Addresses and cameras count as ones that can: they are opened once.
    """
    errors = []
    for source in sources:
        if is_address(source):
            return None
        try:
            with open_video(source, limits=limits, allow_partial=allow_partial):
                return None
        except Exception as error:
            errors.append((source, video_error(source, error)))
    return errors


def classify_sources(
    recognizer: Recognizer,
    arguments: Iterable[str],
    *,
    sampling: Sampling,
    limits: VideoLimits,
    allow_partial: bool,
    fail_fast: bool,
    observe: Callable[[str], AbstractContextManager[ClipObserver]],
    on_result: Callable[[VideoPrediction], None],
    on_failure: Callable[[str, QuovadisError], None],
    on_stop: Callable[[Sequence[str]], None] | None = None,
) -> int:
    """Classify every video that `arguments` name, folders searched, and return how many failed.

    Args:
        recognizer: the network.
        arguments: files, folders, addresses, cameras.
        sampling: which frames become clips.
        limits: the most pixels, frames and seconds to accept.
        allow_partial: classify what is there of a damaged or cut-off video.
        fail_fast: stop at the first failure.
        observe: given a title, makes the observer of one video.
        on_result: called with each result.
        on_failure: called with each source that failed, and why: also where that is an unexpected exception.
        on_stop: called with all videos if the run ends before its end, by Ctrl-C or an error that the next video would
            meet too.
    """
    failures = 0

    def fail(source: str, error: QuovadisError) -> None:
        nonlocal failures
        failures += 1
        on_failure(source, error)

    sources = discover_all(arguments, fail, fail_fast=fail_fast)
    if failures and fail_fast:
        return failures
    try:
        for place, source in enumerate(sources, start=1):
            name = Path(source).name or source
            title = name if len(sources) == 1 else f"[{place}/{len(sources)}] {name}"
            error = _classify(recognizer, source, sampling, limits, allow_partial, partial(observe, title), on_result)
            if error is not None:
                fail(source, error)
                if fail_fast:
                    break
    except BaseException:
        if on_stop is not None:
            on_stop(sources)
        raise
    return failures


def _classify(
    recognizer: Recognizer,
    source: str,
    sampling: Sampling,
    limits: VideoLimits,
    allow_partial: bool,
    observe: Callable[[], AbstractContextManager[ClipObserver]],
    on_result: Callable[[VideoPrediction], None],
) -> QuovadisError | None:
    """Classify one video, hand its result on, and return why it failed if it did."""
    with observe() as observer:
        try:
            result = recognizer.classify(
                source,
                sampling,
                limits=limits,
                allow_partial=allow_partial,
                on_start=observer.expect,
                on_clip=partial(_advance, observer),
            )
        except QuovadisError as error:
            return error
        except Exception as error:
            return unexpected(source, error)
    try:
        on_result(result)
    except (QuovadisError, OSError):
        # Where results go cannot be written to, which the next video would meet too.
        raise
    except Exception as error:
        return unexpected(source, error)
    return None
