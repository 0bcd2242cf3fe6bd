"""Two sets of videos, from their sources to the distances between them."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quovadis.errors import MetricError, Spell, in_python, spell_options
from quovadis.escape import shortened
from quovadis.fields import MAX_WORKERS, OPTIONAL_FUNCTION, check_fields, check_path, check_values
from quovadis.fvd.distance import Distance, check_before, comparable_options, distances
from quovadis.fvd.options import (
    DEFAULT_WEIGHTS,
    PRESETS,
    ClipChoice,
    Covariance,
    FeatureKind,
    FVDOptions,
    Preset,
    SetPlan,
    clip_lengths,
    plan_sets,
)
from quovadis.fvd.set_sources import SetSource, are_files, load_set
from quovadis.fvd.set_videos import SetInput, SetVideo
from quovadis.fvd.statistics import Statistics, check_lengths
from quovadis.fvd.video_set import SkippedVideo, set_dimension, set_settings, set_statistics
from quovadis.labels import class_set
from quovadis.metrics.bootstrap import MAX_RESAMPLES, MIN_RESAMPLES
from quovadis.options import ModelOptions
from quovadis.progress import Notify, ignore_notice
from quovadis.recognizer import Recognizer, load
from quovadis.runs.executor import VideoObserver
from quovadis.runs.ledger import Ledger
from quovadis.values import ArrayEquality
from quovadis.version import __version__
from quovadis.video import VideoLimits
from quovadis.video.array import array_of_tensor, is_tensor
from quovadis.video.bilinear import CoordinateMode
from quovadis.weights import CATALOGUE

_logger = logging.getLogger("quovadis")
SetLike: TypeAlias = "str | os.PathLike[str] | NDArray[Any] | Iterable[Any]"
"""A set of videos as a user gives it: one path, array or tensor, or several."""
MIN_VIDEOS = 2
"""Of a set: fewer have no covariance."""
Observe: TypeAlias = Callable[[str], AbstractContextManager[VideoObserver]]
"""Given a title, makes the observer of a part of the work."""


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """How two sets are compared, and what is taken of them.

    Raises:
        MetricError: when made with values that cannot be.
    """

    frames: tuple[int, ...] = ()
    """Lengths of clips that are wanted of files of statistics too; none: those that both sets have."""
    covariance: Covariance = "unbiased"
    with_kvd: bool = True
    """Whether to compute the kernel distance too."""
    resamples: int = field(default=0, metadata={"min": 0, "max": MAX_RESAMPLES})
    """Of the bootstrap, up to 100,000; 0 for none."""
    seed: int = field(default=0, metadata={"min": 0})
    """Of the bootstrap."""
    most_videos: int | None = field(default=None, metadata={"min": MIN_VIDEOS})
    """How many videos to take of each set; None: all."""
    same_weights: bool = False
    """Whether statistics from files must be of the network's weights."""
    limits: VideoLimits = field(default_factory=VideoLimits)
    allow_partial: bool = False
    """Take what is there of damaged or cut-off videos."""
    workers: int = field(default=2, metadata={"min": 1, "max": MAX_WORKERS})
    """Videos processed at once."""
    stats_path: Path | None = None
    """File of the real set's statistics: read if it is there, else written."""
    resume: Path | None = None
    """File in which the features of each video are kept, and found again; None: nothing is kept."""
    restart: bool = False
    """Start over, whatever that file has."""

    def __post_init__(self) -> None:
        check_fields(self, MetricError)
        if 0 < self.resamples < MIN_RESAMPLES:
            raise MetricError(
                f"a bootstrap needs {MIN_RESAMPLES} `resamples` or more (200 is usual), or 0 for none, "
                f"not {self.resamples}"
            )


@dataclass(frozen=True, eq=False, repr=False)
class SetComparison(ArrayEquality):
    """Two sets, their distances, and what these depend on."""

    real: Statistics
    fake: Statistics | None
    """None where nothing was to be compared."""
    distances: Sequence[Distance] = ()
    """By length of clips, the shortest first."""
    missing: Sequence[str] = ()
    """Why lengths that were asked for have no distance."""
    covariance: Covariance = "unbiased"
    seed: int = 0
    """Of the bootstrap."""

    def __repr__(self) -> str:
        figures = [f"FVD {one.fvd:.4f} ({one.clips_a} and {one.clips_b} clips)" for one in self.distances]
        names = " and ".join(shortened(one.source) for one in (self.real, self.fake) if one is not None)
        return f"SetComparison({names}: {', '.join(figures) or 'no distance'})"

    def to_dict(self, spell: Spell = in_python) -> dict[str, Any]:
        """Return the distances and all that they depend on in JSON's types; `spell` says how options are written."""
        return {
            "quovadis": __version__,
            "covariance": self.covariance,
            "bootstrap_seed": self.seed,
            "real": self.real.to_dict(spell),
            "fake": None if self.fake is None else self.fake.to_dict(spell),
            "distances": [distance.to_dict() for distance in self.distances],
            "missing": [spell_options(sentence, spell) for sentence in self.missing],
        }


