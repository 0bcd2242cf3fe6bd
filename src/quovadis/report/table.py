"""Predictions as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from quovadis.errors import Spell, in_python, spell_options
from quovadis.escape import printable
from quovadis.results import ClipPrediction, Segment, VideoPrediction

BAR_WIDTH = 30
MAX_CLIP_ROWS = 40
"""A longer timeline joins neighbouring clips of one class into a row."""


def prediction_table(result: VideoPrediction, count: int = 5, spell: Spell = in_python) -> RenderableType:
    """Draw one video: its best classes with bars, then its clips in order of time if there are several.

    `spell` says how options are written that the table advises.
    """
    parts: list[RenderableType] = [_header(result), _top_table(result, count)]
    if result.timeline is not None:
        parts.append(_segments(result.timeline, spell))
    elif len(result.clips) > 1:
        parts.append(_timeline(result.clips))
    parts.extend(Text(printable(f"note: {note}"), style="yellow") for note in result.notes)
    return Group(*parts, "")


def _header(result: VideoPrediction) -> Text:
    noun = "clip" if result.mean_logits is None else "step"
    clips = f"1 {noun}" if len(result.clips) == 1 else f"{len(result.clips)} {noun}s"
    seconds = result.clips[-1].end_seconds - result.clips[0].start_seconds
    text = Text(printable(result.source), style="bold")
    return text.append(f"  {clips}, {seconds:.2f} s, weights {result.weights.name}", style="dim not bold")


def _top_table(result: VideoPrediction, count: int) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(justify="right")
    table.add_column(min_width=24)
    table.add_column(width=BAR_WIDTH)
    for prediction in result.top(count):
        probability = prediction.probability
        table.add_row(
            _percent(probability), _cell(prediction.label), Bar(1.0, 0.0, probability, width=BAR_WIDTH, color="cyan")
        )
    return table


@dataclass(frozen=True)
class _Row:
    start_seconds: float
    end_seconds: float
    label: str
    probability: float
    clips: int


def _timeline(clips: tuple[ClipPrediction, ...]) -> Table:
    rows = list(_clip_rows(clips))
    joined = len(rows) > MAX_CLIP_ROWS
    if joined:
        rows = list(_join(rows))
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("seconds", justify="right")
    table.add_column("class", min_width=24)
    table.add_column("", justify="right")
    if joined:
        table.add_column("clips", justify="right")
    for row in rows:
        span = f"{row.start_seconds:.2f} – {row.end_seconds:.2f}"
        cells = [span, _cell(row.label), _percent(row.probability)]
        table.add_row(*cells, *([str(row.clips)] if joined else []))
    return table


def _segments(segments: tuple[Segment, ...], spell: Spell = in_python) -> RenderableType:
    if not segments:
        advice = "no class is probable enough at any time: see `threshold`"
        return Text(spell_options(advice, spell), style="dim")
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column("seconds", justify="right")
    table.add_column("segment", min_width=24)
    table.add_column("score", justify="right")
    for segment in segments:
        span = f"{segment.start_seconds:.2f} – {segment.end_seconds:.2f}"
        table.add_row(span, _cell(segment.label), _percent(segment.score))
    return table


def _clip_rows(clips: Iterable[ClipPrediction]) -> Iterable[_Row]:
    for clip in clips:
        (best,) = clip.top(1)
        yield _Row(clip.start_seconds, clip.end_seconds, best.label, best.probability, 1)


def _join(rows: Iterable[_Row]) -> Iterable[_Row]:
    for label, group in groupby(rows, key=lambda row: row.label):
        members = list(group)
        probability = sum(row.probability for row in members) / len(members)
        yield _Row(members[0].start_seconds, members[-1].end_seconds, label, probability, len(members))


def _cell(text: str) -> str:
    """Return text from a file for a cell: no markup, nothing that steers the terminal."""
    return escape(printable(text))


def _percent(probability: float) -> str:
    return f"{100 * probability:.1f} %"
