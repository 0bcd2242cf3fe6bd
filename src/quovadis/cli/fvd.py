"""quovadis fvd."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from quovadis.cli.command import MODEL_PANEL, SAMPLING, Without, complete_weights
from quovadis.cli.options import (
    COMMON_PARALLEL,
    LIMITS,
    MODEL,
    CommonOptions,
    check_engine,
    check_resume,
    load,
    notices,
    notify,
    notify_above,
    resumable,
    stderr,
)
from quovadis.cli.spelling import flag, running
from quovadis.cli.usage import Needs, UsageError, command_line_checks
from quovadis.fvd import MIN_VIDEOS, PRESETS, CompareOptions, SetComparison, SkippedVideo, compare_sets, plan_sets
from quovadis.fvd.compare import known_classes
from quovadis.fvd.options import (
    DEFAULT_FRAMES,
    DEFAULT_WEIGHTS,
    ClipChoice,
    Covariance,
    FeatureKind,
    Preset,
    SetPlan,
)
from quovadis.fvd.set_sources import check_stats_name
from quovadis.options import ModelOptions
from quovadis.recognizer import Recognizer
from quovadis.report.distances import distance_table
from quovadis.report.progress import VideoProgress
from quovadis.video import VideoLimits
from quovadis.video.bilinear import CoordinateMode
from quovadis.video.source import STANDARD_INPUT

SETS, METRIC = "Sets", "Metric"
"""Groups of options."""


def fvd(
    real: Annotated[
        str,
        typer.Argument(
            metavar="REAL",
            help="Folder of videos, of frames or of .npy; .npy of videos or features; .npz of --stats.",
            show_default=False,
        ),
    ],
    fake: Annotated[
        str | None, typer.Argument(metavar="FAKE", help="The same; left out, only --stats is written.")
    ] = None,
    more_real: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCE", help="More of REAL, such as another shard's .npz; repeat.", rich_help_panel=SETS
        ),
    ] = None,
    more_fake: Annotated[
        list[str] | None,
        typer.Option(metavar="SOURCE", help="More of FAKE; repeat.", rich_help_panel=SETS),
        Needs("fake"),
    ] = None,
    stats: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.npz", help="File of REAL's statistics: read if it exists, else written.", rich_help_panel=SETS
        ),
    ] = None,
    most_videos: Annotated[
        int | None,
        typer.Option(
            "--videos",
            min=MIN_VIDEOS,
            help="Take the first N videos of each set, in order of their names.",
            rich_help_panel=SETS,
        ),
    ] = None,
    frames: Annotated[
        list[int] | None,
        typer.Option(
            min=9,
            help="Frames of a clip; repeat for several lengths.",
            show_default=str(DEFAULT_FRAMES),
            rich_help_panel=SAMPLING,
        ),
    ] = None,
    clips: Annotated[
        ClipChoice | None,
        typer.Option(
            help="The beginning of each video, or clips from anywhere.",
            show_default="by --like",
            rich_help_panel=SAMPLING,
        ),
    ] = None,
    fake_clips: Annotated[
        ClipChoice | None,
        typer.Option(help="The same for FAKE alone.", show_default="as --clips", rich_help_panel=SAMPLING),
        Needs("fake"),
    ] = None,
    clips_per_video: Annotated[
        int | None,
        typer.Option(min=1, help="Random clips of each video.", show_default="1", rich_help_panel=SAMPLING),
        Needs(clips="random", fake_clips="random", preset="stylegan-v"),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, help="Seed of the random clips and of the bootstrap.", show_default="0", rich_help_panel=SAMPLING
        ),
    ] = None,
    frame_step: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Frames from one frame of a clip to the next.",
            show_default="1",
            rich_help_panel=SAMPLING,
        ),
    ] = None,
    preset: Annotated[
        Preset | None,
        typer.Option(
            "--like",
            help="Implementation whose --resize, --clips and --covariance are the defaults.",
            show_default="original",
            rich_help_panel=METRIC,
        ),
    ] = None,
    coordinate_mode: Annotated[
        CoordinateMode | None,
        typer.Option("--resize", help="How frames are stretched.", show_default="by --like", rich_help_panel=METRIC),
    ] = None,
    covariance: Annotated[
        Covariance | None,
        typer.Option(
            help="Divide the covariance by N - 1 (unbiased) or by N (population).",
            show_default="by --like",
            rich_help_panel=METRIC,
        ),
        Needs("fake"),
    ] = None,
    features: Annotated[
        FeatureKind | None,
        typer.Option(
            help="The clip's 400 logits, or the 1024 features below them.",
            show_default="logits",
            rich_help_panel=METRIC,
        ),
    ] = None,
    with_kvd: Annotated[
        bool,
        typer.Option("--kvd/--no-kvd", help="Compute the Kernel Video Distance too.", rich_help_panel=METRIC),
        Needs("fake"),
    ] = True,
    resamples: Annotated[
        int,
        typer.Option("--bootstrap", min=0, help="Resamples for a 95 % interval; 200 is usual.", rich_help_panel=METRIC),
        Needs("fake"),
    ] = 0,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            "-w",
            help="rgb-scratch is the original metric's network.",
            show_default=DEFAULT_WEIGHTS,
            autocompletion=complete_weights,
            rich_help_panel=MODEL_PANEL,
        ),
    ] = None,
    model_options: Annotated[ModelOptions, Without("weights", "labels", "hint", "precision")] = MODEL,
    common: Annotated[CommonOptions, Without("fail_fast")] = COMMON_PARALLEL,
    limits: Annotated[VideoLimits, Without("max_spooled_bytes")] = LIMITS,
) -> None:
    """Measure how far generated videos are from real ones: Fréchet Video Distance and Kernel Video Distance.

    Examples:
        quovadis fvd real_videos/ generated_videos/
        quovadis fvd real_videos/ --stats real.npz
        quovadis fvd real.npz generated.npy --bootstrap 200 --json
    """
    if fake is None and stats is None:
        raise UsageError("give a second set to compare with, or --stats to keep the first one's statistics")
    real_sources, fake_sources = [real, *(more_real or [])], [] if fake is None else [fake, *(more_fake or [])]
    _check_names([*real_sources, *fake_sources], stats)
    with command_line_checks():
        check_engine(model_options)
        plans = plan_sets(
            preset,
            frames=frames,
            clips=clips,
            fake_clips=fake_clips,
            clips_per_video=clips_per_video,
            seed=seed,
            frame_step=frame_step,
            coordinate_mode=coordinate_mode,
            features=features,
        )
        options = CompareOptions(
            frames=tuple(frames or ()),
            covariance=PRESETS[preset or "original"].covariance if covariance is None else covariance,
            with_kvd=with_kvd,
            resamples=resamples,
            seed=seed or 0,
            most_videos=most_videos,
            same_weights=weights is not None,
            limits=limits,
            allow_partial=common.allow_partial,
            workers=common.workers,
            stats_path=stats,
            resume=common.resume,
            restart=common.restart,
        )
    _check_seed(seed, plans, resamples)
    check_resume(common.resume, [stats], [*real_sources, *fake_sources])

    def network() -> Recognizer:
        # A distance is compared with other people's, which are float32's.
        asked = replace(model_options, weights=weights or DEFAULT_WEIGHTS, precision="f32")
        return load(asked, quiet=common.quiet, needs_labels=False)

    display = _Display(enabled=not common.quiet)
    with nullcontext() if common.resume is None else resumable(common.resume, restart=common.restart):
        found = compare_sets(
            real_sources,
            fake_sources,
            plans,
            network,
            options,
            classes=known_classes(weights or DEFAULT_WEIGHTS),
            observe=display.observe,
            on_skip=display.leave_out,
            notify=notices(quiet=common.quiet),
        )
    _show(found, stats, common)
    if found.missing or display.faults:
        raise typer.Exit(1)


def _check_names(sources: Sequence[str], stats: Path | None) -> None:
    if STANDARD_INPUT in sources:
        raise UsageError("- is standard input, which is no set of videos; a file of this name is ./-", running())
    with command_line_checks():
        if stats is not None:
            check_stats_name(stats)


def _check_seed(seed: int | None, plans: Sequence[SetPlan], resamples: int) -> None:
    # What decides is whether clips are random in the end: `--clips` may contradict `--like`.
    if seed is not None and not resamples and all(plan.options.clips == "first" for plan in plans):
        raise UsageError("--seed has no effect without --bootstrap or --clips random", running())


class _Display:
    """Shows how far a comparison is, and says which videos are left out of it."""

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled
        self._progress: VideoProgress | None = None
        self.faults = 0
        """Videos that raised an unexpected exception."""

    @contextmanager
    def observe(self, title: str) -> Iterator[VideoProgress]:
        with VideoProgress(stderr(), title, enabled=self._enabled) as self._progress:
            yield self._progress

    def leave_out(self, video: SkippedVideo) -> None:
        self.faults += video.is_fault
        said = f"{'error' if video.is_fault else 'left out'}: {video.error}"
        if self._progress is not None:
            notify_above(self._progress, said)


def _show(found: SetComparison, stats: Path | None, common: CommonOptions) -> None:
    if found.fake is None:
        if common.as_json:
            typer.echo(json.dumps(found.real.to_dict(flag), indent=2, ensure_ascii=False))
        elif not common.quiet:
            typer.echo(stats)
        return
    tell = notices(quiet=common.quiet)
    for warning in dict.fromkeys(text for distance in found.distances for text in distance.warnings):
        tell(f"warning: {warning}")
    if common.as_json:
        typer.echo(json.dumps(found.to_dict(flag), indent=2, ensure_ascii=False))
    else:
        Console(highlight=False).print(distance_table(found))
    for sentence in found.missing:
        notify(f"error: {sentence}")
