"""The command line: one function a command, each gathering options for the package to work with.

Results go to stdout; progress, notices and errors to stderr. Exit codes: 0 all went well, 1 something could not be done
(each thing with a line on stderr), 2 the command line was wrong, 130 interrupted.
"""

from __future__ import annotations

import io
import json
import os
import sys
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from quovadis import samples, weights
from quovadis.errors import QuovadisError
from quovadis.export import convert
from quovadis.export.conversion import RECIPES, SERVERS
from quovadis.export.formats import FORMATS
from quovadis.progress import ignore_notice
from quovadis.recognizer import load
from quovadis.report.model_card import model_card, model_card_table
from quovadis.report.output import ResultOutput
from quovadis.report.progress import ClipProgress, DownloadDisplay
from quovadis.report.weights_table import catalogue_records, catalogue_table, verification_table
from quovadis.runner import classify_sources
from quovadis.sampling import FRAMES_PER_SECOND, Sampling
from quovadis.timeline import DEFAULT_THRESHOLD, with_segments
from quovadis.version import __version__
from quovadis.video import VideoLimits

app = typer.Typer(
    name="quovadis",
    help="Recognise human actions in video with I3D.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
weights_app = typer.Typer(help="Fetch, find and check the official weights.", no_args_is_help=True)
app.add_typer(weights_app, name="weights")

INTERRUPTED = 130
LIMITS = VideoLimits()

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
AsJSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class ClipChoice(StrEnum):
    """Which clips of a video to look at."""

    ALL = "all"
    CENTRE = "centre"


def _stderr() -> Console:
    return Console(stderr=True, highlight=False)


def _notify(message: str) -> None:
    typer.echo(f"quovadis: {message}", err=True)


class EngineChoice(StrEnum):
    """What runs the network."""

    AUTO = "auto"
    NATIVE = "native"
    OPENVINO = "openvino"
    TORCH = "torch"


class HintChoice(StrEnum):
    """What to be fast at."""

    LATENCY = "latency"
    THROUGHPUT = "throughput"


class PrecisionChoice(StrEnum):
    """What the network computes in."""

    F32 = "f32"
    INT8 = "int8"
    AUTO = "auto"


class LayoutChoice(StrEnum):
    """Order of a written model's input axes."""

    BDCHW = "BDCHW"
    BDHWC = "BDHWC"


class CompressionChoice(StrEnum):
    """How a written model stores its weights."""

    NONE = "none"
    FP16 = "fp16"


def _size(text: str) -> int | str:
    if text == "any":
        return text
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter('give a number, or "any" to leave it free') from None


def _fps(text: str) -> float | str:
    if text == "native":
        return text
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter('give frames a second, or "native" to keep every frame') from None


@app.callback(invoke_without_command=True)
def version_option(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,
) -> None:
    """Recognise human actions in video with I3D."""
    if version:
        typer.echo(f"quovadis {__version__}")
        raise typer.Exit


@app.command()
def classify(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...", help="Files, folders, folders of images, addresses, camera:0.", show_default=False
        ),
    ],
    weights_name: Annotated[str, typer.Option("--weights", "-w", help="auto, an official name, or a file.")] = "auto",
    labels: Annotated[Path | None, typer.Option(help="Class names, one a line, if not Kinetics-400.")] = None,
    top: Annotated[int, typer.Option(min=1, help="How many classes to show.")] = 5,
    clip: Annotated[
        ClipChoice, typer.Option(help="Windows over all of the video, or the one in its centre.")
    ] = ClipChoice.ALL,
    clip_frames: Annotated[int, typer.Option(min=9, help="Frames of a clip.")] = 79,
    stride: Annotated[
        int | None, typer.Option(min=1, help="Frames between the starts of clips.", show_default="clip frames")
    ] = None,
    fps: Annotated[Any, typer.Option(parser=_fps, metavar="FPS|native", help="Frames a second to resample to.")] = str(
        FRAMES_PER_SECOND
    ),
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
    duration: Annotated[float | None, typer.Option(help="Seconds of the video to read; ends a camera.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON document.")] = False,
    as_jsonl: Annotated[bool, typer.Option("--jsonl", help="Write one JSON object a video.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Write one row a class.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write to this file, its suffix telling the format; - is stdout."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the timeline: a picture, or for several videos a folder.")
    ] = None,
    device: Annotated[str, typer.Option(help="CPU, cuda, or an OpenVINO device: GPU, NPU, AUTO….")] = "CPU",
    engine: Annotated[
        EngineChoice, typer.Option(help="What runs the network; auto: the fastest for device and precision.")
    ] = EngineChoice.AUTO,
    hint: Annotated[
        HintChoice, typer.Option(help="One clip as soon as possible, or several clips at once.")
    ] = HintChoice.LATENCY,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.", show_default="physical cores")] = None,
    precision: Annotated[
        PrecisionChoice, typer.Option(help="int8 is twice as fast; auto takes it once it is calibrated.")
    ] = PrecisionChoice.F32,
    calibrate: Annotated[
        list[str] | None,
        typer.Option(metavar="SOURCE", help="Calibrate int8 on this; repeat for more.", show_default="the videos"),
    ] = None,
    allow_partial: Annotated[bool, typer.Option(help="Classify what is there of a damaged or cut-off video.")] = False,
    fail_fast: Annotated[bool, typer.Option(help="Stop at the first video that fails.")] = False,
    max_pixels: Annotated[int, typer.Option(min=1, help="Refuse larger frames.")] = LIMITS.max_pixels,
    max_frames: Annotated[int, typer.Option(min=1, help="Refuse videos of more frames.")] = LIMITS.max_frames,
    max_seconds: Annotated[float, typer.Option(min=0.001, help="Refuse longer videos.")] = LIMITS.max_seconds,
    quiet: Quiet = False,
) -> None:
    """Say what people do in videos."""
    sampling = Sampling(
        clip="dense" if dense or timeline else clip.value,
        clip_frames=clip_frames,
        stride=stride,
        fps=fps,
        start_seconds=start,
        duration_seconds=duration,
        window_steps=window,
        chunk_frames=chunk,
    )
    limits = VideoLimits(max_pixels=max_pixels, max_frames=max_frames, max_seconds=max_seconds)
    formats = [name for name, wanted in (("json", as_json), ("jsonl", as_jsonl), ("csv", as_csv)) if wanted]
    with ExitStack() as stack:
        results = stack.enter_context(
            ResultOutput(formats=formats, output=output, plot=plot, top=top, several=len(sources) > 1)
        )
        with DownloadDisplay(_stderr(), enabled=not quiet) as download:
            model = load(
                weights_name,
                device=device,
                threads=threads,
                engine=engine.value,
                hint=hint.value,
                precision=precision.value,
                calibration=calibrate,
                calibration_fallback=sources,
                labels=labels,
                notify=_notify,
                progress=download,
            )
        failures = classify_sources(
            model,
            sources,
            sampling=sampling,
            limits=limits,
            allow_partial=allow_partial,
            fail_fast=fail_fast,
            observe=lambda title: ClipProgress(_stderr(), title, enabled=not quiet),
            on_result=lambda result: results.result(with_segments(result, threshold) if timeline else result),
            on_failure=results.failure,
        )
    if failures:
        raise typer.Exit(1)