def compare_videos(
    real: SetLike,
    fake: SetLike,
    *,
    frames: int | Sequence[int] | None = None,
    preset: Preset | None = None,
    model: Recognizer | ModelOptions | str | os.PathLike[str] | None = None,
    clips: ClipChoice | None = None,
    fake_clips: ClipChoice | None = None,
    clips_per_video: int | None = None,
    seed: int | None = None,
    frame_step: int | None = None,
    coordinate_mode: CoordinateMode | None = None,
    features: FeatureKind | None = None,
    covariance: Covariance | None = None,
    with_kvd: bool = True,
    resamples: int = 0,
    most_videos: int | None = None,
    limits: VideoLimits | None = None,
    allow_partial: bool = False,
    workers: int = 2,
    stats_path: str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None,
    restart: bool = False,
    on_skip: Callable[[SkippedVideo], None] | None = None,
    notify: Notify | None = None,
) -> SetComparison:
    """Return how far generated videos are from real ones: what the command `quovadis fvd` computes.

    Args:
        real: the real videos: a folder, which is searched; a video; a `.npy` file of videos or features; a `.npz` file
            of statistics; an array or a tensor, uint8 RGB of shape N,T,H,W,3 or T,H,W,3 (of a tensor the channels may
            be first), or features, floats of shape N,D; or several of these, such as a list of paths.
        fake: the generated videos, in the same forms.
        frames: of a clip, 9 or more; several lengths are measured at once; None: 16.
        preset: whose conventions to follow where nothing else is asked for; None: the original's.
        model: a recognizer that is loaded, or what `quovadis.load` takes; None: `rgb-scratch`, the original metric's
            network. Nothing is loaded where both sets are features or statistics.
        clips: which clips of each video, `first` or `random`; None: as the preset has it.
        fake_clips: of each generated video; None: as `clips`.
        clips_per_video: of videos with random clips; None: 1.
        seed: of random clips and the bootstrap; None: 0.
        frame_step: frames from one frame of a clip to the next; None: 1.
        coordinate_mode: how frames are stretched to 224x224; None: as the preset has it.
        features: `logits` or `pooled`; None: logits.
        covariance: `unbiased` or `population`; None: as the preset has it.
        with_kvd: whether to compute the kernel distance too.
        resamples: of the bootstrap, which gives an interval; 200 is usual, 0 for none.
        most_videos: how many videos to take of each set; None: all.
        limits: the most pixels, frames and seconds to accept of a video; None: the defaults of `VideoLimits`.
        allow_partial: take what is there of damaged or cut-off videos.
        workers: videos processed at once, 1 or more.
        stats_path: a `.npz` file of the real set's statistics: read if it is there, else written.
        resume: a file in which the features of each video are kept, and found again; None: nothing is kept.
        restart: start over, whatever that file has.
        on_skip: called with each video that is left out; None: `notify` is told.
        notify: called with a line on what should be known; None: a warning of the logger `quovadis`.

    Raises:
        MetricError: sets that are not there, hold nothing, or cannot be compared.
        ArchitectureError: values that cannot be, or that do not go together.
        OutputError: the statistics or the file to resume from cannot be written, or the latter does not fit.
        EngineError: the device failed.
    """
    check_values(OPTIONAL_FUNCTION, MetricError, notify=notify, on_skip=on_skip)
    check_values(str | os.PathLike[str] | None, MetricError, stats_path=stats_path, resume=resume)
    stats_path = None if stats_path is None else check_path("stats_path", stats_path, MetricError)
    resume = None if resume is None else check_path("resume", resume, MetricError)
    check_values(bool, MetricError, restart=restart)
    if restart and resume is None:
        raise MetricError("`restart=True` has no effect without `resume`; leave it out", option="restart")
    check_values(Recognizer | ModelOptions | str | os.PathLike[str] | None, MetricError, model=model)
    say = notify or _logger.warning
    lengths = clip_lengths(frames)
    plans = plan_sets(
        preset,
        frames=lengths,
        clips=clips,
        fake_clips=fake_clips,
        clips_per_video=clips_per_video,
        seed=seed,
        frame_step=frame_step,
        coordinate_mode=coordinate_mode,
        features=features,
    )
    options = CompareOptions(
        frames=lengths,
        covariance=PRESETS[preset or "original"].covariance if covariance is None else covariance,
        seed=0 if seed is None else seed,
        same_weights=model is not None,
        with_kvd=with_kvd,
        resamples=resamples,
        most_videos=most_videos,
        limits=VideoLimits() if limits is None else limits,
        allow_partial=allow_partial,
        workers=workers,
        stats_path=stats_path,
        resume=resume,
        restart=restart,
    )
    found = compare_sets(
        _inputs(real),
        _inputs(fake),
        plans,
        lambda: _network(model, say),
        options,
        classes=None if isinstance(model, Recognizer) else known_classes(_asked(model).weights),
        on_skip=on_skip or (lambda video: say(f"left out: {video.error}")),
        notify=say,
    )
    warnings = dict.fromkeys(text for distance in found.distances for text in distance.warnings)
    for sentence in (*warnings, *found.missing):
        say(sentence)
    return found


