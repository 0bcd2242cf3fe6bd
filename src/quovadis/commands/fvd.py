"""quovadis fvd."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from functools import cache, partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from quovadis.commands.options import (
    LIMITS,
    AllowPartial,
    AsJSON,
    Device,
    Engine,
    EngineChoice,
    MaxFrames,
    MaxPixels,
    MaxSeconds,
    Quiet,
    Threads,
    Workers,
    notify,
    stderr,
)
from quovadis.fvd import (
    LIKE,
    FVDOptions,
    Member,
    SkippedVideo,
    Statistics,
    check_plan,
    distances,
    set_settings,
    set_statistics,
    side_statistics,
)
from quovadis.fvd.options import DEFAULT_FRAMES, DEFAULT_WEIGHTS
from quovadis.recognizer import Recognizer, load
from quovadis.report.evaluation_table import distance_table
from quovadis.report.progress import DownloadDisplay, VideoProgress
from quovadis.video import VideoLimits


class LikeChoice(StrEnum):
    """Whose conventions to follow."""

    ORIGINAL = "original"
    STYLEGAN_V = "stylegan-v"


class ClipChoice(StrEnum):
    """Which frames of a video."""

    FIRST = "first"
    RANDOM = "random"


class FeatureChoice(StrEnum):
    """Which layer's values."""

    LOGITS = "logits"
    POOLED = "pooled"


class CovarianceChoice(StrEnum):
    """How the covariance is estimated."""

    UNBIASED = "unbiased"
    POPULATION = "population"


class CentresChoice(StrEnum):
    """How pictures are stretched."""

    TENSORFLOW1 = "tensorflow1"
    HALF_PIXEL = "half-pixel"


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
        list[str] | None, typer.Option(metavar="SOURCE", help="More of REAL, such as another shard's .npz; repeat.")
    ] = None,
    more_fake: Annotated[list[str] | None, typer.Option(metavar="SOURCE", help="More of FAKE; repeat.")] = None,
    stats: Annotated[
        Path | None, typer.Option(metavar="FILE.npz", help="Keep REAL's statistics here: read if there, else written.")
    ] = None,
    frames: Annotated[
        list[int] | None,
        typer.Option(min=9, help="Frames of a clip; repeat for several lengths.", show_default=str(DEFAULT_FRAMES)),
    ] = None,
    clips: Annotated[
        ClipChoice, typer.Option(help="The beginning of each video, or clips from anywhere.")
    ] = ClipChoice.FIRST,
    clips_per_video: Annotated[int, typer.Option(min=1, help="Random clips of each video.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of random clips and the bootstrap.")] = 0,
    frame_step: Annotated[int, typer.Option(min=1, help="Frames from one frame of a clip to the next.")] = 1,
    most_videos: Annotated[
        int | None, typer.Option("--videos", min=2, help="Take so many videos of each set, by name.")
    ] = None,
    like: Annotated[
        LikeChoice, typer.Option(help="Whose pixels and covariance, if not given themselves.")
    ] = LikeChoice.ORIGINAL,
    centres: Annotated[
        CentresChoice | None, typer.Option("--resize", help="How pictures are stretched.", show_default="by --like")
    ] = None,
    covariance: Annotated[
        CovarianceChoice | None, typer.Option(help="Divided by N - 1 or by N.", show_default="by --like")
    ] = None,
    features: Annotated[
        FeatureChoice, typer.Option(help="The clip's 400 logits, or the 1024 features below them.")
    ] = FeatureChoice.LOGITS,
    with_kvd: Annotated[bool, typer.Option("--kvd/--no-kvd", help="Compute the kernel distance too.")] = True,
    bootstrap: Annotated[
        int, typer.Option(metavar="N", min=0, help="Resamples for a 95 % interval; 200 is usual.")
    ] = 0,
    weights_name: Annotated[
        str, typer.Option("--weights", "-w", help="rgb-scratch is the original metric's network.")
    ] = DEFAULT_WEIGHTS,
    device: Device = "CPU",
    engine: Engine = EngineChoice.AUTO,
    threads: Threads = None,
    workers: Workers = 2,
    allow_partial: AllowPartial = False,
    max_pixels: MaxPixels = LIMITS.max_pixels,
    max_frames: MaxFrames = LIMITS.max_frames,
    max_seconds: MaxSeconds = LIMITS.max_seconds,
    as_json: AsJSON = False,
    quiet: Quiet = False,
) -> None:
    """Measure how far generated videos are from real ones: Fréchet Video Distance and its kernel kin."""
    if fake is None and (stats is None or more_fake):
        raise typer.BadParameter("give a second set to compare with, or --stats to keep the first one's statistics")
    convention = LIKE[like.value]
    options = FVDOptions(
        frames=tuple(dict.fromkeys(frames or [DEFAULT_FRAMES])),
        clips=clips.value,
        clips_per_video=clips_per_video,
        seed=seed,
        frame_step=frame_step,
        pixel_centres=convention.pixel_centres if centres is None else centres.value,
        features=features.value,
    )
    limits = VideoLimits(max_pixels=max_pixels, max_frames=max_frames, max_seconds=max_seconds)

    @cache
    def network() -> Recognizer:
        """Load the weights once something has to be run."""
        with DownloadDisplay(stderr(), enabled=not quiet) as download:
            return load(
                weights_name, device=device, threads=threads, engine=engine.value, notify=notify, progress=download
            )

    known: list[Statistics] = []

    def measure(source: str, members: Sequence[Member]) -> Statistics:
        model = network()
        for other in known:
            check_plan(other, source, set_settings(model, options), options.frames)
        with VideoProgress(stderr(), source, enabled=not quiet) as progress:
            return set_statistics(
                model,
                source,
                members,
                options,
                most_videos=most_videos,
                workers=workers,
                observer=progress,
                on_skip=_report_skipped,
            )

    side = partial(side_statistics, measure=measure, limits=limits, allow_partial=allow_partial, notify=notify)
    a = side([real, *(more_real or [])], kept=stats)
    if fake is None:
        typer.echo(stats)
        return
    known.append(a)
    b = side([fake, *(more_fake or [])])
    found = distances(
        a,
        b,
        frames=frames,
        covariance=convention.covariance if covariance is None else covariance.value,
        with_kvd=with_kvd,
        resamples=bootstrap,
        seed=seed,
    )
    for warning in dict.fromkeys(text for distance in found for text in distance.warnings):
        notify(f"warning: {warning}")
    if as_json:
        typer.echo(json.dumps([distance.to_dict() for distance in found], indent=2, ensure_ascii=False))
    else:
        Console(highlight=False).print(distance_table(found))


def _report_skipped(video: SkippedVideo) -> None:
    notify(f"left out: {video.name}: {video.reason}")
