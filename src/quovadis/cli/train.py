"""quovadis train."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from quovadis.cli.command import OUTPUT, RUN, Without, one_of
from quovadis.cli.options import Quiet, notify, notify_above, parse_fps, stderr
from quovadis.cli.spelling import running
from quovadis.cli.usage import command_line_checks, is_given
from quovadis.errors import QuovadisError
from quovadis.escape import printable
from quovadis.report.training import TrainingProgress, evaluation_line
from quovadis.training.config import RECIPES, read_config, resolve
from quovadis.training.options import TrainingOptions
from quovadis.training.run_options import RunOptions

OPTIONS, RUN_OPTIONS = TrainingOptions(), RunOptions()
"""What they are where nothing is given."""


def train(
    dataset: Annotated[
        Path,
        typer.Argument(
            metavar="DATASET", help="A folder for each class, a list, Kinetics, UCF-101, HMDB-51.", show_default=False
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="FOLDER",
            help="Folder of the run; with a run in it, that goes on.",
            show_default=False,
            rich_help_panel=OUTPUT,
        ),
    ],
    config: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help=f"Options in TOML or YAML, or a recipe: {', '.join(RECIPES)}. Flags count before it.",
            autocompletion=one_of(*RECIPES),
        ),
    ] = None,
    options: TrainingOptions = OPTIONS,
    run: RunOptions = RUN_OPTIONS,
    sampling: Annotated[ClipSampling, Without("scales")] = SAMPLING,
    restart: Annotated[
        bool, typer.Option("--restart", help="Start over, discarding the training in the folder.", rich_help_panel=RUN)
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Train on videos of one's own classes, or as the paper did; goes on if interrupted.

    Examples:
        quovadis train my_videos/ --out runs/mine
        quovadis train my_videos/ --out runs/mine --stage head,full --from Mixed_4f --epochs 10
        quovadis train kinetics/train.csv --out runs/k400 --config paper-kinetics --device cuda --amp bf16
    """
