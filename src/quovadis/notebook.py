"""Small HTML tables, as notebooks show results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from quovadis.escape import escaped, printable


def html_table(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]], notes: Sequence[str] = ()) -> str:
    """Return a table in HTML that loads nothing from elsewhere.

    Args:
        caption: stands above the table.
        header: names of the columns.
        rows: texts of the cells; names of files and classes may hold any characters.
        notes: sentences under the table.
    """
    head = _row("th", header)
    body = "".join(_row("td", row) for row in rows)
    under = "".join(f"<p>{_text(note)}</p>" for note in notes)
    table = f"<caption>{_text(caption)}</caption><thead>{head}</thead><tbody>{body}</tbody>"
    return f"<div><table>{table}</table>{under}</div>"


def percent(probability: float) -> str:
    """Return a probability as people read it."""
    return f"{100 * probability:.1f} %"


def _row(tag: str, cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{_text(cell)}</{tag}>' for cell in cells)}</tr>"


def _text(text: str) -> str:
    return escape(printable(escaped(text)))
