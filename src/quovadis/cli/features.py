"""quovadis features."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from quovadis.architecture import ENDPOINTS
from quovadis.cli.command import OUTPUT, SAMPLING, Without, one_of
from quovadis.cli.options import (
    COMMON_PARALLEL,
    LIMITS,
    MODEL,
    Calibration,
    CommonOptions,
    check_engine,
    check_output_folder,
    fps_option,
    load,
    notices,
    notify,
    notify_above,
    resumable,
    stderr,
)
from quovadis.cli.spelling import flag
from quovadis.cli.usage import Excludes, command_line_checks
from quovadis.errors import QuovadisError
from quovadis.escape import printable
from quovadis.features.extract import LEDGER_NAME, Extracted, extract_features
from quovadis.features.formats import FeatureFormat
from quovadis.features.names import default_folder
from quovadis.inference.feature_options import EXACT_STACK_MULTIPLE, Pool, Preset, Windows, choose_features
from quovadis.options import ModelOptions
from quovadis.progress import Notify
from quovadis.report.progress import VideoProgress
from quovadis.results.records import failure_dict
from quovadis.runs.sources import find_videos
from quovadis.version import __version__
from quovadis.video import VideoLimits
from quovadis.video.crops import Crops
from quovadis.video.source import public_name, shown_name

FEATURE_SUFFIXES = (".npy", ".npz", ".json", ".csv", ".parquet", ".h5", ".hdf5", ".pt")
"""Of files of features, those of other programs too."""
DENSE_HAS_NO_WINDOWS = Excludes("dense", preset="i3d")


def features(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...", help="Files, folders, folders of images, addresses, - for stdin.", show_default=False
        ),
    ],
    preset: Annotated[
        Preset | None,
        typer.Option(
            "--like",
            help="video_features: as v-iashin/video_features does; i3d: as the paper, 25 fps, a feature per 8 frames.",
            rich_help_panel=SAMPLING,
        ),
    ] = None,
    endpoint: Annotated[
        str,
        typer.Option(
            help="Layer of the network: any that quovadis info lists, except Input and Logits.",
            autocompletion=one_of(*ENDPOINTS),
            rich_help_panel=SAMPLING,
        ),
    ] = "Mixed_5c",
    pool: Annotated[
        Pool,
        typer.Option(
            help="none: keep the whole map; space: average over space; all: over space and time.",
            rich_help_panel=SAMPLING,
        ),
        DENSE_HAS_NO_WINDOWS,
    ] = "all",
    clip_frames: Annotated[
        int | None,
        typer.Option(
            min=9,
            help="Frames of a window.",
            show_default="the weights' own, else 79; video_features 64",
            rich_help_panel=SAMPLING,
        ),
        DENSE_HAS_NO_WINDOWS,
    ] = None,
    stride: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Frames between the starts of windows.",
            show_default="clip frames",
            rich_help_panel=SAMPLING,
        ),
        DENSE_HAS_NO_WINDOWS,
    ] = None,
    windows: Annotated[
        Windows | None,
        typer.Option(
            help="Frames left at the end: full drops them, loop repeats them to fill a window, join extends the last.",
            show_default="loop for 9 frames or more, join for fewer; with --like video_features, full",
            rich_help_panel=SAMPLING,
        ),
        DENSE_HAS_NO_WINDOWS,
        # A longer window would have more rows than the others.
        Excludes(pool=("none", "space"), unless=("full", "loop")),
    ] = None,
    crops: Annotated[
        Crops,
        typer.Option(
            help="1: centre; 3: along the longer side; 5: corners and centre; 10: these five, and mirrored.",
            rich_help_panel=SAMPLING,
        ),
    ] = 1,
    fps: Annotated[Any, fps_option("the weights' own, else 25; video_features native")] = None,
    dense: Annotated[
        bool,
        typer.Option("--dense", help="Run each frame once; a feature for every 8 frames.", rich_help_panel=SAMPLING),
        Excludes(preset="video_features"),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Folder for the files.",
            show_default="features, followed by the options that differ from the defaults",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    file_format: Annotated[
        FeatureFormat | None,
        typer.Option(
            "--format",
            help="Format of the files.",
            show_default="npy, or that of --like",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    model_options: Annotated[ModelOptions, Without("labels", "hint")] = MODEL,
    calibration: Calibration = None,
    common: Annotated[CommonOptions, Without("resume", "fail_fast")] = COMMON_PARALLEL,
    limits: VideoLimits = LIMITS,
) -> None:
    """Extract features of videos for other models to learn from; resumes if interrupted.

    Examples:
        quovadis features videos/
        quovadis features videos/ --like i3d --format hdf5
        quovadis features videos/ --endpoint Mixed_4f --pool space
    """
    with command_line_checks():
        choose = partial(
            choose_features,
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
        options = choose()
        check_engine(model_options, dense=options.is_dense)
    tell = notices(quiet=common.quiet)
    if preset == "video_features" and options.windows.clip_frames % EXACT_STACK_MULTIPLE:
        tell(
            f"note: of stacks of {options.windows.clip_frames} frames video_features' own values differ by tens of per "
            f"cent: its network pads in another way; they agree for multiples of {EXACT_STACK_MULTIPLE}"
        )
    file_format = file_format or ("video_features" if preset == "video_features" else "npy")
    output = output or default_folder(preset, options, file_format, model_options)
    check_output_folder(output, FEATURE_SUFFIXES)
    failures = _Failures()
    reading: dict[str, Any] = {"limits": limits, "allow_partial": common.allow_partial}
    ledger = None if common.restart else output / LEDGER_NAME
    videos = find_videos(sources, failures.add, **reading, ledger=ledger)
    if not videos:
        _show([], failures, output, common)
        raise typer.Exit(1)
    asked = {"calibration": calibration, "calibration_fallback": videos}
    model = load(model_options, quiet=common.quiet, needs_labels=False, **asked)
    options = choose(specified=model.input)
    if preset == "video_features" and model_options.weights == "auto" and model.weights.name != "rgb-imagenet":
        tell(f"note: video_features' own features are those of rgb-imagenet, and these are of {model.weights.name}")
    with (
        resumable(output / LEDGER_NAME, restart=common.restart),
        VideoProgress(stderr(), "features", enabled=not common.quiet) as progress,
    ):
        notes = _Notes(notices(quiet=common.quiet, above=progress))
        made = extract_features(
            model,
            videos,
            output,
            options,
            file_format,
            restart=common.restart,
            workers=common.workers,
            **reading,
            observer=progress,
            on_done=notes.tell,
            on_failure=partial(failures.add, above=progress),
        )
        # What is unusual of a video is no less so when an earlier run has done it.
        for video in made.videos:
            notes.tell(video)
    _show(made.videos, failures, output, common)
    if failures.records:
        raise typer.Exit(1)


class _Failures:
    """What could not be done: a line on stderr for each video, and a record."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def add(self, source: str, error: QuovadisError, above: VideoProgress | None = None) -> None:
        self.records.append(failure_dict(public_name(source), error, flag))
        (notify if above is None else partial(notify_above, above))(f"error: {error}")


class _Notes:
    """Says once what was unusual of each video."""

    def __init__(self, notify: Notify) -> None:
        self._notify = notify
        self._told: set[str] = set()

    def tell(self, video: Extracted) -> None:
        for note in () if video.source in self._told else video.notes:
            self._notify(f"note: {shown_name(video.source)}: {note}")
        self._told.add(video.source)


def _show(videos: Sequence[Extracted], failures: _Failures, output: Path, common: CommonOptions) -> None:
    if common.as_json:
        document = {
            "quovadis": __version__,
            "results": [asdict(video) for video in videos],
            "failures": failures.records,
        }
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    console = Console(highlight=False, quiet=common.quiet)
    for video in videos:
        shape = " x ".join(map(str, video.shape))
        console.print(printable(f"{output / video.files[0]}: {shape}"), soft_wrap=True, markup=False)