def _inputs(videos: SetLike) -> list[SetInput]:
    one = isinstance(videos, str | bytes | os.PathLike | np.ndarray) or is_tensor(videos)
    given = [videos] if one or not isinstance(videos, Iterable) else videos
    sources: list[Any] = [array_of_tensor(source) if is_tensor(source) else source for source in given]
    for source in sources:
        if not isinstance(source, str | os.PathLike | np.ndarray):
            raise MetricError(f"a set of videos is made of paths, arrays and tensors, not of {type(source).__name__}")
    if not sources:
        raise MetricError("a set without videos: give a folder, or a list of files or arrays")
    return [source if isinstance(source, np.ndarray) else os.fspath(source) for source in sources]


def known_classes(weights: str | os.PathLike[str]) -> int | None:
    """Return how many classes official weights have, by their name; None: they are no official ones."""
    entry = CATALOGUE.get(os.fspath(weights))
    return None if entry is None else len(class_set(entry.classes))


def _asked(model: ModelOptions | str | os.PathLike[str] | None) -> ModelOptions:
    return model if isinstance(model, ModelOptions) else ModelOptions(DEFAULT_WEIGHTS if model is None else model)


def _network(model: Recognizer | ModelOptions | str | os.PathLike[str] | None, notify: Notify) -> Recognizer:
    if not isinstance(model, Recognizer):
        # A distance is compared with other people's, which are float32's.
        return load(replace(_asked(model), precision="f32"), needs_labels=False, notify=notify)
    precision = model.engine.description["precision"]
    if precision != "f32":
        raise MetricError(
            f"distances are computed in float32, not in {precision}: load the model with `precision='f32'`"
        )
    return model


def compare_sets(
    real: Sequence[SetInput],
    fake: Sequence[SetInput],
    plans: tuple[SetPlan, SetPlan],
    network: Callable[[], Recognizer],
    options: CompareOptions,
    *,
    classes: int | None = None,
    observe: Observe | None = None,
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
        classes: of the network, where they are known before it is loaded; None: they are not.
        observe: given a title, makes the observer of a set, and of the bootstrap; None: nothing is shown.
        on_skip: called with each video that is left out.
        notify: called with a line where statistics that are there are used.

    Raises:
        MetricError: sources that are not there, hold nothing, or cannot be compared.
        OutputError: the statistics or the file to resume from cannot be written, or the latter does not fit.
        EngineError: the device failed.
    """
    network = cache(network)
    if options.resume is not None and any(isinstance(source, np.ndarray) for source in (*real, *fake)):
        raise MetricError("arrays in memory cannot be found again: leave `resume` out, or give `.npy` files")

    def load(sources: Sequence[SetInput], plan: SetPlan, stats_path: Path | None) -> SetSource:
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
        with nullcontext() if observe is None else observe(source) as observer:
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
    precomputed = [part for one in sides for part in one.precomputed]
    planned = [(one.videos_name, plan.options) for one, plan in zip(sides, plans, strict=False) if one.has_videos]
    # Features from elsewhere, before the network is loaded, and perhaps downloaded.
    foreign = [one for one in precomputed if one.settings is None]
    check_before(foreign, [(name, None, chosen, set_dimension(classes, chosen)) for name, chosen in planned])
    check_before(
        precomputed,
        [
            (name, set_settings(network(), chosen), chosen, set_dimension(len(network().labels), chosen))
            for name, chosen in planned
        ],
    )
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


def _distances(a: Statistics, b: Statistics, options: CompareOptions, observe: Observe | None) -> SetComparison:
    missing: list[str] = []
    with ExitStack() as stack:
        observer = stack.enter_context(observe("bootstrap")) if observe and options.resamples else None
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
    return SetComparison(a, b, found, missing, options.covariance, options.seed)
