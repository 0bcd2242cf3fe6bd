"""Predictions as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from rich.console import Group, RenderableType
from rich.text import Text

from quovadis.errors import Spell, in_python, spell_options
from quovadis.escape import counted, printable
from quovadis.notebook import percent
from quovadis.report.fitted_table import Column, FittedTable
from quovadis.results import ClipPrediction, Segment, VideoPrediction
from quovadis.video.source import shown_name

LABEL_WIDTH = 24
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
    seconds = result.clips[-1].end_seconds - result.clips[0].start_seconds
    text = Text(printable(shown_name(result.source)), style="bold")
    return text.append(
        f"  {counted(len(result.clips), noun)}, {seconds:.2f} s, weights {result.weights.name}", style="dim not bold"
    )


def _top_table(result: VideoPrediction, count: int) -> FittedTable:
    table = FittedTable(Column(), Column(is_text=True), has_header=False)
    for prediction in result.top(count):
        # As wide as most names are, so that the bars of several videos begin below each other.
        label = printable(prediction.label).ljust(LABEL_WIDTH)
        table.add_row(percent(prediction.probability), label, bar=prediction.probability)
    return table


@dataclass(frozen=True)
class _Row:
    start_seconds: float
    end_seconds: float
    label: str
    probability: float
    clips: int


def _timeline(clips: tuple[ClipPrediction, ...]) -> FittedTable:
    rows = list(_clip_rows(clips))
    joined = len(rows) > MAX_CLIP_ROWS
    if joined:
        rows = list(_join(rows))
    columns = [Column("seconds"), Column("class", is_text=True), Column()]
    table = FittedTable(*columns, *([Column("clips", is_optional=True)] if joined else []))
    for row in rows:
        span = f"{row.start_seconds:.2f} – {row.end_seconds:.2f}"
        cells = [span, printable(row.label).ljust(LABEL_WIDTH), percent(row.probability)]
        table.add_row(*cells, *([str(row.clips)] if joined else []))
    return table


def _segments(segments: tuple[Segment, ...], spell: Spell = in_python) -> RenderableType:
    if not segments:
        advice = "no class is probable enough at any time: see `threshold`"
        return Text(spell_options(advice, spell), style="dim")
    table = FittedTable(Column("seconds"), Column("segment", is_text=True), Column("score"))
    for segment in segments:
        span = f"{segment.start_seconds:.2f} – {segment.end_seconds:.2f}"
        table.add_row(span, printable(segment.label).ljust(LABEL_WIDTH), percent(segment.score))
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
