"""One side of a comparison: videos, features and statistics, put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from quovadis.errors import MetricError, OutputError
from quovadis.fvd.members import Member, read_members
from quovadis.fvd.statistics import (
    LengthStatistics,
    Statistics,
    load_statistics,
    merge_statistics,
    save_statistics,
)
from quovadis.progress import Notify, ignore_notice
from quovadis.video import VideoLimits

Measure: TypeAlias = Callable[[str, Sequence[Member]], Statistics]
"""Runs the network over the videos of a source."""


def side_statistics(
    sources: Sequence[str],
    measure: Measure,
    *,
    kept: Path | None = None,
    limits: VideoLimits | None = None,
    allow_partial: bool = False,
    notify: Notify = ignore_notice,
) -> Statistics:
    """Return the statistics of several sources together.

    Args:
        sources: folders of videos, of frames or of `.npy` files, `.npy` of videos or features, `.npz` of statistics.
        measure: called for what the network has to run on.
        kept: file of the statistics of all `sources`: if it is there it is read in their place, else written.
        limits: the most pixels, frames and seconds to accept of a video.
        allow_partial: take what is there of damaged or cut-off videos.
        notify: called with a line when the kept statistics are used.

    Raises:
        MetricError: a source that is not there or holds nothing, or sources of other settings.
        OutputError: the statistics cannot be written.
    """
    if kept is not None and kept.exists():
        notify(f"{kept} is there: its statistics are used, not {', '.join(sources)}")
        return load_statistics(kept)
    if kept is not None and not kept.parent.is_dir():
        raise OutputError(f"{kept}: cannot write the statistics: there is no folder {kept.parent}")
    merged = merge_statistics([_statistics(source, measure, limits, allow_partial) for source in sources])
    if kept is not None:
        save_statistics(merged, kept)
    return merged


def _statistics(source: str, measure: Measure, limits: VideoLimits | None, allow_partial: bool) -> Statistics:
    if source.lower().endswith(".npz"):
        return load_statistics(Path(source))
    members = read_members(source, limits, allow_partial=allow_partial)
    if isinstance(members, np.ndarray):
        try:
            return Statistics(source, None, {0: LengthStatistics.of(members)})
        except MetricError as error:
            raise MetricError(f"{source}: {error}") from error
    return measure(source, members)