@app.command("convert")
def convert_command(
    source: Annotated[str, typer.Argument(help="auto, an official name, or a file of weights.", show_default=False)],
    destination: Annotated[
        Path, typer.Argument(help="File to write; folder, for a repository or a recipe.", show_default=False)
    ],
    to: Annotated[
        str | None, typer.Option(help=f"Format: {', '.join([*FORMATS, *SERVERS])}.", show_default="by the suffix")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help=f"Write the folders of {', '.join(RECIPES)} (Open Model Zoo).")
    ] = None,
    batch: Annotated[
        Any, typer.Option(parser=_size, metavar="N|any", help="Clips in a batch.", show_default="by the format")
    ] = None,
    frames: Annotated[
        Any, typer.Option(parser=_size, metavar="N|any", help="Frames of a clip.", show_default="by the format")
    ] = None,
    layout: Annotated[LayoutChoice | None, typer.Option(help="Order of the input's axes.")] = None,
    compress: Annotated[CompressionChoice | None, typer.Option(help="How to store the weights.")] = None,
    labels: Annotated[Path | None, typer.Option(help="Class names, one a line, if not Kinetics-400.")] = None,
    verify: Annotated[bool, typer.Option(help="Run what was written and compare it with the source.")] = True,
    force: Annotated[bool, typer.Option(help="Replace what is there.")] = False,
    as_json: AsJSON = False,
    quiet: Quiet = False,
) -> None:
    """Convert weights to another form, and prove it."""
    with DownloadDisplay(_stderr(), enabled=not quiet) as download:
        done = convert(
            source,
            destination,
            to=to,
            recipe=recipe,
            batch=batch,
            frames=frames,
            layout=None if layout is None else layout.value,
            compress=None if compress is None else compress.value,
            labels=labels,
            verify=verify,
            overwrite=force,
            on_step=ignore_notice if quiet else _notify,
            notify=_notify,
            progress=download,
        )
    if as_json:
        typer.echo(json.dumps(done.to_dict(), indent=2))
        return
    for model in done.models:
        typer.echo(f"{model.path}: {model.format}: {model.difference or 'not verified'}")


