"""Distances between sets of videos as a table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from quovadis.escape import printable
from quovadis.fvd import SetComparison
from quovadis.report.fitted_table import Column, FittedTable

_NAMES = {"coordinate_mode": "resize", "weights_sha256": "weights, SHA-256"}
"""What people call settings, where it is something else."""


def distance_table(comparison: SetComparison) -> RenderableType:
    """Draw a row for each length, and under them what the figures depend on."""
    intervals = [distance.interval for distance in comparison.distances]
    counts = [Column(f"{name} clips", is_optional=True) for name in ("real", "fake")]
    spread = [Column(name, is_optional=True) for name in ("95 % interval", "bias")] if any(intervals) else []
    table = FittedTable(Column("frames"), *counts, Column("FVD"), *spread, Column("KVD"))
    for distance, interval in zip(comparison.distances, intervals, strict=True):
        cells = [str(distance.frames or "–"), str(distance.clips_a), str(distance.clips_b), f"{distance.fvd:.4f}"]
        if interval is not None:
            cells += [f"{interval.lower:.4f} – {interval.upper:.4f}", f"{interval.bias:+.4f}"]
        elif any(intervals):
            cells += ["–", "–"]
        table.add_row(*cells, "–" if distance.kvd is None else _kvd(distance.kvd))
    lines = [f"covariance: {comparison.covariance}"]
    fake = comparison.fake
    lines += _setting_lines(comparison.real.settings or {}, (fake and fake.settings) or {})
    return Group(table, *(Text(printable(line), style="dim") for line in lines))


def _kvd(value: float) -> str:
    # The estimate is unbiased, so that it may be below 0; rounded to 0 it has no sign.
    return f"{value:z.6f}"


def _setting_lines(real: Mapping[str, Any], fake: Mapping[str, Any]) -> list[str]:
    lines = []
    for name in {**real, **fake}:
        a, b = real.get(name, "–"), fake.get(name, "–")
        said = _NAMES.get(name, name.replace("_", " "))
        lines.append(f"{said}: {a}" if a == b else f"{said}: {a} of the real, {b} of the fake videos")
    return lines
