"""quovadis inflate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from quovadis import inflation
from quovadis.cli.command import Quiet
from quovadis.cli.options import AsJSON, notices
from quovadis.cli.usage import Excludes, Needs
from quovadis.escape import printable
from quovadis.inflation import Inflation, InputScaling


def inflate(
    source: Annotated[
        str,
        typer.Argument(
            help="TF-slim's Inception-v1 (a TensorFlow checkpoint), or torchvision's GoogLeNet (a state dict).",
            show_default=False,
        ),
    ],
    destination: Annotated[Path, typer.Argument(help=".safetensors file to write.", show_default=False)],
    labels: Annotated[
        Path | None,
        typer.Option(help="Class names, one a line, of a new last layer, or of the kept one."),
    ] = None,
    num_classes: Annotated[int | None, typer.Option(help="Make a new last layer of so many classes.", min=1)] = None,
    keep_head: Annotated[
        bool,
        typer.Option("--keep-head", help="Keep the source's last layer, as without any classes."),
        Excludes("num_classes"),
    ] = False,
    seed: Annotated[
        int,
        typer.Option(help="Seed of a new last layer's random weights.", min=0),
        Excludes("keep_head"),
        Needs("labels", "num_classes"),
    ] = 0,
    input_scaling: Annotated[
        InputScaling,
        typer.Option(
            help="Pixels that SOURCE was trained on: from -1 to 1, from 0 to 1, or less ImageNet's mean and divided by "
            "its deviation."
        ),
    ] = "symmetric",
    overwrite: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
    as_json: AsJSON = False,
    quiet: Quiet = False,
) -> None:
    """Make I3D of Inception-v1 for images: each filter is repeated along time and divided by its extent.

    Examples:
        quovadis inflate inception_v1.ckpt i3d.safetensors
        quovadis inflate googlenet.pth i3d.safetensors --labels my_classes.txt
    """
    done = inflation.inflate(
        source,
        destination,
        labels=labels,
        num_classes=num_classes,
        keep_head=keep_head,
        seed=seed,
        input_scaling=input_scaling,
        overwrite=overwrite,
        notify=notices(quiet=quiet),
    )
    if as_json:
        typer.echo(json.dumps(done.to_dict(), indent=2))
    elif not quiet:
        typer.echo(printable(_summary(done)))


def _summary(done: Inflation) -> str:
    head = "the source's last layer" if done.head == "source" else f"a new last layer, seed {done.seed}"
    return f"{done.path}: I3D inflated from {done.network}, {done.num_classes} classes, {head}"
