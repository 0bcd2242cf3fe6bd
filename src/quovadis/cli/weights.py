"""quovadis weights."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated

import typer
from rich.console import Console

from quovadis import weights
from quovadis.cli.command import Quiet, add_command, complete_weights, one_of
from quovadis.cli.options import AsJSON, notices, stderr
from quovadis.cli.spelling import with_flags
from quovadis.errors import QuovadisError
from quovadis.report.progress import DownloadDisplay
from quovadis.report.weights_table import catalogue_records, catalogue_table, verification_table

app = typer.Typer(help="Fetch, find and check the official weights.", no_args_is_help=True)


def _official_name(text: str) -> str:
    if text not in weights.CATALOGUE:
        raise typer.BadParameter(f"no official weights are called {text}; there are {', '.join(weights.CATALOGUE)}")
    return text


Name = Annotated[
    str,
    typer.Argument(
        parser=_official_name,
        metavar="NAME",
        help=f"One of {', '.join(weights.CATALOGUE)}.",
        autocompletion=one_of(*weights.CATALOGUE),
    ),
]


def list_weights(as_json: AsJSON = False) -> None:
    """List the official weights and which of them are cached.

    Examples:
        quovadis weights list --json
    """
    if as_json:
        typer.echo(json.dumps(catalogue_records(), indent=2))
    else:
        Console(highlight=False).print(catalogue_table())


def pull(
    name: Name,
    force: Annotated[bool, typer.Option("--force", help="Fetch again even if cached.")] = False,
    quiet: Quiet = False,
) -> None:
    """Fetch official weights into the cache and print their path.

    Examples:
        quovadis weights pull rgb-imagenet
    """
    with DownloadDisplay(stderr(), enabled=not quiet) as download:
        path = weights.pull(name, force=force, progress=download, notify=notices(quiet=quiet))
    typer.echo(path)


def check_weights(name: str) -> weights.Verification:
    """Check weights; what to do about a problem is said as on the command line."""
    checked = weights.verify(name)
    return checked if checked.problem is None else replace(checked, problem=with_flags(checked.problem))


def verify(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FILE", help="Official weights in the cache, or a file.", autocompletion=complete_weights
        ),
    ],
    as_json: AsJSON = False,
) -> None:
    """Check every checksum of a weights file.

    Examples:
        quovadis weights verify rgb-scratch
        quovadis weights verify model.ckpt
    """
    checked = check_weights(name)
    if as_json:
        typer.echo(json.dumps(checked.to_dict(), indent=2))
    else:
        Console(highlight=False).print(verification_table(checked))
    if not checked.ok:
        raise typer.Exit(1)


def weights_path(name: Name) -> None:
    """Print where cached weights are.

    Examples:
        quovadis weights path rgb-scratch
    """
    path = weights.cached_path(name)
    if path is None:
        raise QuovadisError(f"{name} is not cached: run quovadis weights pull {name}")
    typer.echo(path)


for function, name in ((list_weights, "list"), (pull, "pull"), (verify, "verify"), (weights_path, "path")):
    add_command(app, function, name)
