"""quovadis classify."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Literal, ParamSpec

import typer

from quovadis.architecture import FRAMES_PER_SECOND
from quovadis.classification import RunOptions, classify_sources
from quovadis.cli.options import (
    FPS,
    LIMITS,
    MODEL,
    AllowPartial,
    Quiet,
    Restart,
    Resume,
    Workers,
    check_resume,
    notify,
    resumable,
    stderr,
)
from quovadis.cli.spelling import flag
from quovadis.options import ModelOptions
from quovadis.recognizer import load
from quovadis.report.output import ResultOutput, check_spares_videos
from quovadis.report.progress import ClipProgress, DownloadDisplay, VideoProgress
from quovadis.results import VideoPrediction
from quovadis.results.timeline import DEFAULT_THRESHOLD
from quovadis.video import CentreClip, Dense, Sampling, SlidingWindows, TimeSpan, VideoLimits

Arguments = ParamSpec("Arguments")


def classify(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...", help="Files, folders, folders of images, addresses, camera:0.", show_default=False
        ),
    ],
    model_options: ModelOptions = MODEL,
    top: Annotated[int, typer.Option(min=1, help="How many classes to show.")] = 5,
    clip: Annotated[
        Literal["all", "centre"], typer.Option(help="Windows over all of the video, or the one in its centre.")
    ] = "all",
    clip_frames: Annotated[int, typer.Option(min=9, help="Frames of a clip.")] = 79,
    stride: Annotated[
        int | None, typer.Option(min=1, help="Frames between the starts of clips.", show_default="clip frames")
    ] = None,
    fps: FPS = str(FRAMES_PER_SECOND),
    dense: Annotated[
        bool, typer.Option("--dense", help="Run each frame once, with a prediction every 8 frames.")
    ] = False,
    window: Annotated[int, typer.Option(min=1, help="Dense: steps of 8 frames averaged into a prediction.")] = 9,
    chunk: Annotated[int, typer.Option(min=8, help="Dense: frames a call, a multiple of 8.")] = 16,
    timeline: Annotated[
        bool, typer.Option("--timeline", help="Merge predictions into segments; implies --dense.")
    ] = False,
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="Timeline: least probability that makes a segment.")
    ] = DEFAULT_THRESHOLD,
    start: Annotated[float, typer.Option(min=0, help="Second of the video to start at.")] = 0.0,
    duration_seconds: Annotated[
        float | None, typer.Option("--duration", help="Seconds of the video to read; ends a camera.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON document.")] = False,
    as_jsonl: Annotated[bool, typer.Option("--jsonl", help="Write one JSON object a video.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Write one row a class.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write to this file, whose suffix chooses the format; - is stdout."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the timeline: a picture, or for several videos a folder.")
    ] = None,
    calibrate: Annotated[
        list[str] | None,
        typer.Option(metavar="SOURCE", help="Calibrate int8 on this; repeat for more.", show_default="the videos"),
    ] = None,
    allow_partial: AllowPartial = False,
    fail_fast: Annotated[bool, typer.Option(help="Stop at the first video that fails.")] = False,
    workers: Workers = 1,
    resume: Resume = None,
    restart: Restart = False,
    limits: VideoLimits = LIMITS,
    quiet: Quiet = False,
) -> None:
    """Say what people do in videos."""
    clips: SlidingWindows | CentreClip | Dense = SlidingWindows(clip_frames=clip_frames, stride=stride)
    if dense or timeline:
        clips = Dense(window_steps=window, chunk_frames=chunk)
    elif clip == "centre":
        clips = CentreClip(clip_frames=clip_frames)
    span = TimeSpan(start_seconds=start, duration_seconds=duration_seconds)
    sampling = Sampling(clips=clips, fps=fps, span=span)
    check_resume(resume, [output, plot], sources, restart=restart)
    for written in (output, plot):
        check_spares_videos(written, sources)
    with ExitStack() as stack:
        results = stack.enter_context(
            ResultOutput(
                as_json=as_json,
                as_jsonl=as_jsonl,
                as_csv=as_csv,
                output=output,
                plot=plot,
                top=top,
                several=len(sources) > 1,
                notify=notify,
                settings=asdict(sampling),
                spell=flag,
            )
        )
        with DownloadDisplay(stderr(), enabled=not quiet) as download:
            model = load(
                model_options,
                calibration=calibrate,
                calibration_fallback=sources,
                notify=notify,
                progress=download,
            )
        if resume is not None:
            stack.enter_context(resumable(restart=restart))
        # Of a video at a time it is shown how far it is, of several how many are done.
        run = None if workers == 1 else stack.enter_context(VideoProgress(stderr(), "videos", enabled=not quiet))

        def take(result: VideoPrediction) -> None:
            results.result(replace(result, timeline=result.segments(threshold)) if timeline else result)

        failures = classify_sources(
            model,
            sources,
            sampling=sampling,
            limits=limits,
            allow_partial=allow_partial,
            options=RunOptions(workers=workers, resume=resume, restart=restart, fail_fast=fail_fast),
            observe=(lambda title: ClipProgress(stderr(), title, enabled=not quiet)) if run is None else None,
            observer=run,
            on_result=_pausing(run, take),
            on_failure=_pausing(run, results.failure),
            on_stop=results.stop,
        )
    if failures:
        raise typer.Exit(1)


def _pausing(run: VideoProgress | None, act: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Return an action that takes the bar of a run away while it prints."""

    def paused(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        with nullcontext() if run is None else run.paused():
            act(*args, **kwargs)

    return paused
