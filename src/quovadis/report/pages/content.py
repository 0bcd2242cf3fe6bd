"""What a report for people is made of, whatever it is written as, and how figures read in it."""

from __future__ import annotations

import math
from dataclasses import dataclass

NOTHING = "–"
"""Stands where there is no figure."""


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    heading: str
    is_number: bool = False
    """Numbers stand at the right."""


@dataclass(frozen=True)
class Table:
    """Rows of text, each as long as there are columns."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    thumbnails: tuple[bytes | None, ...] = ()
    """A JPEG picture before each row, or None for a row that has none; empty: no row has; only where a report can
    draw."""


@dataclass(frozen=True)
class Mark:
    """A published figure on the axis of a measured one."""

    value: float
    """In 0..1."""
    text: str
    same_protocol: bool


@dataclass(frozen=True)
class Bar:
    """A measured figure on an axis from 0 to 100 %."""

    name: str
    value: float
    """In 0..1."""
    interval: tuple[float, float] | None
    """Both ends in 0..1."""
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Curve:
    """One line of a chart."""

    name: str
    points: tuple[tuple[float, float], ...]
    """Ascending in x; values that are no number leave a gap."""


@dataclass(frozen=True)
class Chart:
    """Curves over one axis, drawn; only where a report can draw."""

    title: str
    curves: tuple[Curve, ...]
    x_title: str
    is_share: bool = False
    """Whether values are shares from 0 to 1, printed as percentages; else the axis is as long as the values need."""
    mark_x: float | None = None
    """Where a vertical line stands, such as at the best epoch."""
    mark_text: str = ""
    """What the line says."""


@dataclass(frozen=True)
class Section:
    """One heading and what stands under it, in the order of the fields."""

    title: str
    paragraphs: tuple[str, ...] = ()
    bars: tuple[Bar, ...] = ()
    """The first rows of the table, drawn; only where a report can draw."""
    charts: tuple[Chart, ...] = ()
    commands: tuple[str, ...] = ()
    """Lines for a shell, each to be copied as it is; only where a report can draw."""
    table: Table | None = None
    folded: str | None = None
    """What opens the table, where a report can fold; None: it stands open."""
    picture: str | None = None
    """What the confusion matrix shows, for who cannot see it; None: it does not stand here."""


@dataclass(frozen=True)
class Report:
    """All of it."""

    title: str
    paragraphs: tuple[str, ...]
    sections: tuple[Section, ...]


def percent(value: float) -> str:
    """Return a share as it is printed."""
    return NOTHING if math.isnan(value) else f"{100 * value:.1f} %"


def fine_percent(value: float) -> str:
    """Return a share as it is printed beside published ones, which have two decimals."""
    return NOTHING if math.isnan(value) else f"{100 * value:.2f} %"


def fine_number(value: float) -> str:
    """Return a number that is no share, such as a loss or a learning rate, with three digits."""
    return NOTHING if math.isnan(value) else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def interval_percent(interval: tuple[float, float]) -> str:
    """Return both ends of an interval as they are printed."""
    lower, upper = interval
    return f"{100 * lower:.2f}–{100 * upper:.2f} %"


def duration(seconds: float) -> str:
    """Return a span of time in the unit that suits it."""
    if seconds < 120:
        return f"{seconds:.1f} seconds"
    return f"{seconds / 60:.1f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
