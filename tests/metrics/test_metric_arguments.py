"""What a user may give metrics by mistake is refused in one sentence, and numbers of numpy are as good as Python's."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from quovadis.errors import MetricError
from quovadis.metrics import Moments, Proportion, bootstrap, confusion_matrix, fvd, kvd, ranks, wilson_interval

FEATURES = np.arange(12.0).reshape(4, 3) ** 2


def means(first: Any, second: Any) -> float:
    return float(first.mean() - second.mean())


def interval(**given: Any) -> Any:
    return bootstrap(given.pop("statistic", means), FEATURES, FEATURES, **{"resamples": 5, "seed": 0, **given})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fvd("a.npy", FEATURES), "features A must be an array of numbers, not 'a.npy'"),
        (lambda: fvd(None, FEATURES), "features A must be an array of numbers, not None"),
        (lambda: fvd(iter(FEATURES), FEATURES), "features A must be an array of numbers, not <"),
        (lambda: fvd(FEATURES, np.ma.masked_greater(FEATURES, 50)), "features B have masked values"),
        (lambda: fvd(FEATURES, FEATURES, covariance=["unbiased"]), "covariance must be"),
        (lambda: fvd(FEATURES, FEATURES, covariance=np.array(["unbiased", "x"])), "covariance must be"),
        (lambda: kvd(FEATURES, FEATURES, block_rows=True), "block_rows must be a whole number, not True"),
        (lambda: ranks(FEATURES, ["archery"] * 4), "labels must be 4 integers"),
        (lambda: confusion_matrix([0, 1], [[0], [1, 2]], 2), "labels cannot be read as an array"),
        (lambda: confusion_matrix([0], [0], True), "classes must be a whole number, not True"),
        (lambda: confusion_matrix([0], [0], ["archery"]), "classes must be a whole number"),
        (lambda: wilson_interval(3, 10, "0.95"), "confidence must be a number, not '0.95'"),
        (lambda: wilson_interval(3, 10, None), "confidence must be a number, not None"),
        (lambda: wilson_interval(3, 10, np.array([0.9, 0.95])), "confidence must be a number"),
        (lambda: wilson_interval(3, 10, 1 - 1e-16), "a confidence must be between 0 and 1"),
        (lambda: Proportion(True, True), "successes must be a whole number, not True"),
        (lambda: interval(statistic="fvd"), "statistic must be a function, not 'fvd'"),
        (lambda: interval(statistic=lambda a, b: None), "the statistic yields None, not one number"),
        (lambda: interval(statistic=lambda a, b: a.mean(0)), "the statistic yields array"),
        (lambda: interval(floor="0"), "floor must be a number or None, not '0'"),
        (lambda: interval(floor=float("nan")), "floor must be a number or None, not nan"),
        (lambda: interval(confidence="x"), "confidence must be a number, not 'x'"),
        (lambda: interval(on_resample=3), "on_resample must be a function or None, not 3"),
        (lambda: interval(groups_a=[[1], [2, 3]]), "the groups of features A cannot be read as an array"),
        (lambda: interval(groups_a=[None, "a", None, "a"]), "the groups of features A cannot be sorted"),
        (lambda: Moments.of(FEATURES).merged(FEATURES), "other must be Moments"),  # type: ignore[arg-type]
        (lambda: Moments.of(FEATURES).covariance(unbiased="no"), "unbiased must be True or False, not 'no'"),  # type: ignore[arg-type]
    ],
)
def test_a_mistake_is_refused_by_the_name_of_what_was_given(call: Callable[[], object], message: str) -> None:
    with pytest.raises(MetricError, match=re.escape(message)):
        call()


def test_numbers_of_numpy_become_pythons() -> None:
    assert json.dumps(vars(Proportion(np.int64(3), np.int64(10)))) == '{"successes": 3, "trials": 10}'  # type: ignore[arg-type]
    found = interval(resamples=np.int8(5), confidence=np.float32(0.5), floor=np.float32(0))
    assert json.loads(json.dumps(vars(found))) == vars(found)


def test_a_small_integer_type_does_not_overflow() -> None:
    assert confusion_matrix([99], [99], np.int8(100))[99, 99] == 1  # type: ignore[call-overload,arg-type]


def test_empty_lists_are_no_samples() -> None:
    assert confusion_matrix([], [], 2).tolist() == [[0, 0], [0, 0]]  # type: ignore[arg-type]
    assert ranks(np.zeros((0, 5)), []).tolist() == []  # type: ignore[arg-type]


def test_moments_show_their_size() -> None:
    assert repr(Moments.of(FEATURES)) == "Moments(4 samples of 3 dimensions)"
