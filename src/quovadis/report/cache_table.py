"""What lies in the cache, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from quovadis.cache import CachedItem
from quovadis.escape import printable
from quovadis.report.fitted_table import Column, FittedTable


def megabytes(count: int) -> str:
    """Return a number of bytes for people."""
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def cache_table(folder: str, items: Sequence[CachedItem]) -> RenderableType:
    """List what is in the cache, and how much it is in all."""
    total = f"{folder}: {megabytes(sum(item.bytes for item in items))}"
    table = FittedTable(
        Column("kind", is_text=True, wraps=False),
        Column("name", is_text=True),
        Column("size"),
        Column("date", is_optional=True),
        Column("belongs to", is_text=True, is_optional=True),
    )
    for item in items:
        cells = (item.kind, item.name, megabytes(item.bytes), item.modified[:10], item.belongs_to)
        table.add_row(*map(printable, cells))
    parts: list[RenderableType] = [table, ""] if items else []
    return Group(*parts, Text(printable(total)))
