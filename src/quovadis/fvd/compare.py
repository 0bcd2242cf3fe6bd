"""Two sets of videos, from their sources to the distances between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TypeAlias

from quovadis.fvd.distance import Distance, check_before, comparable_options, distances
from quovadis.fvd.options import Covariance, FVDOptions, SetPlan
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

    def load(sources: Sequence[str], plan: SetPlan, stats_path: Path | None) -> SetSource:
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

    def measure(chosen: FVDOptions, source: str, videos: Sequence[SetVideo]) -> Statistics:
        if found:
            chosen = comparable_options(found[0], source, set_settings(network(), chosen), chosen)
        with observe(source) as observer:
            return set_statistics(
                network(),
                source,
                videos,
                chosen,
                workers=options.workers,
                ledger=ledger,
                observer=observer,
                on_skip=on_skip,
            )

    sides = [load(real, plans[0], options.stats_path)]
    if fake:
        sides.append(load(fake, plans[1], None))
    planned = [
        (" + ".join(one.sources), set_settings(network(), chosen), chosen, set_dimension(network(), chosen))
        for one, chosen in zip(sides, (plan.options for plan in plans), strict=False)
        if one.has_videos
    ]
    check_before([part for one in sides for part in one.precomputed], planned)
    found: list[Statistics] = []
    ledger: Ledger | None = None
    with ExitStack() as stack:
        if planned and options.resume is not None:
            settings = {**network().result_settings, "allow_partial": options.allow_partial}
            ledger = Ledger(options.resume, settings, network().maker, restart=options.restart, is_named=True)
            stack.enter_context(ledger)
        for one, plan in zip(sides, plans, strict=False):
            found.append(one.statistics(partial(measure, plan.options)))
    if not fake:
        check_lengths(found[0], options.frames)
        return SetComparison(found[0], None)
    return _distances(found[0], found[1], options, observe)


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
