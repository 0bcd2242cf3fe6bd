"""quovadis inflate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from quovadis import inflation
from quovadis.cli.command import Quiet
from quovadis.cli.options import AsJSON, notices
from quovadis.cli.usage import Excludes, Needs, command_line_checks
from quovadis.escape import printable
from quovadis.inflation import Inflation, InputScaling


def inflate(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="TF-slim's Inception-v1 (a TensorFlow checkpoint), or torchvision's GoogLeNet (a state dict).",
            show_default=False,
        ),
    ],
    destination: Annotated[
        Path, typer.Argument(metavar="DESTINATION", help=".safetensors file to write.", show_default=False)
    ],
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Class names of the last layer, one per line; makes a new one."),
    ] = None,
    num_classes: Annotated[int | None, typer.Option(help="Make a new last layer of this many classes.", min=1)] = None,
    keep_head: Annotated[
        bool,
        typer.Option("--keep-head", help="Keep the source's last layer; --labels then names its classes."),
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
            help="Pixels that SOURCE was trained on. symmetric: -1 to 1; unit: 0 to 1; imagenet: 0 to 1, less "
            "ImageNet's mean, divided by its deviation."
        ),
    ] = "symmetric",
    overwrite: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    as_json: AsJSON = False,
    quiet: Quiet = False,
) -> None:
    """Make I3D's weights from an image network, Inception-v1, by repeating its filters along time.

    Examples:
        quovadis inflate inception_v1.ckpt i3d.safetensors
        quovadis inflate googlenet.pth i3d.safetensors --labels my_classes.txt
    """
    with command_line_checks():
        inflation.check_name(destination)
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
