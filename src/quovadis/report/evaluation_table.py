"""Evaluations and comparisons as tables for a terminal."""

from __future__ import annotations

import math
from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from quovadis.escape import counted, printable
from quovadis.evaluation.comparison import Comparison
from quovadis.evaluation.summary import Summary
from quovadis.metrics import Proportion
from quovadis.report.fitted_table import Column, FittedTable


def summary_table(summary: Summary) -> FittedTable:
    """Draw the metrics, each with its counts and Wilson 95 % interval."""
    table = shares_table("metric")
    for metric in summary.metrics:
        value = "–" if math.isnan(metric.value) else f"{100 * metric.value:.2f}"
        table.add_row(metric.title, value, *_counts(metric.counts))
    return table


def comparison_table(comparison: Comparison, a: Path, b: Path) -> RenderableType:
    """Draw how the evaluations in two files differ."""
    parts: list[RenderableType] = [
        Text(f"a: {printable(str(a))}\nb: {printable(str(b))}", overflow="fold"),
        Text(f"{counted(comparison.videos, 'video')} in both", style="bold"),
    ]
    if comparison.settings:
        settings = FittedTable(Column(is_text=True), Column("a", is_text=True), Column("b", is_text=True))
        for name, values in comparison.settings.items():
            settings.add_row(name, *(printable(str(value)) for value in values))
        parts.append(settings)
    shares = shares_table("")
    for name, share in (
        ("top-1 of a", comparison.top1_a),
        ("top-1 of b", comparison.top1_b),
        ("same class, videos", comparison.agreement),
        ("same class, views", comparison.view_agreement),
    ):
        shares.add_row(name, f"{100 * share.value:.2f}", *_counts(share))
    lines = [
        f"correct only in a: {comparison.correct_only_in_a:,}, only in b: {comparison.correct_only_in_b:,}; "
        f"exact McNemar test: p = {comparison.p_value:.4g}",
        f"logits differ by {comparison.logit_difference_mean:.3g} on average, "
        f"{comparison.logit_difference_max:.3g} at most",
        f"the probability of a's best class changes by {comparison.probability_change_mean:.3g} on average, "
        f"{comparison.probability_change_max:.3g} at most",
        f"mean Kullback-Leibler divergence: {comparison.divergence_mean:.3g} nats",
    ]
    if comparison.only_a or comparison.only_b:
        lines.append(f"left out: {counted(comparison.only_a, 'video')} only in a, {comparison.only_b:,} only in b")
    return Group(*parts, shares, *(Text(printable(line)) for line in lines))


def shares_table(heading: str) -> FittedTable:
    """Return an empty table of proportions."""
    counts, interval = Column("counts", is_optional=True), Column("95 % interval", is_optional=True)
    return FittedTable(Column(heading, is_text=True), Column("percent"), counts, interval)


def _counts(share: Proportion | None) -> tuple[str, str]:
    if share is None:
        return "", ""
    if not share.trials:
        return "0/0", "–"
    lower, upper = share.interval
    return f"{share.successes:,}/{share.trials:,}", f"{100 * lower:.2f} – {100 * upper:.2f}"
