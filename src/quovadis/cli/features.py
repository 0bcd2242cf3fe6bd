"""quovadis features."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from quovadis.cli.command import Without
from quovadis.cli.options import (
    LIMITS,
    MODEL,
    AllowPartial,
    AsJSON,
    Quiet,
    Restart,
    Workers,
    notify,
    notify_above,
    parse_fps,
    resumable,
    stderr,
)
from quovadis.escape import printable
from quovadis.features.extract import LEDGER_NAME, Extracted, extract_features
from quovadis.features.formats import FeatureFormat
from quovadis.features.names import default_folder
from quovadis.inference.feature_options import EXACT_STACK_MULTIPLE, Pool, Preset, Windows, choose_features
from quovadis.options import ModelOptions
from quovadis.recognizer import load
from quovadis.report.progress import DownloadDisplay, VideoProgress
from quovadis.runs.sources import discover_all, open_failures
from quovadis.video import VideoLimits
from quovadis.video.crops import Crops


def features(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE...", help="Files, folders, folders of images, addresses.", show_default=False),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder for the files.",
            show_default="features, features-i3d and so on, by the options",
        ),
    ] = None,
    preset: Annotated[
        Preset | None,
        typer.Option(
            "--like", help="As v-iashin/video_features does, or as the paper: 25 fps, a feature every 8 frames."
        ),
    ] = None,
    endpoint: Annotated[
        str, typer.Option(help="Layer of the network: those of quovadis info, but for Input and Logits.")
    ] = "Mixed_5c",
    pool: Annotated[Pool, typer.Option(help="Average over space, over all, or keep the whole map.")] = "all",
    clip_frames: Annotated[
        int | None, typer.Option(min=9, help="Frames of a window.", show_default="79, video_features 64")
    ] = None,
    stride: Annotated[
        int | None, typer.Option(min=1, help="Frames between the starts of windows.", show_default="clip frames")
    ] = None,
    windows: Annotated[
        Windows | None,
        typer.Option(
            help="Frames left at the end: full drops them, loop repeats them to fill a window, join extends the last.",
            show_default="loop 9 frames or more, join fewer; video_features full",
        ),
    ] = None,
    crops: Annotated[
        Crops,
        typer.Option(help="1: centre; 3: along the longer side; 5: corners and centre; 10: these five, and mirrored."),
    ] = 1,
    fps: Annotated[
        Any,
        typer.Option(
            parser=parse_fps,
            metavar="FPS|native",
            help="Frames a second to resample to.",
            show_default="25, video_features native",
        ),
    ] = None,
    dense: Annotated[bool, typer.Option("--dense", help="Run each frame once; a feature for every 8 frames.")] = False,
    file_format: Annotated[
        FeatureFormat | None,
        typer.Option("--format", help="How features are written.", show_default="npy, or as --like has it"),
    ] = None,
    restart: Restart = False,
    model_options: Annotated[ModelOptions, Without("labels", "hint")] = MODEL,
    workers: Workers = 2,
    allow_partial: AllowPartial = False,
    limits: VideoLimits = LIMITS,
    as_json: AsJSON = False,
    quiet: Quiet = False,
) -> None:
    """Write features of videos for other models to learn from; resumes where it was stopped."""
    if preset == "video_features" and dense:
        raise typer.BadParameter("video_features takes windows: leave out --dense, or take --like i3d")
    options = choose_features(
        preset,
        endpoint=endpoint,
        pool=pool,
        clip_frames=clip_frames,
        stride=stride,
        windows=windows,
        crops=crops,
        fps=fps,
        dense=dense,
    )
    if preset == "video_features":
        _note_stacks(options.windows.clip_frames)
    file_format = file_format or ("video_features" if preset == "video_features" else "npy")
    output = output or default_folder(preset, options, file_format, model_options)
    unusable: list[str] = []

    def fail(source: str, error: Exception) -> None:
        unusable.append(source)
        notify(f"error: {error}")

    expanded = discover_all(sources, fail)
    # Known before anything is loaded, written or forgotten; but what an earlier run has is for the record to say.
    if not expanded or restart or not (output / LEDGER_NAME).exists():
        errors = open_failures(expanded, limits, allow_partial=allow_partial)
        for source, error in errors or ():
            fail(source, error)
        if errors is not None:
            _show([], output, as_json=as_json)
            raise typer.Exit(1)
    with DownloadDisplay(stderr(), enabled=not quiet) as download:
        model = load(model_options, needs_labels=False, calibration_fallback=expanded, notify=notify, progress=download)
    if preset == "video_features" and model_options.weights == "auto" and model.weights.name != "rgb-imagenet":
        notify(f"note: video_features' own features are those of rgb-imagenet, and these are of {model.weights.name}")
    with (
        resumable(output / LEDGER_NAME, restart=restart),
        VideoProgress(stderr(), "features", enabled=not quiet) as progress,
    ):
        notes = _Notes(progress)
        made = extract_features(
            model,
            expanded,
            output,
            options,
            file_format,
            restart=restart,
            workers=workers,
            limits=limits,
            allow_partial=allow_partial,
            observer=progress,
            on_done=notes.tell,
            on_failure=lambda source, error: notify_above(progress, f"error: {error}"),
        )
        # What is unusual of a video is no less so when an earlier run has done it.
        for video in made.videos:
            notes.tell(video)
    _show(made.videos, output, as_json=as_json)
    if unusable or made.failures:
        raise typer.Exit(1)


class _Notes:
    """Says once what was unusual of each video."""

    def __init__(self, progress: VideoProgress) -> None:
        self._progress = progress
        self._told: set[str] = set()

    def tell(self, video: Extracted) -> None:
        for note in () if video.source in self._told else video.notes:
            notify_above(self._progress, f"note: {video.source}: {note}")
        self._told.add(video.source)


def _note_stacks(frames: int) -> None:
    if frames % EXACT_STACK_MULTIPLE:
        notify(
            f"note: of stacks of {frames} frames video_features' own values differ by tens of per cent: its network "
            f"pads in another way; they agree for multiples of {EXACT_STACK_MULTIPLE}"
        )


def _show(videos: Sequence[Extracted], output: Path, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([asdict(video) for video in videos], indent=2, ensure_ascii=False))
        return
    console = Console(highlight=False)
    for video in videos:
        shape = " x ".join(map(str, video.shape))
        console.print(printable(f"{output / video.files[0]}: {shape}"), soft_wrap=True, markup=False)
