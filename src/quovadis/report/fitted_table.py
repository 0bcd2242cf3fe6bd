"""A table that fits the terminal: figures are never cut, and what matters least is left out where it is narrow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.bar import Bar
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

PADDING = 2
"""Columns of the terminal between two of the table."""
MIN_TEXT_WIDTH = 24
"""Columns of the terminal that are left to text before another column is left out."""
BAR_WIDTH, MIN_BAR_WIDTH = 30, 10


@dataclass(frozen=True)
class Column:
    """A column of text."""

    heading: str = ""
    is_text: bool = False
    """Whether it stands at the left, as text does, and goes on in a next line; figures stand at the right in one."""
    wraps: bool = True
    """Whether text may go on in a next line."""
    is_optional: bool = False
    """Whether it is left out, the last such column first, where not all fit beside each other."""


class FittedTable:
    """Rows of text, and at the end of each a bar where there is room for one."""

    def __init__(self, *columns: Column, has_header: bool = True) -> None:
        self._columns = columns
        self._has_header = has_header
        self._rows: list[tuple[tuple[str, ...], float | None, str]] = []

    def add_row(self, *cells: str, bar: float | None = None, style: str = "") -> None:
        """Add a row: text without markup, and how much of a bar is filled, from 0 to 1."""
        self._rows.append((cells, bar, style))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the rows in the width there is."""
        widths = [self._width(index) for index in range(len(self._columns))]
        shown = list(range(len(self._columns)))
        optional = [index for index in shown if self._columns[index].is_optional]
        needed = [
            min(width, MIN_TEXT_WIDTH) if column.is_text and column.wraps else width
            for column, width in zip(self._columns, widths, strict=True)
        ]
        while optional and _total(needed, shown) > options.max_width:
            shown.remove(optional.pop())
        table = Table(box=None, header_style="dim", pad_edge=False, show_header=self._has_header)
        for index in shown:
            column = self._columns[index]
            table.add_column(
                column.heading,
                justify="left" if column.is_text else "right",
                overflow="fold",
                no_wrap=not (column.is_text and column.wraps),
                min_width=None if column.is_text and column.wraps else widths[index],
            )
        bar_width = min(options.max_width - _total(widths, shown) - PADDING, BAR_WIDTH)
        has_bars = bar_width >= MIN_BAR_WIDTH and any(bar is not None for _, bar, _ in self._rows)
        if has_bars:
            table.add_column(width=bar_width)
        for cells, bar, style in self._rows:
            bars = [Bar(1.0, 0.0, bar or 0.0, width=bar_width, color="cyan")] if has_bars else []
            table.add_row(*(Text(cells[index]) for index in shown), *bars, style=style)
        yield table

    def _width(self, index: int) -> int:
        heading = self._columns[index].heading if self._has_header else ""
        return max(cell_len(text) for text in (heading, *(cells[index] for cells, _, _ in self._rows)))


def _total(widths: Sequence[int], shown: Sequence[int]) -> int:
    return sum(widths[index] for index in shown) + PADDING * (len(shown) - 1)