@app.command()
def info(
    weights_name: Annotated[
        str | None,
        typer.Argument(metavar="[WEIGHTS]", help="An official name or a file to identify.", show_default=False),
    ] = None,
    frames: Annotated[int, typer.Option(min=9, help="Frames of the clip to count for.")] = 79,
    as_json: AsJSON = False,
) -> None:
    """Print the model card: operations, parameters, inputs, outputs, stages; and what a weights file is."""
    card = model_card(frames)
    checked = None if weights_name is None else weights.verify(weights_name)
    if as_json:
        typer.echo(json.dumps({**card, "weights": None if checked is None else checked.to_dict()}, indent=2))
        return
    console = Console(highlight=False)
    console.print(model_card_table(card))
    if checked is not None:
        console.print(verification_table(checked))


@app.command()
def sample(quiet: Quiet = False) -> None:
    """Fetch a sample clip and print its path."""
    with DownloadDisplay(_stderr(), enabled=not quiet) as download:
        path = samples.sample_clip(progress=download, notify=_notify)
    typer.echo(path)


@weights_app.command("list")
def list_weights(as_json: AsJSON = False) -> None:
    """List the official weights and which of them are cached."""
    if as_json:
        typer.echo(json.dumps(catalogue_records(), indent=2))
    else:
        Console(highlight=False).print(catalogue_table())


@weights_app.command()
def pull(
    name: Annotated[str, typer.Argument(help="rgb-imagenet or rgb-scratch.")],
    force: Annotated[bool, typer.Option(help="Fetch again even if cached.")] = False,
    quiet: Quiet = False,
) -> None:
    """Fetch official weights into the cache and print their path."""
    with DownloadDisplay(_stderr(), enabled=not quiet) as download:
        path = weights.pull(name, force=force, progress=download, notify=_notify)
    typer.echo(path)


@weights_app.command()
def verify(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", help="Official weights in the cache, or a file.")],
    as_json: AsJSON = False,
) -> None:
    """Check every checksum of a weights file."""
    checked = weights.verify(name)
    if as_json:
        typer.echo(json.dumps(checked.to_dict(), indent=2))
    else:
        Console(highlight=False).print(verification_table(checked))
    if not checked.ok:
        raise typer.Exit(1)


@weights_app.command("path")
def weights_path(name: Annotated[str, typer.Argument(help="rgb-imagenet or rgb-scratch.")]) -> None:
    """Print where cached weights are."""
    path = weights.cached_path(name)
    if path is None:
        raise QuovadisError(f"{name} is not cached: run quovadis weights pull {name}")
    typer.echo(path)


def main() -> None:
    """Run the command line; every expected error becomes one line on stderr."""
    for stream in (sys.stdout, sys.stderr):
        # File names may hold bytes that are no text; a terminal's encoding may lack the bars.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except QuovadisError as error:
        _notify(f"error: {error}")
        sys.exit(1)
    except OSError as error:
        # A reader that leaves a pipe, as `head` does, needs no word; a full disk behind stdout does.
        if not isinstance(error, BrokenPipeError):
            _notify(f"error: {error.filename or 'stdout'}: {error.strerror}")
        # Python would try to write the rest at exit, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
