"""Tables on terminals of any width: names and figures stay whole, bars and what matters less give way."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console, RenderableType

from quovadis.evaluation.comparison import compare
from quovadis.evaluation.summary import summarize
from quovadis.report.evaluation_table import comparison_table, summary_table
from quovadis.report.fitted_table import Column, FittedTable
from quovadis.report.model_card import model_card, model_card_table
from quovadis.report.progress import ClipProgress, VideoProgress
from quovadis.report.table import prediction_table
from quovadis.report.weights_table import catalogue_table
from quovadis.results import ClipPrediction, VideoPrediction, WeightsIdentity
from quovadis.weights import CATALOGUE
from support.prediction_tables import one_view

LABELS = ("playing cricket in a very large and crowded stadium", "アーチェリーをする人々の長い名前の例です", "archery")
SOURCE = "/a/folder/with/a/long/name/動画ファイルの長い名前_and_a_long_file_name_that_does_not_end.mp4"
every_width = pytest.mark.parametrize("width", [40, 60, 80, 200])


def drawn(item: RenderableType, width: int) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=width, highlight=False).print(item)
    lines = [line.rstrip() for line in file.getvalue().splitlines()]
    assert all(cell_len(line) <= width for line in lines)
    assert "…" not in file.getvalue()
    return lines


def joined(lines: list[str]) -> str:
    """Return all that stands there, without what separates lines and columns."""
    return re.sub(r"\s", "", "".join(lines))


def prediction() -> VideoPrediction:
    logits = np.array([2.0, 1.5, 3.0], np.float32)
    clips = tuple(
        ClipPrediction(
            index=i,
            start_seconds=3.16 * i,
            end_seconds=3.16 * (i + 1),
            frames=79,
            looped=False,
            logits=np.roll(logits, i),
            features=np.zeros(1024, np.float32),
            labels=LABELS,
        )
        for i in range(3)
    )
    return VideoPrediction(
        source=SOURCE, clips=clips, weights=WeightsIdentity("rgb-scratch", "ab" * 32), engine={}, labels=LABELS
    )


@every_width
def test_a_prediction_keeps_names_and_percentages(width: int) -> None:
    lines = drawn(prediction_table(prediction(), 3), width)
    text = joined(lines)
    assert joined([SOURCE]) in text
    percentages = re.findall(r"\d+\.\d %", "\n".join(lines))
    assert len(percentages) == 3 + 3
    assert sum(float(one.removesuffix(" %")) for one in percentages[:3]) == pytest.approx(100, abs=0.2)
    assert LABELS[1] in text
    assert "stadium" in text
    assert len(re.findall(r"\d+\.\d\d – \d+\.\d\d", "\n".join(lines))) == 3
    assert ("█" in text) is (width >= 80)


@every_width
def test_metrics_and_comparisons_keep_names_and_percentages(width: int) -> None:
    many = one_view([0] * 1100 + [1] * 134)
    lines = drawn(summary_table(summarize(many)), width)
    assert any(line.startswith("mean class accuracy") and "89.14" in line for line in lines)
    assert any("1,100/1,234" in line for line in lines) is (width > 40)
    lines = drawn(comparison_table(compare(many, many), Path("f32/[p].parquet"), Path("int8/p.parquet")), width)
    assert "a: f32/[p].parquet" in lines
    assert any(line.startswith("same class, videos") and "100.00" in line for line in lines)


@every_width
def test_the_model_card_and_the_weights_keep_their_names(width: int) -> None:
    card = model_card()
    lines = drawn(model_card_table(card), width)
    for stage in card["stages"]:
        assert any(line.startswith(stage["name"]) and f"{stage['gflops']:.3f}" in line for line in lines)
    lines = drawn(catalogue_table(), width)
    assert all(any(line.startswith(name) for line in lines) for name in CATALOGUE)


def test_the_last_optional_column_goes_first() -> None:
    table = FittedTable(Column("name", is_text=True), Column("value"), Column("more", is_optional=True), Column("x"))
    table.add_row("a" * 10, "12345678", "12345678", "1")
    assert drawn(table, 60)[0].split() == ["name", "value", "more", "x"]
    assert drawn(table, 30)[0].split() == ["name", "value", "x"]
    # Figures are never broken, however narrow: the name gives way.
    assert any(line.split()[1:] == ["12345678", "1"] for line in drawn(table, 15))


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_progress_keeps_figures_and_gives_up_its_bar(width: int) -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=width, legacy_windows=False, color_system=None)
    videos = VideoProgress(console, "kinetics_validation_of_a_long_name.csv, deepmind")
    videos.start(1234, 5)
    videos.advance("top-1 71.2 %, top-5 89.3 %")
    clips = ClipProgress(console, SOURCE)
    clips.expect(120)
    for _ in range(60):
        clips.advance()
    for bar in (videos, clips):
        console.print(bar._progress.get_renderable())
    text = file.getvalue()
    assert all(cell_len(line) <= width for line in text.splitlines())
    assert "6/1234" in text
    assert "71.2 %" in text
    assert "60/120" in text
    assert ("━" in text) is (width >= 80)
