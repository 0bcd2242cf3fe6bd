"""Weights files as tables: which are official, which are cached, whether their checksums hold."""

from __future__ import annotations

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from quovadis.weights import CATALOGUE, Verification, cached_path


def catalogue_table() -> RenderableType:
    """List the official weights, where they come from and where they are cached."""
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in ("name", "what", "cached at"):
        table.add_column(heading, overflow="fold")
    for name, entry in CATALOGUE.items():
        path = cached_path(name)
        table.add_row(name, entry.description, "–" if path is None else escape(str(path)))
    return table


def verification_table(checked: Verification) -> RenderableType:
    """Draw what `weights.verify` found."""
    raise NotImplementedError
