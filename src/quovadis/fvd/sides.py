"""One side of a comparison: videos, features and statistics, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from quovadis.errors import MetricError, OutputError
from quovadis.fvd.members import Member, read_members
from quovadis.fvd.statistics import (
    LengthStatistics,
    Statistics,
    check_lengths,
    check_settings,
    load_statistics,
    merge_statistics,
    save_statistics,
)
from quovadis.progress import Notify, ignore_notice
from quovadis.video import VideoLimits
from quovadis.video.source import is_address, local_path

Measure: TypeAlias = Callable[[str, Sequence[Member]], Statistics]
"""Runs the network over the videos of a source."""


def side_statistics(
    sources: Sequence[str],
    measure: Measure,
    *,
    wanted: Mapping[str, Any] = MappingProxyType({}),
    frames: Sequence[int] = (),
    most_videos: int | None = None,
    kept: Path | None = None,
    limits: VideoLimits | None = None,
    allow_partial: bool = False,
    notify: Notify = ignore_notice,
) -> Statistics:
    """Return the statistics of several sources together.

    Args:
        sources: folders of videos, of frames or of `.npy` files, `.npy` of videos or features, `.npz` of statistics.
        measure: called for what the network has to run on.
        wanted: settings that statistics from files must have been measured with, by name.
        frames: lengths of clips that they must have.
        most_videos: how many videos, or rows of features, to take of all sources together, in natural order of their
            paths; None: all.
        kept: file of the statistics of all `sources`: if it is there it is read in their place, else written.
        limits: the most pixels, frames and seconds to accept of a video.
        allow_partial: take what is there of damaged or cut-off videos.
        notify: called with a line when the kept statistics are used.

    Raises:
        MetricError: a source that is not there, holds nothing, or is named twice; sources of other settings.
        OutputError: the statistics cannot be written.
    """
    if kept is not None:
        if kept.suffix.lower() != ".npz":
            raise OutputError(f"{kept}: statistics are kept in a file that ends in .npz; call it {kept.stem}.npz")
        if kept.exists():
            statistics = _from_file(kept, wanted, frames)
            notify(f"{kept} is there: its statistics are used, not {', '.join(sources)}")
            return statistics
        if not kept.parent.is_dir():
            raise OutputError(f"{kept}: cannot write the statistics: there is no folder {kept.parent}")
    _check_named_once(sources)
    parts, left = [], most_videos
    for source in sources:
        if left == 0:
            break
        if _is_file_of_statistics(source):
            if most_videos is not None:
                raise MetricError(f"{source}: no single videos can be taken of statistics; leave --videos out")
            parts.append(_from_file(Path(source), wanted, frames))
        else:
            part, taken = _from_videos(source, measure, left, limits, allow_partial)
            parts.append(part)
            left = None if left is None else left - taken
    merged = merge_statistics(parts)
    if kept is not None:
        save_statistics(merged, kept)
    return merged


def _check_named_once(sources: Sequence[str]) -> None:
    places = [source if is_address(source) else str(local_path(source).resolve()) for source in sources]
    for number, place in enumerate(places):
        if place in places[:number]:
            raise MetricError(f"{sources[number]}: named twice in one set; a video counts once")


def are_files(sources: Sequence[str], kept: Path | None) -> bool:
    """Tell whether any of what `side_statistics` would return is read from a file, whose settings are then given."""
    return (kept is not None and kept.exists()) or any(map(_is_file_of_statistics, sources))


def _is_file_of_statistics(source: str) -> bool:
    return source.lower().endswith(".npz")


def _from_file(path: Path, wanted: Mapping[str, Any], frames: Sequence[int]) -> Statistics:
    statistics = load_statistics(path)
    check_settings(statistics, wanted)
    check_lengths(statistics, frames)
    return statistics


def _from_videos(
    source: str, measure: Measure, most_videos: int | None, limits: VideoLimits | None, allow_partial: bool
) -> tuple[Statistics, int]:
    """Return the statistics of a source, and how many videos were taken of it."""
    members = read_members(source, limits, allow_partial=allow_partial)[:most_videos]
    if not isinstance(members, np.ndarray):
        return measure(source, members), len(members)
    try:
        return Statistics(source, None, {0: LengthStatistics.of(members)}, ({"source": source},)), len(members)
    except MetricError as error:
        raise MetricError(f"{source}: {error}") from error
