"""Distances between sets of videos: a table for a terminal, and a document that a paper can be written from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from quovadis.errors import Spell, in_python, spell_options
from quovadis.escape import printable
from quovadis.fvd import Covariance, SetComparison, Statistics
from quovadis.report.fitted_table import Column, FittedTable
from quovadis.version import __version__


@dataclass(frozen=True)
class DistanceReport:
    """A comparison of two sets, and what its figures depend on."""

    comparison: SetComparison
    covariance: Covariance
    seed: int
    """Of the bootstrap."""
    spell: Spell = in_python
    """How options are written that sentences and reasons name."""

    def to_dict(self) -> dict[str, Any]:
        """Return all of it in JSON's types."""
        return {
            "quovadis": __version__,
            "covariance": self.covariance,
            "bootstrap_seed": self.seed,
            "real": set_document(self.comparison.real, self.spell),
            "fake": None if self.comparison.fake is None else set_document(self.comparison.fake, self.spell),
            "distances": [distance.to_dict() for distance in self.comparison.distances],
            "lacking": [spell_options(sentence, self.spell) for sentence in self.comparison.missing],
        }

    def table(self) -> RenderableType:
        """Draw a row for each length, and under them what the figures depend on."""
        intervals = [distance.interval for distance in self.comparison.distances]
        counts = [Column(f"{name} clips", is_optional=True) for name in ("real", "fake")]
        spread = [Column(name, is_optional=True) for name in ("95 % interval", "bias")] if any(intervals) else []
        table = FittedTable(Column("frames"), *counts, Column("FVD"), *spread, Column("KVD"))
        for distance, interval in zip(self.comparison.distances, intervals, strict=True):
            cells = [str(distance.frames or "–"), str(distance.clips_a), str(distance.clips_b), f"{distance.fvd:.4f}"]
            if interval is not None:
                cells += [f"{interval.lower:.4f} – {interval.upper:.4f}", f"{interval.bias:+.4f}"]
            elif any(intervals):
                cells += ["–", "–"]
            table.add_row(*cells, "–" if distance.kvd is None else f"{distance.kvd:.6f}")
        lines = [f"covariance: {self.covariance}"]
        fake = self.comparison.fake
        lines += _setting_lines(self.comparison.real.settings or {}, (fake and fake.settings) or {})
        return Group(table, *(Text(printable(line), style="dim") for line in lines))


def set_document(statistics: Statistics, spell: Spell = in_python) -> dict[str, Any]:
    """Return what a set is of, and how it was measured, in JSON's types; `spell` says how options are written."""
    settings = None if statistics.settings is None else dict(statistics.settings)
    measured = [
        {
            name: value
            if name != "left_out"
            else [{**video, "reason": spell_options(video["reason"], spell)} for video in value]
            for name, value in part.items()
        }
        for part in statistics.provenance
    ]
    return {"source": statistics.source, "settings": settings, "measured": measured}


def _setting_lines(real: Mapping[str, Any], fake: Mapping[str, Any]) -> list[str]:
    lines = []
    for name in {**real, **fake}:
        a, b = real.get(name, "–"), fake.get(name, "–")
        lines.append(f"{name}: {a}" if a == b else f"{name}: {a} of the real, {b} of the fake videos")
    return lines
