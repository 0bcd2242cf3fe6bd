"""quovadis convert."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from quovadis.cli.command import Quiet, complete_weights, one_of
from quovadis.cli.options import AsJSON, Labels, notices, stderr
from quovadis.cli.usage import Excludes, command_line_checks
from quovadis.escape import printable
from quovadis.export import convert as convert_weights
from quovadis.export.conversion import RECIPES, SERVERS, plan_conversion
from quovadis.export.formats import FORMATS
from quovadis.export.options import Compression, Layout
from quovadis.report.progress import DownloadDisplay

CHOICES = (*FORMATS, *SERVERS)
"""What may be written."""


def _size(text: str) -> int | str:
    if text == "any":
        return text
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter('give a number, or "any" to leave it free') from None


def convert(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="auto, an official name, or a file of weights.",
            show_default=False,
            autocompletion=complete_weights,
        ),
    ],
    destination: Annotated[
        Path,
        typer.Argument(
            metavar="DESTINATION",
            help="File to write, or the folder of a model repository or a recipe.",
            show_default=False,
        ),
    ],
    to: Annotated[
        str | None,
        typer.Option(
            "--format",
            help=f"One of {', '.join(CHOICES)}.",
            show_default="by the suffix",
            autocompletion=one_of(*CHOICES),
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help=f"Write the folders of {', '.join(RECIPES)} (Open Model Zoo).", autocompletion=one_of(*RECIPES)
        ),
        Excludes("to"),
    ] = None,
    batch: Annotated[
        Any, typer.Option(parser=_size, metavar="N|any", help="Clips in a batch.", show_default="by the format")
    ] = None,
    frames: Annotated[
        Any, typer.Option(parser=_size, metavar="N|any", help="Frames of a clip.", show_default="by the format")
    ] = None,
    layout: Annotated[Layout | None, typer.Option(help="Order of the input's axes.")] = None,
    compress: Annotated[Compression | None, typer.Option(help="How to store the weights.")] = None,
    labels: Labels = None,
    verify: Annotated[bool, typer.Option(help="Run what was written and compare it with the source.")] = True,
    overwrite: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
    as_json: AsJSON = False,
    quiet: Quiet = False,
) -> None:
    """Convert weights to another format, and verify the result.

    Examples:
        quovadis convert rgb-scratch i3d.onnx
        quovadis convert model.pth models --format triton
    """
    with command_line_checks():
        plan_conversion(
            destination, to, recipe, {"batch": batch, "frames": frames, "layout": layout, "compress": compress}
        )
    with DownloadDisplay(stderr(), enabled=not quiet) as download:
        done = convert_weights(
            source,
            destination,
            to=to,
            recipe=recipe,
            batch=batch,
            frames=frames,
            layout=layout,
            compress=compress,
            labels=labels,
            verify=verify,
            overwrite=overwrite,
            on_step=notices(quiet=quiet),
            notify=notices(quiet=quiet),
            progress=download,
        )
    if as_json:
        typer.echo(json.dumps(done.to_dict(), indent=2))
        return
    for model in done.models if not quiet else ():
        typer.echo(printable(f"{model.path}: {model.format}: {model.difference or 'not verified'}"))
