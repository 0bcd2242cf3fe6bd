"""quovadis features."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from quovadis.architecture import CLIP_FRAMES, FRAMES_PER_SECOND
from quovadis.cli.options import (
    LIMITS,
    AllowPartial,
    AsJSON,
    Device,
    Engine,
    EngineChoice,
    HintChoice,
    MaxFrames,
    MaxPixels,
    MaxSeconds,
    Precision,
    Quiet,
    Restart,
    Threads,
    WeightsName,
    Workers,
    notify,
    notify_above,
    parse_fps,
    resumable,
    stderr,
)
from quovadis.errors import ArchitectureError
from quovadis.escape import printable
from quovadis.features import FeatureOptions
from quovadis.features.extract import LEDGER_NAME, Extracted, extract_features
from quovadis.inference.feature_options import EXACT_STACK_MULTIPLE, STACK_FRAMES, like_video_features
from quovadis.recognizer import load
from quovadis.report.progress import DownloadDisplay, VideoProgress
from quovadis.runs.classify import discover_all, open_failures
from quovadis.video import Dense, Sampling, SlidingWindows, VideoLimits


class LikeChoice(StrEnum):
    """What other extractors do."""

    VIDEO_FEATURES = "video_features"
    I3D = "i3d"


class PoolChoice(StrEnum):
    """What is averaged."""

    NONE = "none"
    SPACE = "space"
    ALL = "all"


class WindowsChoice(StrEnum):
    """What becomes of frames at the end that no full window covers."""

    FULL = "full"
    LOOP = "loop"
    JOIN = "join"


class CropsChoice(StrEnum):
    """How many crops of each frame."""

    ONE = "1"
    THREE = "3"
    FIVE = "5"
    TEN = "10"


class FormatChoice(StrEnum):
    """How features are written."""

    NPY = "npy"
    NPZ = "npz"
    PARQUET = "parquet"
    HDF5 = "hdf5"
    VIDEO_FEATURES = "video_features"


def features(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE...", help="Files, folders, folders of images, addresses.", show_default=False),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")] = Path("features"),
    like: Annotated[
        LikeChoice | None,
        typer.Option(help="As v-iashin/video_features does, or as the paper: 25 fps, a feature every 8 frames."),
    ] = None,
    endpoint: Annotated[
        str, typer.Option(help="Layer of the network: those of quovadis info, but for Input and Logits.")
    ] = "Mixed_5c",
    pool: Annotated[
        PoolChoice, typer.Option(help="Average over space, over all, or keep the whole map.")
    ] = PoolChoice.ALL,
    clip_frames: Annotated[
        int | None, typer.Option(min=9, help="Frames of a window.", show_default="79, video_features 64")
    ] = None,
    stride: Annotated[
        int | None, typer.Option(min=1, help="Frames between the starts of windows.", show_default="clip frames")
    ] = None,
    windows: Annotated[
        WindowsChoice | None,
        typer.Option(
            help="Frames left at the end: full drops them, loop repeats them to fill a window, join extends the last.",
            show_default="loop 9 frames or more, join fewer; video_features full",
        ),
    ] = None,
    crops: Annotated[
        CropsChoice,
        typer.Option(help="1: centre; 3: along the longer side; 5: corners and centre; 10: these five, and mirrored."),
    ] = CropsChoice.ONE,
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
    form: Annotated[
        FormatChoice | None,
        typer.Option("--format", help="How features are written.", show_default="npy, or as --like has it"),
    ] = None,
    restart: Restart = False,
    weights_name: WeightsName = "auto",
    device: Device = "CPU",
    engine: Engine = EngineChoice.AUTO,
    threads: Threads = None,
    precision: Precision = None,
    workers: Workers = 2,
    allow_partial: AllowPartial = False,
    max_pixels: MaxPixels = LIMITS.max_pixels,
    max_frames: MaxFrames = LIMITS.max_frames,
    max_seconds: MaxSeconds = LIMITS.max_seconds,
    as_json: AsJSON = False,
    quiet: Quiet = False,
) -> None:
    """Write features of videos for other models to learn from; resumes where it was stopped."""
    options = _options(like, endpoint, pool, clip_frames, stride, fps, windows, crops, dense=dense)
    if like is LikeChoice.VIDEO_FEATURES and options.windows.clip_frames % EXACT_STACK_MULTIPLE:
        notify(
            f"note: of stacks of {options.windows.clip_frames} frames video_features' own values differ by tens of "
            f"per cent: its network pads in another way; they agree for multiples of {EXACT_STACK_MULTIPLE}"
        )
    usual = FormatChoice.VIDEO_FEATURES if like is LikeChoice.VIDEO_FEATURES else FormatChoice.NPY
    unusable: list[str] = []

    def fail(source: str, error: Exception) -> None:
        unusable.append(source)
        notify(f"error: {error}")

    expanded = discover_all(sources, fail)
    limits = VideoLimits(max_pixels=max_pixels, max_frames=max_frames, max_seconds=max_seconds)
    # Known before anything is loaded, written or forgotten; but what an earlier run has is for the record to say.
    if not expanded or restart or not (output / LEDGER_NAME).exists():
        errors = open_failures(expanded, limits, allow_partial=allow_partial)
        if errors is not None:
            for source, error in errors:
                fail(source, error)
            _show([], output, as_json=as_json)
            raise typer.Exit(1)
    with DownloadDisplay(stderr(), enabled=not quiet) as download:
        model = load(
            weights_name,
            device=device,
            threads=threads,
            engine=engine.value,
            precision=None if precision is None else precision.value,
            hint=HintChoice.LATENCY.value,
            calibration_fallback=expanded,
            notify=notify,
            progress=download,
        )
    if like is LikeChoice.VIDEO_FEATURES and weights_name == "auto" and model.weights.name != "rgb-imagenet":
        notify(f"note: video_features' own features are those of rgb-imagenet, and these are of {model.weights.name}")
    told: set[str] = set()
    with resumable(), VideoProgress(stderr(), "features", enabled=not quiet) as progress:

        def tell_notes(video: Extracted) -> None:
            told.add(video.source)
            for note in video.notes:
                notify_above(progress, f"note: {video.source}: {note}")

        made = extract_features(
            model,
            expanded,
            output,
            options,
            (form or usual).value,
            restart=restart,
            workers=workers,
            limits=limits,
            allow_partial=allow_partial,
            observer=progress,
            on_done=tell_notes,
            on_failure=lambda source, error: notify_above(progress, f"error: {error}"),
        )
        # What is unusual of a video is no less so when an earlier run has done it.
        for video in made.videos:
            if video.source not in told:
                tell_notes(video)
    _show(made.videos, output, as_json=as_json)
    if unusable or made.failures:
        raise typer.Exit(1)


def _show(videos: Sequence[Extracted], output: Path, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([asdict(video) for video in videos], indent=2, ensure_ascii=False))
        return
    console = Console(highlight=False)
    for video in videos:
        shape = " x ".join(map(str, video.shape))
        console.print(printable(f"{output / video.files[0]}: {shape}"), soft_wrap=True, markup=False)


def _options(
    like: LikeChoice | None,
    endpoint: str,
    pool: PoolChoice,
    clip_frames: int | None,
    stride: int | None,
    fps: Any,
    windows: WindowsChoice | None,
    crops: CropsChoice,
    *,
    dense: bool,
) -> FeatureOptions:
    if like is LikeChoice.VIDEO_FEATURES:
        if dense:
            raise typer.BadParameter("video_features takes windows: leave out --dense, or take --like i3d")
        base = like_video_features(clip_frames or STACK_FRAMES, stride or clip_frames or STACK_FRAMES)
        # Asked for by name, a full window counts whether or not a frame follows it.
        clips = base.windows if windows is None else replace(base.windows, lookahead_frames=0, **_remainder(windows))
        sampling = replace(base.sampling, clips=clips, fps=base.sampling.fps if fps is None else fps)
        return replace(base, endpoint=endpoint, pool=pool.value, sampling=sampling, **_crops(crops))
    chosen: SlidingWindows | Dense = Dense()
    if not dense and like is not LikeChoice.I3D:
        chosen = SlidingWindows(clip_frames=clip_frames or CLIP_FRAMES, stride=stride, **_remainder(windows))
    elif windows is not None:
        raise ArchitectureError("dense mode has no windows that could be full: choose one or the other")
    elif (clip_frames or CLIP_FRAMES) != CLIP_FRAMES or stride is not None:
        raise ArchitectureError(
            "dense mode has no windows: leave out their length and stride (--clip-frames, --stride)"
        )
    sampling = Sampling(clips=chosen, fps=FRAMES_PER_SECOND if fps is None else fps)
    return FeatureOptions(endpoint=endpoint, pool=pool.value, sampling=sampling, **_crops(crops))


def _crops(crops: CropsChoice) -> dict[str, Any]:
    return {"crops": int(crops.value)}


def _remainder(windows: WindowsChoice | None) -> dict[str, Any]:
    return {} if windows is None else {"remainder": "drop" if windows is WindowsChoice.FULL else windows.value}
