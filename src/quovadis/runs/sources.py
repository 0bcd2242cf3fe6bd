"""Which videos a run is over, and whether any of them can be opened."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from quovadis.errors import QuovadisError, VideoError
from quovadis.runs.executor import video_error
from quovadis.video import VideoLimits, discover_videos, open_video
from quovadis.video.source import STANDARD_INPUT, is_address
from quovadis.video.sources import standard_input


def find_videos(
    arguments: Iterable[str],
    on_failure: Callable[[str, QuovadisError], None],
    *,
    limits: VideoLimits,
    allow_partial: bool,
    ledger: Path | None = None,
    fail_fast: bool = False,
) -> list[str]:
    """Return every video that `arguments` name, folders searched; none if not one of them can be opened.

    A mistyped name is thus reported before weights are loaded, and before anything is written.

    Args:
        arguments: files, folders, addresses, cameras; `-` is standard input, which is read to its end.
        on_failure: called with each that names no video or, where none can be opened, each video, and why.
        limits: the most pixels, frames, seconds and bytes to accept.
        allow_partial: take what is there of a damaged or cut-off video.
        ledger: of an earlier run, which may have results of videos that are gone; if it exists, no video is opened.
        fail_fast: stop at the first failure, and return none.
    """
    failures = 0

    def fail(source: str, error: QuovadisError) -> None:
        nonlocal failures
        failures += 1
        on_failure(source, error)

    sources = discover_all(arguments, fail, limits=limits, fail_fast=fail_fast)
    if failures and fail_fast:
        return []
    if ledger is not None and ledger.exists():
        return sources
    errors = _open_failures(sources, limits, allow_partial=allow_partial)
    for source, error in (errors or ())[: 1 if fail_fast else None]:
        fail(source, error)
    return sources if errors is None else []


def discover_all(
    arguments: Iterable[str],
    on_failure: Callable[[str, QuovadisError], None],
    *,
    limits: VideoLimits | None = None,
    fail_fast: bool = False,
) -> list[str]:
    """Return every video that `arguments` name, folders searched.

    Args:
        arguments: files, folders, addresses, cameras; `-` is standard input, which is read to its end.
        on_failure: called with each that names no video, and why.
        limits: the most bytes to accept from standard input; None: the default.
        fail_fast: stop at the first of these.
    """
    sources: list[str] = []
    for argument in arguments:
        try:
            if argument == STANDARD_INPUT:
                standard_input().fingerprint(limits)
            sources.extend(discover_videos(argument))
        except Exception as error:
            on_failure(argument, video_error(argument, error))
            if fail_fast:
                break
    return sources


def _open_failures(
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
