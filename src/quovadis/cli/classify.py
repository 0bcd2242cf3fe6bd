"""quovadis classify."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, ParamSpec

import typer

from quovadis.architecture import DEFAULT_CHUNK_FRAMES
from quovadis.classification import RunOptions, classify_sources
from quovadis.cli.command import OUTPUT, SAMPLING
from quovadis.cli.options import (
    COMMON,
    LIMITS,
    MODEL,
    Calibration,
    CommonOptions,
    check_engine,
    check_resume,
    fps_option,
    load,
    notify,
    resumable,
    stderr,
)
from quovadis.cli.spelling import flag
from quovadis.cli.usage import Excludes, Needs, command_line_checks
from quovadis.errors import QuovadisError
from quovadis.inference.trained_sampling import choose_sampling
from quovadis.options import ModelOptions
from quovadis.recognizer import Recognizer
from quovadis.report.output import OutputFormat, ResultOutput, check_outputs
from quovadis.report.progress import ClipProgress, VideoProgress
from quovadis.results import VideoPrediction
from quovadis.results.timeline import DEFAULT_THRESHOLD
from quovadis.runs.sources import find_videos
from quovadis.video import CentreClip, Dense, Sampling, SlidingWindows, VideoLimits
from quovadis.video.source import public_name

Arguments = ParamSpec("Arguments")


def classify(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Files, folders, folders of images, addresses, camera:0, - for stdin.",
            show_default=False,
        ),
    ],
    clip: Annotated[
        Literal["all", "centre"],
        typer.Option(help="all: clips over the whole video; centre: one clip in its middle.", rich_help_panel=SAMPLING),
        Excludes("timeline", "dense"),
    ] = "all",
    clip_frames: Annotated[
        int | None,
        typer.Option(
            min=9, help="Frames of a clip.", show_default="the weights' own, else 79", rich_help_panel=SAMPLING
        ),
        Excludes("timeline", "dense"),
    ] = None,
    stride: Annotated[
        int | None,
        typer.Option(
            min=1, help="Frames between the starts of clips.", show_default="clip frames", rich_help_panel=SAMPLING
        ),
        Excludes("timeline", "dense", clip="centre"),
    ] = None,
    fps: Annotated[Any, fps_option("the weights' own, else 25")] = None,
    dense: Annotated[
        bool,
        typer.Option(
            "--dense", help="Run each frame once, with a prediction every 8 frames.", rich_help_panel=SAMPLING
        ),
    ] = False,
    window_steps: Annotated[
        int | None,
        typer.Option(
            "--window",
            min=1,
            help="Dense: steps of 8 frames averaged into a prediction.",
            show_default="those of a clip",
            rich_help_panel=SAMPLING,
        ),
        Needs("dense", "timeline"),
    ] = None,
    chunk_frames: Annotated[
        int | None,
        typer.Option(
            "--chunk",
            min=8,
            help="Dense: frames per call, a multiple of 8.",
            show_default=str(DEFAULT_CHUNK_FRAMES),
            rich_help_panel=SAMPLING,
        ),
        Needs("dense", "timeline"),
    ] = None,
    timeline: Annotated[
        bool,
        typer.Option("--timeline", help="Merge predictions into segments; implies --dense.", rich_help_panel=SAMPLING),
    ] = False,
    threshold: Annotated[
        float,
        typer.Option(min=0, max=1, help="Timeline: least probability of a segment's class.", rich_help_panel=SAMPLING),
        Needs("timeline"),
    ] = DEFAULT_THRESHOLD,
    start: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0, help="Where to start in the video.", rich_help_panel=SAMPLING),
    ] = 0.0,
    duration_seconds: Annotated[
        float | None,
        typer.Option(
            "--duration",
            metavar="SECONDS",
            help="How much of the video to read; ends a camera.",
            rich_help_panel=SAMPLING,
        ),
    ] = None,
    file_format: Annotated[
        OutputFormat | None,
        typer.Option(
            "--format",
            help="Format of the results; parquet only with -o.",
            show_default="by the suffix of -o, else table",
            rich_help_panel=OUTPUT,
        ),
        Excludes("as_json", unless="json"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write results to this file; - is stdout.", rich_help_panel=OUTPUT
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many classes to show.", rich_help_panel=OUTPUT)] = 5,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw the timeline: a picture, or for several videos a folder.", rich_help_panel=OUTPUT),
    ] = None,
    model_options: ModelOptions = MODEL,
    calibration: Calibration = None,
    common: CommonOptions = COMMON,
    limits: VideoLimits = LIMITS,
) -> None:
    """Classify actions in videos.

    Examples:
        quovadis classify clip.mp4
        quovadis classify videos/ camera:0 --duration 10 -o results.jsonl
        quovadis classify clip.mp4 --timeline --plot timeline.png
        quovadis classify clip.mp4 --format csv --top 1
    """
    file_format = "json" if common.as_json else file_format
    check_resume(common.resume, [output, plot], sources)
    with command_line_checks():
        choose = partial(
            choose_sampling,
            Dense if dense or timeline else CentreClip if clip == "centre" else SlidingWindows,
            clip_frames=clip_frames,
            stride=stride,
            fps=fps,
            window_steps=window_steps,
            chunk_frames=chunk_frames,
            start_seconds=start,
            duration_seconds=duration_seconds,
        )
        used = [choose()]
        check_engine(model_options, dense=isinstance(used[0].clips, Dense))
        check_outputs(file_format, output, plot, several=len(sources) > 1)
    failures = 0
    with ResultOutput(
        file_format=file_format,
        output=output,
        plot=plot,
        top=top,
        several=len(sources) > 1,
        notify=notify,
        settings=lambda: asdict(used[-1]),
        spell=flag,
        quiet=common.quiet,
    ) as results:

        def fail(source: str, error: QuovadisError) -> None:
            nonlocal failures
            failures += 1
            results.failure(public_name(source), error)

        videos = find_videos(
            sources,
            fail,
            limits=limits,
            allow_partial=common.allow_partial,
            ledger=None if common.restart else common.resume,
            fail_fast=common.fail_fast,
        )
        if videos:
            model = load(model_options, quiet=common.quiet, calibration=calibration, calibration_fallback=videos)
            used.append(choose(specified=model.input))
            failures += _run(
                model, videos, used[-1], results, common, limits, threshold=threshold if timeline else None
            )
    if failures:
        raise typer.Exit(1)


def _run(
    model: Recognizer,
    videos: Sequence[str],
    sampling: Sampling,
    results: ResultOutput,
    common: CommonOptions,
    limits: VideoLimits,
    *,
    threshold: float | None,
) -> int:
    """Classify videos, show how far that is, and return how many failed; with a threshold there are timelines too."""
    with ExitStack() as stack:
        if common.resume is not None:
            stack.enter_context(resumable(common.resume, restart=common.restart))
        shown = not common.quiet
        # Of a video at a time it is shown how far it is, of several how many are done.
        run = None if common.workers == 1 else stack.enter_context(VideoProgress(stderr(), "videos", enabled=shown))

        def take(result: VideoPrediction) -> None:
            results.result(result if threshold is None else replace(result, timeline=result.segments(threshold)))

        return classify_sources(
            model,
            videos,
            sampling=sampling,
            limits=limits,
            allow_partial=common.allow_partial,
            options=RunOptions(
                workers=common.workers, resume=common.resume, restart=common.restart, fail_fast=common.fail_fast
            ),
            observe=(lambda title: ClipProgress(stderr(), title, enabled=shown)) if run is None else None,
            observer=run,
            on_result=_pausing(run, take),
            on_failure=_pausing(run, results.failure),
            on_stop=results.stop,
        )


def _pausing(run: VideoProgress | None, act: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Return an action that takes the bar of a run away while it prints."""

    def paused(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        with nullcontext() if run is None else run.paused():
            act(*args, **kwargs)

    return paused
