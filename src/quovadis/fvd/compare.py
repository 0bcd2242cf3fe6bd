"""Two sets of videos, from their sources to the distances between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeAlias

from quovadis.fvd.distance import Distance, check_before, comparable_options, distances
from quovadis.fvd.options import Covariance, SetPlan
from quovadis.fvd.set_sources import SetSource, are_files, load_set
from quovadis.fvd.set_videos import SetVideo
from quovadis.fvd.statistics import Statistics, check_lengths
from quovadis.fvd.video_set import SkippedVideo, set_dimension, set_settings, set_statistics
from quovadis.progress import Notify, ignore_notice
from quovadis.recognizer import Recognizer
from quovadis.runs.executor import VideoObserver
from quovadis.runs.ledger import Ledger
from quovadis.video import VideoLimits

Observe: TypeAlias = Callable[[str], AbstractContextManager[VideoObserver]]
"""Given a title, makes the observer of a part of the work."""


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """How two sets are compared, and what is taken of them."""

    frames: tuple[int, ...] = ()
    """Lengths of clips that are wanted of files of statistics too; none: those that both sets have."""
    covariance: Covariance = "unbiased"
    with_kvd: bool = True
    """Whether to compute the kernel distance too."""
    resamples: int = 0
    """Of the bootstrap; 0 for none."""
    seed: int = 0
    """Of the bootstrap."""
    most_videos: int | None = None
    """How many videos to take of each set; None: all."""
    same_weights: bool = False
    """Whether statistics from files must be of the network's weights."""
    limits: VideoLimits = field(default_factory=VideoLimits)
    allow_partial: bool = False
    """Take what is there of damaged or cut-off videos."""
    workers: int = 2
    """Videos processed at once."""
    stats_path: Path | None = None
    """File of the real set's statistics: read if it is there, else written."""
    resume: Path | None = None
    """File in which the features of each video are kept, and found again; None: nothing is kept."""
    restart: bool = False
    """Start over, whatever that file has."""


@dataclass(frozen=True)
class SetComparison:
    """Two sets, their distances, and what these depend on."""

    real: Statistics
    fake: Statistics | None
    """None where nothing was to be compared."""
    distances: Sequence[Distance] = ()
    """By length of clips, the shortest first."""
    missing: Sequence[str] = ()
    """Why lengths that were asked for have no distance."""


def compare_sets(
    real: Sequence[str],
    fake: Sequence[str],
    plans: tuple[SetPlan, SetPlan],
    network: Callable[[], Recognizer],
    options: CompareOptions,
    *,
    observe: Observe,
    on_skip: Callable[[SkippedVideo], None] | None = None,
    notify: Notify = ignore_notice,
) -> SetComparison:
    """Measure two sets of videos, and how far they are apart.

    All sources are looked at before the network runs, for hours perhaps, over the first of them.

    Args:
        real: sources of the real videos: see `load_set`.
        fake: those of the generated ones; none: the real ones' statistics are all that is wanted.
        plans: how each set is to be measured.
        network: loads the network; not called where there is nothing to run it on.
        options: how the sets are compared.
        observe: given a title, makes the observer of a set, and of the bootstrap.
        on_skip: called with each video that is left out.
        notify: called with a line where statistics that are there are used.

    Raises:
        MetricError: sources that are not there, hold nothing, or cannot be compared.
        OutputError: the statistics or the file to resume from cannot be written, or the latter does not fit.
        EngineError: the device failed.
    """
    network = cache(network)
    sides = [
        _load(sources, plan, path, network, options, notify)
        for sources, plan, path in zip((real, fake), plans, (options.stats_path, None), strict=True)
        if sources
    ]
    planned = [
        (" + ".join(one.sources), set_settings(network(), chosen), chosen, set_dimension(network(), chosen))
        for one, chosen in zip(sides, (plan.options for plan in plans), strict=False)
        if one.has_videos
    ]
    check_before([part for one in sides for part in one.precomputed], planned)
    with ExitStack() as stack:
        ledger = None
        if planned and options.resume is not None:
            settings = {**network().result_settings, "allow_partial": options.allow_partial}
            ledger = stack.enter_context(
                Ledger(options.resume, settings, network().maker, restart=options.restart, is_named=True)
            )
        found: list[Statistics] = []
        for one, plan in zip(sides, plans, strict=False):
            other = found[0] if found else None
            found.append(_statistics(one, plan, other, network, options, ledger, observe, on_skip))
    if not fake:
        check_lengths(found[0], options.frames)
        return SetComparison(found[0], None)
    return _distances(found[0], found[1], options, observe)


def _load(
    sources: Sequence[str],
    plan: SetPlan,
    stats_path: Path | None,
    network: Callable[[], Recognizer],
    options: CompareOptions,
    notify: Notify,
) -> SetSource:
    wanted = dict(plan.named)
    if options.same_weights and are_files(sources, stats_path):
        wanted["weights_sha256"] = network().weights.sha256
    return load_set(
        sources,
        wanted=wanted,
        frames=options.frames,
        most_videos=options.most_videos,
        stats_path=stats_path,
        limits=options.limits,
        allow_partial=options.allow_partial,
        notify=notify,
    )


def _statistics(
    side: SetSource,
    plan: SetPlan,
    other: Statistics | None,
    network: Callable[[], Recognizer],
    options: CompareOptions,
    ledger: Ledger | None,
    observe: Observe,
    on_skip: Callable[[SkippedVideo], None] | None,
) -> Statistics:
    def measure(source: str, videos: Sequence[SetVideo]) -> Statistics:
        model, chosen = network(), plan.options
        if other is not None:
            chosen = comparable_options(other, source, set_settings(model, chosen), chosen)
        with observe(source) as observer:
            return set_statistics(
                model,
                source,
                videos,
                chosen,
                workers=options.workers,
                ledger=ledger,
                observer=observer,
                on_skip=on_skip,
            )

    return side.statistics(measure)


def _distances(a: Statistics, b: Statistics, options: CompareOptions, observe: Observe) -> SetComparison:
    missing: list[str] = []
    with ExitStack() as stack:
        observer = stack.enter_context(observe("bootstrap")) if options.resamples else None
        if observer is not None:
            observer.start(options.resamples * len(options.frames or a.lengths), 0)
        found = distances(
            a,
            b,
            frames=options.frames or None,
            covariance=options.covariance,
            with_kvd=options.with_kvd,
            resamples=options.resamples,
            seed=options.seed,
            on_resample=None if observer is None else lambda: observer.advance(""),
            on_missing=missing.append,
        )
    return SetComparison(a, b, found, missing)
