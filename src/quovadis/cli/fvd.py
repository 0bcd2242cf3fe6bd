"""quovadis fvd."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from quovadis.cli.command import Without
from quovadis.cli.options import (
    LIMITS,
    MODEL,
    AllowPartial,
    AsJSON,
    Quiet,
    Workers,
    notify,
    notify_above,
    stderr,
)
from quovadis.cli.spelling import flag
from quovadis.fvd import (
    PRESETS,
    SetPlan,
    SetSource,
    SetVideo,
    SkippedVideo,
    Statistics,
    are_files,
    check_before,
    check_lengths,
    comparable_options,
    distances,
    load_set,
    plan_sets,
    set_dimension,
    set_settings,
    set_statistics,
)
from quovadis.fvd.options import DEFAULT_FRAMES, DEFAULT_WEIGHTS, ClipChoice, Covariance, FeatureKind, Preset
from quovadis.metrics.bootstrap import MIN_RESAMPLES
from quovadis.options import ModelOptions
from quovadis.recognizer import Recognizer, load
from quovadis.report.distances import DistanceReport, set_document
from quovadis.report.progress import DownloadDisplay, VideoProgress
from quovadis.video import VideoLimits
from quovadis.video.bilinear import CoordinateMode


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
        ClipChoice | None,
        typer.Option(help="The beginning of each video, or clips from anywhere.", show_default="by --like"),
    ] = None,
    fake_clips: Annotated[
        ClipChoice | None, typer.Option(help="The same for FAKE alone.", show_default="as --clips")
    ] = None,
    clips_per_video: Annotated[
        int | None, typer.Option(min=1, help="Random clips of each video.", show_default="1")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of random clips and the bootstrap.", show_default="0")
    ] = None,
    frame_step: Annotated[
        int | None, typer.Option(min=1, help="Frames from one frame of a clip to the next.", show_default="1")
    ] = None,
    most_videos: Annotated[
        int | None, typer.Option("--videos", min=2, help="Take so many videos of each set, by name.")
    ] = None,
    like: Annotated[
        Preset | None,
        typer.Option(help="Whose pixels, clips and covariance, if not given themselves.", show_default="original"),
    ] = None,
    centres: Annotated[
        CoordinateMode | None, typer.Option("--resize", help="How pictures are stretched.", show_default="by --like")
    ] = None,
    covariance: Annotated[
        Covariance | None, typer.Option(help="Divided by N - 1 or by N.", show_default="by --like")
    ] = None,
    features: Annotated[
        FeatureKind | None,
        typer.Option(help="The clip's 400 logits, or the 1024 features below them.", show_default="logits"),
    ] = None,
    with_kvd: Annotated[bool, typer.Option("--kvd/--no-kvd", help="Compute the kernel distance too.")] = True,
    bootstrap: Annotated[
        int, typer.Option(metavar="N", min=0, help="Resamples for a 95 % interval; 200 is usual.")
    ] = 0,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights", "-w", help="rgb-scratch is the original metric's network.", show_default=DEFAULT_WEIGHTS
        ),
    ] = None,
    model_options: Annotated[ModelOptions, Without("weights", "labels", "hint", "precision")] = MODEL,
    workers: Workers = 2,
    allow_partial: AllowPartial = False,
    limits: VideoLimits = LIMITS,
    as_json: AsJSON = False,
    quiet: Quiet = False,
) -> None:
    """Measure how far generated videos are from real ones: Fréchet Video Distance and its kernel variant."""
    if fake is None and (stats is None or more_fake):
        raise typer.BadParameter("give a second set to compare with, or --stats to keep the first one's statistics")
    if 0 < bootstrap < MIN_RESAMPLES:
        raise typer.BadParameter(f"a bootstrap needs {MIN_RESAMPLES} resamples or more; 200 is usual")
    real_plan, fake_plan = plan_sets(
        like,
        frames=frames,
        clips=clips,
        fake_clips=fake_clips,
        clips_per_video=clips_per_video,
        seed=seed,
        frame_step=frame_step,
        coordinate_mode=centres,
        features=features,
    )
    faults: list[SkippedVideo] = []

    def leave_out(progress: VideoProgress, video: SkippedVideo) -> None:
        if video.is_fault:
            faults.append(video)
        notify_above(
            progress, f"error: {video.reason}" if video.is_fault else f"left out: {video.name}: {video.reason}"
        )

    @cache
    def network() -> Recognizer:
        """Load the weights once something has to be run."""
        with DownloadDisplay(stderr(), enabled=not quiet) as download:
            return load(
                # A distance is compared with other people's, which are float32's.
                replace(model_options, weights=weights or DEFAULT_WEIGHTS, precision="f32"),
                notify=notify,
                progress=download,
            )

    def side(sources: Sequence[str], plan: SetPlan, kept: Path | None) -> SetSource:
        wanted = dict(plan.named)
        if weights is not None and are_files(sources, kept):
            wanted["weights_sha256"] = network().weights.sha256
        return load_set(
            sources,
            wanted=wanted,
            frames=frames or (),
            most_videos=most_videos,
            kept=kept,
            limits=limits,
            allow_partial=allow_partial,
            notify=notify,
        )

    def statistics(prepared: SetSource, plan: SetPlan, other: Statistics | None) -> Statistics:
        def measure(source: str, members: Sequence[SetVideo]) -> Statistics:
            model, options = network(), plan.options
            if other is not None:
                options = comparable_options(other, source, set_settings(model, options), options)
            with VideoProgress(stderr(), source, enabled=not quiet) as progress:
                return set_statistics(
                    model,
                    source,
                    members,
                    options,
                    workers=workers,
                    observer=progress,
                    on_skip=lambda video: leave_out(progress, video),
                )

        return prepared.statistics(measure)

    # All sources are looked at before the network runs, for hours perhaps, over the first of them.
    prepared = [side([real, *(more_real or [])], real_plan, stats)]
    if fake is not None:
        prepared.append(side([fake, *(more_fake or [])], fake_plan, None))
    planned = [
        (" + ".join(one.sources), set_settings(network(), options), options, set_dimension(network(), options))
        for one, options in zip(prepared, (real_plan.options, fake_plan.options), strict=False)
        if one.has_videos
    ]
    check_before([known for one in prepared for known in one.known], planned)
    a = statistics(prepared[0], real_plan, None)
    if fake is None:
        check_lengths(a, frames or ())
        typer.echo(json.dumps(set_document(a, flag), indent=2, ensure_ascii=False) if as_json else stats)
        if faults:
            raise typer.Exit(1)
        return
    b = statistics(prepared[1], fake_plan, a)
    chosen = PRESETS[like or "original"].covariance if covariance is None else covariance
    missing: list[str] = []
    with VideoProgress(stderr(), "bootstrap", enabled=not quiet and bootstrap > 0) as progress:
        progress.start(bootstrap * len(frames or a.lengths), 0)
        found = distances(
            a,
            b,
            frames=frames,
            covariance=chosen,
            with_kvd=with_kvd,
            resamples=bootstrap,
            seed=seed or 0,
            on_resample=lambda: progress.advance(""),
            on_missing=missing.append,
        )
    for warning in dict.fromkeys(text for distance in found for text in distance.warnings):
        notify(f"warning: {warning}")
    report = DistanceReport(a, b, found, chosen, seed or 0, missing, flag)
    if as_json:
        typer.echo(json.dumps(report.to_dict(), indent=2, ensure_ascii=False))
    else:
        Console(highlight=False).print(report.table())
    for sentence in missing:
        notify(f"error: {sentence}")
    if missing or faults:
        raise typer.Exit(1)
