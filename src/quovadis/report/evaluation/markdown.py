"""The report as Markdown, with GitHub's tables."""

from __future__ import annotations

import re
from collections.abc import Iterator

from quovadis.report.pages.content import Report, Section, Table

_SPECIAL = re.compile(r"[\\`*|\[\]<>&~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
"""What would be more than text; an underscore inside a word is none."""


def markdown(report: Report, picture: str) -> str:
    """Return the report; `picture` is the confusion matrix's place beside it."""
    parts = [f"# {_text(report.title)}", *map(_text, report.paragraphs)]
    for section in report.sections:
        parts += _section(section, picture)
    return "\n\n".join(parts) + "\n"


def _section(section: Section, picture: str) -> Iterator[str]:
    yield f"## {_text(section.title)}"
    yield from map(_text, section.paragraphs)
    if section.table is not None:
        yield _table(section.table)
    if section.picture is not None:
        yield f"![{_text(section.picture)}]({picture})"


def _table(table: Table) -> str:
    lines = [
        _row(tuple(_text(column.heading) for column in table.columns)),
        _row(tuple("---:" if column.is_number else "---" for column in table.columns)),
        *(_row(tuple(map(_text, row))) for row in table.rows),
    ]
    return "\n".join(lines)


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    """Return text as Markdown that reads so: on one line, nothing in it with a meaning of its own."""
    return _SPECIAL.sub(r"\\\g<0>", " ".join(text.splitlines()))
