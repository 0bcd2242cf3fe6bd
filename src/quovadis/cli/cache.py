"""quovadis cache."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Literal

import typer
from rich.console import Console

from quovadis.cache import CachedItem, cached_items, remove
from quovadis.cli.command import Quiet, add_command
from quovadis.cli.options import AsJSON, notices, notify
from quovadis.cli.spelling import running
from quovadis.cli.usage import UsageError
from quovadis.environment import home
from quovadis.escape import counted
from quovadis.report.cache_table import cache_table, megabytes

app = typer.Typer(
    help="List and clear the cache: weights, samples, compiled graphs, calibrations.", no_args_is_help=True
)


def list_cache(as_json: AsJSON = False) -> None:
    """List what is in the cache: size, date, and what it belongs to.

    Examples:
        quovadis cache list --json
    """
    items = cached_items()
    if as_json:
        document = {
            "folder": str(home()),
            "bytes": sum(item.bytes for item in items),
            "items": [item.to_dict() for item in items],
        }
        typer.echo(json.dumps(document, indent=2))
    else:
        Console(highlight=False).print(cache_table(str(home()), items))


def clear(
    kind: Annotated[
        Literal["weights", "samples", "compiled", "calibrations", "all"],
        typer.Argument(metavar="KIND", help="weights, samples, compiled, calibrations, or all."),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    quiet: Quiet = False,
) -> None:
    """Remove what is in the cache; it is fetched or made again when it is needed.

    Examples:
        quovadis cache clear compiled
        quovadis cache clear all --yes
    """
    tell = notices(quiet=quiet)
    items = [item for item in cached_items() if kind in ("all", item.kind)]
    if not items:
        tell("nothing to remove")
        return
    if not yes:
        _ask(items)
    removed = remove(items, notify)
    tell(f"removed {_summary(removed)}")
    if len(removed) < len(items):
        raise typer.Exit(1)


def _ask(items: list[CachedItem]) -> None:
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask on; give --yes to remove without asking", running())
    for item in items:
        typer.echo(f"{item.kind}: {item.name}, {megabytes(item.bytes)}", err=True)
    if not typer.confirm(f"Remove {_summary(items)}?", err=True):
        raise typer.Exit(1)


def _summary(items: list[CachedItem]) -> str:
    files = sum(len(item.paths) for item in items)
    return f"{counted(files, 'file')}, {megabytes(sum(item.bytes for item in items))}"


for function, name in ((list_cache, "list"), (clear, "clear")):
    add_command(app, function, name)
