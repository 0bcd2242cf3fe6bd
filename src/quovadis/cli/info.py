"""quovadis info and quovadis sample."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from quovadis import samples
from quovadis.architecture import CLIP_FRAMES, NUM_CLASSES
from quovadis.cli.command import Quiet, complete_weights
from quovadis.cli.options import AsJSON, notices, stderr
from quovadis.cli.weights import check_weights
from quovadis.report.model_card import model_card, model_card_table
from quovadis.report.progress import DownloadDisplay
from quovadis.report.weights_table import verification_table
from quovadis.training.output import training_told


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
    frames: Annotated[
        int | None,
        typer.Option(min=9, help="Frames of the clip to count for.", show_default="what WEIGHTS take, else 79"),
    ] = None,
    as_json: AsJSON = False,
) -> None:
    """Print the model card: operations, parameters, inputs, outputs, stages; before it, what WEIGHTS are.

    Examples:
        quovadis info
        quovadis info runs/mine/best.safetensors
    """
    checked = None if weights_name is None else check_weights(weights_name)
    # The card of Kinetics-400 fits official weights of as many classes alone.
    is_other = (
        checked is not None and checked.ok and (checked.official_name is None or checked.num_classes != NUM_CLASSES)
    )
    clip_frames = frames or (checked.input.clip_frames if checked is not None else None) or CLIP_FRAMES
    card = model_card(clip_frames, own_classes=checked.num_classes if checked is not None and is_other else None)
    training = {} if checked is None else training_told(Path(checked.source))
    if as_json:
        told = None if checked is None else {**checked.to_dict(), "training": training}
        typer.echo(json.dumps({**card, "weights": told}, indent=2))
    else:
        console = Console(highlight=False)
        if checked is not None:
            console.print(verification_table(checked, training), "", sep="\n")
        if checked is None or checked.ok:
            console.print(model_card_table(card))
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
