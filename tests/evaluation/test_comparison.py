"""Two evaluations against each other."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.special

from quovadis.errors import DatasetError, MissingDependencyError
from quovadis.evaluation.comparison import compare
from quovadis.evaluation.parquet import read_predictions
from support.prediction_tables import one_view


def test_an_evaluation_agrees_with_itself() -> None:
    a = one_view([0, 1, 0, 5])
    found = compare(a, a)
    assert found.videos == 4
    assert (found.correct_only_in_a, found.correct_only_in_b, found.p_value) == (0, 0, 1.0)
    assert found.agreement.value == found.view_agreement.value == 1.0
    assert found.logit_difference_max == found.probability_change_max == 0.0
    assert found.divergence_mean == 0.0
    assert found.settings == {}


def test_what_one_gets_right_and_the_other_does_not() -> None:
    a, b = one_view([0] * 10 + [1] * 10), one_view([0] * 8 + [1, 1] + [0] * 9 + [1])
    found = compare(a, b)
    assert (found.top1_a.successes, found.top1_b.successes) == (10, 17)
    assert (found.correct_only_in_a, found.correct_only_in_b) == (2, 9)
    # Two-sided exact test: 2 * P(X <= 2) of 11 fair coins.
    assert found.p_value == pytest.approx(2 * (1 + 11 + 55) / 2**11)
    assert (found.agreement.successes, found.agreement.trials) == (9, 20)


def test_differences_of_logits_are_those_of_the_arrays() -> None:
    a = one_view([0, 1, 2])
    shift = np.random.default_rng(0).normal(0, 0.1, a.logits.shape).astype(np.float32)
    b = replace(a, logits=a.logits + shift, settings={"protocol": "deepmind", "precision": "int8"})
    found = compare(a, b)
    assert found.logit_difference_mean == pytest.approx(np.abs(b.logits - a.logits).mean(), rel=1e-5)
    assert found.logit_difference_max == pytest.approx(np.abs(b.logits - a.logits).max(), rel=1e-5)
    p, q = (scipy.special.softmax(each.logits.astype(float), axis=1) for each in (a, b))
    assert found.divergence_mean == pytest.approx((p * np.log(p / q)).sum(axis=1).mean(), rel=1e-5)
    assert compare(a, replace(a, logits=a.logits * np.float32(1 + 1e-7))).divergence_mean >= 0
    assert found.settings == {"precision": (None, "int8")}
    assert found.to_dict()["settings"] == {"precision": [None, "int8"]}


def test_only_videos_of_both_are_compared() -> None:
    a, b = one_view([0, 0, 1]), one_view([0, 0, 1, 1])
    found = compare(a, b)
    assert (found.videos, found.only_a, found.only_b) == (3, 0, 1)
    assert found.top1_b.trials == 3


@pytest.mark.parametrize(
    ("change", "needle"),
    [
        ({"settings": {"protocol": "omz"}}, "differ in protocol"),
        ({"labels": tuple("abcdefgh")}, "different classes"),
        ({"keys": ("x", "y")}, "no video in common"),
        ({"truth": np.array([1, 0])}, "different labels"),
        ({"start_frame": np.array([0, 3])}, "different frames"),
    ],
)
def test_what_cannot_be_compared_is_refused(change: dict[str, object], needle: str) -> None:
    a = one_view([0, 1])
    with pytest.raises(DatasetError, match=needle):
        compare(a, replace(a, **change))  # type: ignore[arg-type]


def test_without_pyarrow_it_is_reading_that_needs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match=r"reading Parquet needs pyarrow"):
        read_predictions(tmp_path / "a.parquet")


def test_files_that_are_no_predictions_are_refused(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    with pytest.raises(DatasetError, match=r"gone\.parquet: no such file"):
        read_predictions(tmp_path / "gone.parquet")
    (tmp_path / "text.parquet").write_text("x")
    with pytest.raises(DatasetError, match=r"text\.parquet: not predictions"):
        read_predictions(tmp_path / "text.parquet")
    parquet.write_table(pyarrow.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(DatasetError, match=r"other\.parquet: not predictions"):
        read_predictions(tmp_path / "other.parquet")
