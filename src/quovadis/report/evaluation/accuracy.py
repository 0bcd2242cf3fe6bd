"""The figures that an evaluation is made for, and what others published beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from quovadis.evaluation.predictions import Predictions
from quovadis.evaluation.protocols import OpenModelZooProtocol
from quovadis.evaluation.published import PUBLISHED, PublishedFigure
from quovadis.evaluation.summary import WITHOUT_LAST, Metric, Summary
from quovadis.report.pages.content import (
    NOTHING,
    Bar,
    Column,
    Mark,
    Section,
    Table,
    fine_percent,
    interval_percent,
)

_PUBLISHED_FIELD = MappingProxyType({"top1": "top1", "top5": "top5", "accuracy_top1": "top1", "accuracy_top5": "top5"})
"""What was published of our metrics, by the metric's name."""


@dataclass(frozen=True)
class Comparable:
    """A published figure, and how far it can be set beside this evaluation."""

    figure: PublishedFigure
    same_weights: bool
    same_protocol: bool

    def to_dict(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        return {**asdict(self.figure), "same_weights": self.same_weights, "same_protocol": self.same_protocol}


def published_figures(settings: Mapping[str, Any]) -> tuple[Comparable, ...]:
    """Return all published figures, told what was evaluated."""
    return tuple(
        Comparable(figure, figure.weights == settings.get("weights"), figure.protocol == settings.get("protocol"))
        for figure in PUBLISHED
    )


def accuracy_section(predictions: Predictions, summary: Summary) -> Section:
    """Return the metrics with their counts and intervals."""
    columns = (Column("metric"), Column("value", True), Column("counts", True), Column("95 % interval", True))
    paragraphs = ["Intervals are Wilson's, with a confidence of 95 %: they tell how sure so many trials make one."]
    if len(predictions.video) > len(predictions.keys):
        paragraphs.append("Views of one video are alike: of clips and single views the intervals are too narrow.")
    if predictions.settings["protocol"] == OpenModelZooProtocol.name:
        first = "those without it come first" if summary.omz_compatible else "those of all videos come first"
        paragraphs.append(
            "Open Model Zoo's accuracy checker never counts the last video: figures of clip_accuracy that leave it out "
            f'too end in "{WITHOUT_LAST}"; {first}.'
        )
    if predictions.failures:
        paragraphs.append("What is missing or unreadable counts in no figure, unless its name says so.")
    published = published_figures(predictions.settings)
    return Section(
        "Accuracy",
        tuple(paragraphs),
        bars=tuple(_bar(metric, published) for metric in summary.metrics if not math.isnan(metric.value)),
        table=Table(columns, tuple(_metric_row(metric) for metric in summary.metrics)),
    )


def published_section(predictions: Predictions) -> Section:
    """Return the published figures, and what sets them apart from this evaluation."""
    texts = ("weights", "measured on", "protocol", "source", "beside this evaluation")
    columns = tuple(Column(text) for text in texts[:3])
    columns += (Column("top-1", True), Column("top-5", True), *(Column(text) for text in texts[3:]))
    rows = []
    for row in published_figures(predictions.settings):
        figure = row.figure
        weights = "the weights evaluated" if row.same_weights else "other weights"
        protocol = "the same protocol" if row.same_protocol else "another protocol"
        values = (_published_percent(figure.top1), _published_percent(figure.top5))
        rows.append((figure.weights, figure.part, figure.protocol, *values, figure.source, f"{weights}, {protocol}"))
    paragraph = (
        "Measured by others on the part of Kinetics-400 that each row names. Other videos give other figures: they can "
        "be set beside these only if the dataset is that part, and the protocol the same."
    )
    return Section("Published figures", (paragraph,), table=Table(columns, tuple(rows)))


def _metric_row(metric: Metric) -> tuple[str, ...]:
    counts = metric.counts
    if counts is None:
        return metric.title, fine_percent(metric.value), "", ""
    interval = interval_percent(counts.interval) if counts.trials else NOTHING
    return metric.title, fine_percent(metric.value), f"{counts.successes:,} of {counts.trials:,}", interval


def _bar(metric: Metric, published: tuple[Comparable, ...]) -> Bar:
    name = _PUBLISHED_FIELD.get(metric.name)
    marks = []
    for row in published:
        if name is not None and row.same_weights:
            figure = row.figure
            value: float = getattr(figure, name)
            text = f"published {_published_percent(value)} ({figure.part}; protocol {figure.protocol})"
            marks.append(Mark(value / 100, text, row.same_protocol))
    interval = None if metric.counts is None else metric.counts.interval
    return Bar(metric.title, metric.value, interval, tuple(marks))


def _published_percent(value: float) -> str:
    """Return a figure with the digits that it was published with."""
    return f"{value} %"
