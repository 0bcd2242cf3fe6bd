"""Every command of the command line, with its name as it is typed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer.main

from quovadis.cli.main import app


def _below(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    subcommands = getattr(command, "commands", None)
    if subcommands is None:
        yield path, command
    for name, one in (subcommands or {}).items():
        yield from _below(one, f"{path} {name}".strip())


COMMANDS: dict[str, Any] = dict(_below(typer.main.get_command(app), ""))
