"""Weights files as tables: which are official, which are cached, whether their checksums hold."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from quovadis.escape import printable
from quovadis.report.fitted_table import Column, FittedTable
from quovadis.weights import CATALOGUE, Verification, cached_path


def catalogue_records() -> list[dict[str, str | None]]:
    """Return the official weights in JSON's types: name, description, path in the cache or None."""
    records: list[dict[str, str | None]] = []
    for name, entry in CATALOGUE.items():
        path = cached_path(name)
        records.append({"name": name, "description": entry.description, "path": None if path is None else str(path)})
    return records


def catalogue_table() -> RenderableType:
    """List the official weights and where they are cached."""
    path = Column("cached at", is_text=True)
    table = FittedTable(
        Column("name", is_text=True, wraps=False), Column("trained on", is_text=True, is_optional=True), path
    )
    for record in catalogue_records():
        table.add_row(str(record["name"]), str(record["description"]), printable(record["path"] or "not cached"))
    return table


def verification_table(checked: Verification) -> RenderableType:
    """Draw what `weights.verify` found."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    table.add_row("weights", checked.official_name or ("not official" if checked.sha256 else "no usable weights"))
    if checked.sha256 is not None:
        table.add_row("identity", f"sha256 {checked.sha256}")
        table.add_row("checksums", f"correct for {checked.tensors} tensors, {checked.parameters:,} values")
        table.add_row("classes", str(checked.num_classes))
    for file in checked.files:
        state = {True: ", the official file", False: ", NOT the official file", None: ""}
        table.add_row("file", f"{escape(printable(file.path))}  {file.size:,} bytes{state[file.official]}")
        table.add_row("", f"sha256 {file.sha256}")
    parts: list[RenderableType] = [table]
    if checked.problem is not None:
        parts.append(Text(printable(f"problem: {checked.problem}"), style="bold red"))
    return Group(*parts)
