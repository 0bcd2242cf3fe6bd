"""quovadis info and quovadis sample."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console

from quovadis import samples
from quovadis.cli.command import Quiet, complete_weights
from quovadis.cli.options import AsJSON, notices, stderr
from quovadis.cli.weights import check_weights
from quovadis.report.model_card import model_card, model_card_table
from quovadis.report.progress import DownloadDisplay
from quovadis.report.weights_table import verification_table


def info(
    weights_name: Annotated[
        str | None,
        typer.Argument(
            metavar="[WEIGHTS]",
            help="An official name or a file to identify.",
            show_default=False,
            autocompletion=complete_weights,
        ),
    ] = None,
    frames: Annotated[int, typer.Option(min=9, help="Frames of the clip to count for.")] = 79,
    as_json: AsJSON = False,
) -> None:
    """Print the model card: operations, parameters, inputs, outputs, stages; and what a weights file is.

    Examples:
        quovadis info
        quovadis info model.ckpt
    """
    card = model_card(frames)
    checked = None if weights_name is None else check_weights(weights_name)
    if as_json:
        typer.echo(json.dumps({**card, "weights": None if checked is None else checked.to_dict()}, indent=2))
    else:
        console = Console(highlight=False)
        console.print(model_card_table(card))
        if checked is not None:
            console.print("", verification_table(checked), sep="\n")
    if checked is not None and not checked.ok:
        raise typer.Exit(1)


def sample(quiet: Quiet = False) -> None:
    """Fetch a sample clip and print its path.

    Examples:
        quovadis classify $(quovadis sample)
    """
    with DownloadDisplay(stderr(), enabled=not quiet) as download:
        path = samples.sample_clip(progress=download, notify=notices(quiet=quiet))
    typer.echo(path)
