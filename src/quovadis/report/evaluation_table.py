"""Evaluations, comparisons and distances as tables for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from quovadis.evaluation.comparison import Comparison
from quovadis.evaluation.summary import Summary
from quovadis.fvd.distance import Distance
from quovadis.metrics import Proportion


def summary_table(summary: Summary) -> Table:
    """Draw the metrics, each with its counts and Wilson 95 % interval."""
    table = _table("metric", "percent", "counts", "95 % interval")
    for metric in summary.metrics:
        value = "–" if math.isnan(metric.value) else f"{100 * metric.value:.2f}"
        table.add_row(metric.name, value, *_counts(metric.counts))
    return table


def comparison_table(comparison: Comparison) -> RenderableType:
    """Draw how two evaluations differ."""
    settings = _table("", "a", "b")
    for name, (a, b) in comparison.settings.items():
        settings.add_row(name, escape(str(a)), escape(str(b)))
    shares = _table("", "percent", "counts", "95 % interval")
    for name, share in (
        ("top-1 of a", comparison.top1_a),
        ("top-1 of b", comparison.top1_b),
        ("same class, videos", comparison.agreement),
        ("same class, views", comparison.view_agreement),
    ):
        shares.add_row(name, f"{100 * share.value:.2f}", *_counts(share))
    lines = [
        f"right only in a: {comparison.right_only_in_a}, only in b: {comparison.right_only_in_b}; "
        f"exact McNemar test: p = {comparison.p_value:.4g}",
        f"logits differ by {comparison.logit_difference_mean:.3g} on average, "
        f"{comparison.logit_difference_greatest:.3g} at most",
        f"the probability of a's best class changes by {comparison.probability_change_mean:.3g} on average, "
        f"{comparison.probability_change_greatest:.3g} at most",
        f"mean Kullback-Leibler divergence: {comparison.divergence_mean:.3g} nats",
    ]
    if comparison.only_a or comparison.only_b:
        lines.append(f"left out: {comparison.only_a} videos only in a, {comparison.only_b} only in b")
    head = Text(f"{comparison.videos} videos in both", style="bold")
    return Group(head, settings, shares, *(Text(line) for line in lines))


def distance_table(found: Sequence[Distance]) -> RenderableType:
    """Draw the distances between two sets, a row for each length."""
    table = _table("frames", "real clips", "fake clips", "FVD", "95 % interval", "KVD")
    for distance in found:
        interval = distance.interval
        table.add_row(
            str(distance.frames or "–"),
            str(distance.clips_a),
            str(distance.clips_b),
            f"{distance.fvd:.4f}",
            "–" if interval is None else f"{interval.lower:.4f} – {interval.upper:.4f}",
            "–" if distance.kvd is None else f"{distance.kvd:.6f}",
        )
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place == 0 else "right")
    return table


def _counts(share: Proportion | None) -> tuple[str, str]:
    if share is None:
        return "", ""
    lower, upper = share.interval
    return f"{share.successes}/{share.trials}", f"{100 * lower:.2f} – {100 * upper:.2f}"
