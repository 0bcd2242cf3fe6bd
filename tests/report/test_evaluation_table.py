"""Evaluations and comparisons on a terminal."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from quovadis.errors import OutputError
from quovadis.evaluation.comparison import compare
from quovadis.evaluation.predictions import Predictions
from quovadis.evaluation.summary import summarize
from quovadis.report.evaluation import comparison_document, write_comparison
from quovadis.report.evaluation_table import comparison_table, summary_table
from support.prediction_tables import one_view


def drawn(item: object) -> list[str]:
    console = Console(file=io.StringIO(), width=120)
    console.print(item)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def drawn_comparison(a: Predictions, b: Predictions) -> list[str]:
    return drawn(comparison_table(compare(a, b), Path("f32/p.parquet"), Path("int8/[b].parquet")))


def test_which_file_is_which_comes_first() -> None:
    a = one_view([0, 1])
    b = replace(a, settings={**a.settings, "precision": "int8"})
    lines = drawn_comparison(a, b)
    assert lines[:3] == ["a: f32/p.parquet", "b: int8/[b].parquet", "2 videos in both"]
    assert lines[3].split() == ["a", "b"]
    assert lines[4].split() == ["precision", "None", "int8"]


def test_where_no_setting_differs_no_table_of_settings_stands() -> None:
    a = one_view([0, 1])
    lines = drawn_comparison(a, a)
    assert lines[3].split()[0] == "percent"


def test_large_numbers_have_separators() -> None:
    many = one_view([0] * 1100 + [1] * 134)
    assert any("1,100/1,234" in line for line in drawn(summary_table(summarize(many))))
    lines = drawn_comparison(many, replace(many, logits=np.roll(many.logits, 1, axis=1)))
    assert "1,234 videos in both" in lines
    assert any("1,100/1,234" in line for line in lines)


def test_a_comparison_is_written_with_its_files(tmp_path: Path) -> None:
    found = compare(one_view([0, 1]), one_view([0, 0]))
    document = comparison_document(found, Path("a/\udcff.parquet"), Path("b.parquet"))
    path = write_comparison(document, tmp_path / "new")
    assert path == tmp_path / "new" / "comparison.json"
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "a": "a/\udcff.parquet",
        "b": "b.parquet",
        **json.loads(json.dumps(found.to_dict())),
    }
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file"):
        write_comparison(document, tmp_path / "file")
