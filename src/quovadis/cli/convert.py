"""quovadis convert."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from quovadis.cli.options import AsJSON, Labels, Quiet, notify, stderr
from quovadis.escape import printable
from quovadis.export import convert as convert_weights
from quovadis.export.conversion import RECIPES, SERVERS
from quovadis.export.formats import FORMATS
from quovadis.export.options import Compression, Layout
from quovadis.progress import ignore_notice
from quovadis.report.progress import DownloadDisplay


def _size(text: str) -> int | str:
    if text == "any":
        return text
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter('give a number, or "any" to leave it free') from None


def convert(
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
    layout: Annotated[Layout | None, typer.Option(help="Order of the input's axes.")] = None,
    compress: Annotated[Compression | None, typer.Option(help="How to store the weights.")] = None,
    labels: Labels = None,
    verify: Annotated[bool, typer.Option(help="Run what was written and compare it with the source.")] = True,
    overwrite: Annotated[bool, typer.Option("--force/--no-force", help="Replace what is there.")] = False,
    as_json: AsJSON = False,
    quiet: Quiet = False,
) -> None:
    """Convert weights to another format, and verify the result."""
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
            on_step=ignore_notice if quiet else notify,
            notify=notify,
            progress=download,
        )
    if as_json:
        typer.echo(json.dumps(done.to_dict(), indent=2))
        return
    for model in done.models:
        typer.echo(printable(f"{model.path}: {model.format}: {model.difference or 'not verified'}"))
