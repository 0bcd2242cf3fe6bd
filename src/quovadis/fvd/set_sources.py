"""One set of a comparison: videos, features and statistics, put together."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quovadis.durable import check_folder, output_error
from quovadis.errors import MetricError, OutputError
from quovadis.fvd.set_videos import IN_MEMORY, SetInput, SetVideo, list_videos
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
from quovadis.video.keys import video_path
from quovadis.video.source import is_address, local_path

Measure: TypeAlias = Callable[[str, Sequence[SetVideo]], Statistics]
"""Runs the network over the videos of a source."""

_SEVERAL = 2
_MAX_LISTED = 3
"""Of the sources that a message names."""


@dataclass(frozen=True)
class SetSource:
    """One set of a comparison, looked through before the network runs."""

    parts: tuple[Statistics | Videos, ...]
    """What it is put together from, in order."""
    stats_path: Path | None = None
    """Where the statistics of all are to be written."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """What was asked for of videos and is no setting, for the record."""

    @property
    def name(self) -> str:
        """What errors call the set."""
        return " + ".join(part.source for part in self.parts)

    @property
    def videos_name(self) -> str:
        """What errors call the sources that the network has to run on."""
        return " + ".join(part.source for part in self.parts if isinstance(part, Videos))

    @property
    def precomputed(self) -> list[Statistics]:
        """Statistics of the sources that need no network."""
        return [part for part in self.parts if isinstance(part, Statistics)]

    @property
    def has_videos(self) -> bool:
        """Whether the network has to run."""
        return len(self.precomputed) < len(self.parts)

    def statistics(self, measure: Measure) -> Statistics:
        """Return the statistics of all sources together, and write them to the file that was named.

        Args:
            measure: called for what the network has to run on.

        Raises:
            MetricError: sources of other settings, or without a clip.
            OutputError: the statistics cannot be written.
        """
        merged = merge_statistics([self._statistics_of(part, measure) for part in self.parts])
        if self.stats_path is not None:
            save_statistics(merged, self.stats_path)
        return merged

    def _statistics_of(self, part: Statistics | Videos, measure: Measure) -> Statistics:
        if isinstance(part, Statistics):
            return part
        found = measure(part.source, part.videos)
        return replace(found, provenance=tuple({**record, **self.provenance} for record in found.provenance))


@dataclass(frozen=True)
class Videos:
    """A source that the network has to run on."""

    source: str
    videos: Sequence[SetVideo]


def check_stats_name(stats_path: Path) -> None:
    """Refuse a name that no file of statistics has.

    Raises:
        OutputError: it does not end in `.npz`.
    """
    if stats_path.suffix.lower() != ".npz":
        raise OutputError(
            f"{stats_path}: statistics are kept in a file that ends in .npz; call it {stats_path.stem}.npz"
        )


def load_set(
    sources: Sequence[SetInput],
    *,
    wanted: Mapping[str, Any] = MappingProxyType({}),
    frames: Sequence[int] = (),
    most_videos: int | None = None,
    stats_path: Path | None = None,
    limits: VideoLimits | None = None,
    allow_partial: bool = False,
    notify: Notify = ignore_notice,
) -> SetSource:
    """Look several sources through, so that mistakes are known before the network runs for hours.

    Args:
        sources: folders of videos, of frames or of `.npy` files, `.npy` of videos or features, `.npz` of statistics,
            videos; or arrays as `.npy` files hold them. Videos that are given one by one are one part of the set, as if
            the folder that they have in common had been given.
        wanted: settings that statistics from files must have been measured with, by name.
        frames: lengths of clips that they must have.
        most_videos: how many videos, or rows of features, to take of all sources together, in natural order of their
            paths; None: all.
        stats_path: file of the statistics of all `sources`: if it is there it is read in their place, else written.
        limits: the most pixels, frames and seconds to accept of a video.
        allow_partial: take what is there of damaged or cut-off videos.
        notify: called with a line when statistics that are there are used.

    Raises:
        MetricError: a source that is not there, holds nothing, or is named twice; statistics of other settings.
        OutputError: the statistics cannot be written.
    """
    paths = [source for source in sources if not isinstance(source, np.ndarray)]
    if not all(paths):
        raise MetricError("'': an empty name; give a file or a folder")
    if stats_path is not None:
        check_stats_name(stats_path)
        if stats_path.exists():
            statistics = _from_file(stats_path, wanted, frames)
            _check_most_videos(statistics, stats_path, most_videos)
            counts = ", ".join(f"{part.moments.count:,}" for part in statistics.lengths.values())
            notify(f"{stats_path} exists: its statistics of {counts} clips are used in place of {_listed(paths)}")
            return SetSource((statistics,))
        try:
            check_folder(stats_path.parent, stats_path.name)
        except OSError as error:
            raise output_error(stats_path, error) from error
    _check_named_once(paths)
    parts: list[Statistics | Videos] = []
    singles: list[tuple[str, SetVideo]] = []
    arrays: list[SetVideo] = []
    left = most_videos
    for source in sources:
        if isinstance(source, str) and _is_file_of_statistics(source):
            if is_address(source):
                raise MetricError(f"{source}: statistics are read from local files; download it, and give its path")
            if most_videos is not None:
                raise MetricError(f"{source}: no single videos can be taken of statistics; leave `most_videos` out")
            parts.append(_from_file(local_path(source), wanted, frames))
            continue
        videos = list_videos(source, limits, allow_partial=allow_partial)[:left]
        left = None if left is None else left - len(videos)
        # A source is looked at, and may be missing, also where no more is taken of it.
        if isinstance(videos, np.ndarray):
            if len(videos):
                parts.append(_of_features(IN_MEMORY if isinstance(source, np.ndarray) else source, videos))
        elif isinstance(source, np.ndarray):
            arrays += videos
        elif not is_address(source) and [video.name for video in videos] == [local_path(source).name]:
            singles += [(source, video) for video in videos]
        elif videos:
            parts.append(Videos(source, videos))
    parts += _together(singles)
    if arrays:
        names = [f"{IN_MEMORY}[{number}]" for number in range(len(arrays))]
        parts.append(Videos(IN_MEMORY, [replace(video, name=name) for video, name in zip(arrays, names, strict=True)]))
    asked = {"most_videos": most_videos, "allow_partial": allow_partial}
    return SetSource(tuple(parts), stats_path, asked)


def _together(singles: Sequence[tuple[str, SetVideo]]) -> list[Videos]:
    """Return videos that were given one by one as those of the folder that they have in common."""
    if len(singles) < _SEVERAL:
        return [Videos(source, [video]) for source, video in singles]
    paths = [video_path(source) for source, _ in singles]
    folder = Path(os.path.commonpath([path.parent for path in paths]))
    return [
        Videos(
            str(folder),
            [
                replace(video, name=path.relative_to(folder).as_posix())
                for path, (_, video) in zip(paths, singles, strict=True)
            ],
        )
    ]


def _listed(sources: Sequence[str]) -> str:
    if not sources:
        return IN_MEMORY
    more = len(sources) - _MAX_LISTED
    return ", ".join(sources[:_MAX_LISTED]) + (f" and {more} more" if more > 0 else "")


def _check_most_videos(statistics: Statistics, stats_path: Path, most_videos: int | None) -> None:
    for part in statistics.lengths.values():
        videos = part.moments.count if part.videos is None else len(np.unique(part.videos))
        if most_videos is not None and videos > most_videos:
            raise MetricError(
                f"{stats_path} is there, of {videos:,} videos, and `most_videos` asks for {most_videos:,}; "
                "give another file, or leave `most_videos` out"
            )


def _check_named_once(sources: Sequence[str]) -> None:
    seen = set()
    for source in sources:
        path = source if is_address(source) else str(local_path(source).resolve())
        if path in seen:
            raise MetricError(f"{source}: given twice in one set; give each video once")
        seen.add(path)


def are_files(sources: Sequence[SetInput], stats_path: Path | None) -> bool:
    """Tell whether any of a set is read from a file of statistics, whose settings are then given."""
    return (stats_path is not None and stats_path.exists()) or any(map(_is_file_of_statistics, sources))


def _is_file_of_statistics(source: SetInput) -> bool:
    return isinstance(source, str) and source.lower().endswith(".npz")


def _from_file(path: Path, wanted: Mapping[str, Any], frames: Sequence[int]) -> Statistics:
    statistics = load_statistics(path)
    check_settings(statistics, wanted)
    check_lengths(statistics, frames)
    return statistics


def _of_features(source: str, features: NDArray[Any]) -> Statistics:
    try:
        return Statistics(source, None, {0: LengthStatistics.of(features)}, ({"source": source},))
    except MetricError as error:
        raise error.restated(f"{source}: {error}", MetricError) from error
