"""The report as one HTML file that needs no other and runs no script."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape
from importlib import resources

from quovadis.report.pages.bars import bars_html
from quovadis.report.pages.charts import charts_html
from quovadis.report.pages.content import Report, Section, Table

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Should a name ever slip through unescaped, the browser still fetches and runs nothing."""


def page(report: Report, picture: bytes) -> str:
    """Return the page; `picture` is the confusion matrix as PNG."""
    style = resources.files("quovadis.report.pages").joinpath("page.css").read_text(encoding="utf-8")
    lines = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">',
        f"<title>{escape(report.title)}</title>",
        f"<style>\n{style}</style>",
        "</head>",
        "<body>",
        "<main>",
        f"<h1>{escape(report.title)}</h1>",
        *(f"<p>{escape(text)}</p>" for text in report.paragraphs),
    ]
    for section in report.sections:
        lines += _section(section, picture)
    lines += ["</main>", "</body>", "</html>"]
    return "\n".join(lines) + "\n"


def _section(section: Section, picture: bytes) -> Iterator[str]:
    yield "<section>"
    yield f"<h2>{escape(section.title)}</h2>"
    for text in section.paragraphs:
        yield f"<p>{escape(text)}</p>"
    yield from bars_html(section.bars)
    yield from charts_html(section.charts)
    if section.commands:
        yield f"<pre>{escape(chr(10).join(section.commands))}</pre>"
    if section.table is not None and section.folded is not None:
        yield f"<details><summary>{escape(section.folded)}</summary>"
        yield from _table(section.table, section.title)
        yield "</details>"
    elif section.table is not None:
        yield from _table(section.table, section.title)
    if section.picture is not None:
        data = base64.b64encode(picture).decode()
        yield f'<img alt="{escape(section.picture)}" src="data:image/png;base64,{data}">'
    yield "</section>"


def _table(table: Table, name: str) -> Iterator[str]:
    # A wide table scrolls in its own box, by keyboard too.
    yield f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(name)}">'
    yield "<table>"
    classes = [' class="number"' if column.is_number else "" for column in table.columns]
    headings = zip(classes, table.columns, strict=True)
    cells = "".join(f'<th scope="col"{kind}>{escape(column.heading)}</th>' for kind, column in headings)
    picture_heading = '<th scope="col">frame</th>' if table.thumbnails else ""
    yield f"<thead><tr>{picture_heading}{cells}</tr></thead>"
    yield "<tbody>"
    pictures = map(_thumbnail, table.thumbnails) if table.thumbnails else [""] * len(table.rows)
    for row, picture in zip(table.rows, pictures, strict=True):
        cells = "".join(f"<td{kind}>{escape(text)}</td>" for kind, text in zip(classes, row, strict=True))
        yield f"<tr>{picture}{cells}</tr>"
    yield "</tbody>"
    yield "</table>"
    yield "</div>"


def _thumbnail(picture: bytes | None) -> str:
    if picture is None:
        return "<td></td>"
    # The video's name stands beside it.
    return f'<td><img class="thumbnail" alt="" src="data:image/jpeg;base64,{base64.b64encode(picture).decode()}"></td>'
