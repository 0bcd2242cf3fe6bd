"""Distances as a table: figures without a false sign, settings by the names that people know."""

from __future__ import annotations

from rich.console import Console

from quovadis.fvd import SetComparison
from quovadis.fvd.distance import Distance
from quovadis.fvd.statistics import Statistics
from quovadis.report.distances import distance_table


def drawn(comparison: SetComparison) -> str:
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        console.print(distance_table(comparison))
    return capture.get()


def comparison(kvd: float, **fake: str) -> SetComparison:
    settings = {"coordinate_mode": "asymmetric", "frame_step": 1, "weights_sha256": "ab" * 32}
    sets = [Statistics(name, {**settings, **own}, {}) for name, own in (("real", {}), ("fake", fake))]
    return SetComparison(*sets, [Distance(16, 400, 9, 8, 1.5, None, kvd, ())])


def test_a_figure_that_is_rounded_to_0_has_no_sign() -> None:
    assert "-0.000000" not in drawn(comparison(-1e-9))
    assert "0.000000" in drawn(comparison(-1e-9))
    assert "-0.250000" in drawn(comparison(-0.25))


def test_settings_are_called_as_the_options_are() -> None:
    lines = drawn(comparison(0.5, coordinate_mode="half-pixel")).splitlines()
    assert "resize: asymmetric of the real, half-pixel of the fake videos" in lines
    assert "frame step: 1" in lines
    assert f"weights, SHA-256: {'ab' * 32}" in lines
