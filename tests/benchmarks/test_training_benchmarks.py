"""The benchmarks of training: what they count is right where it is known."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from quovadis.training.head_features import HeadFeatures

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return {name: importlib.import_module(name) for name in ("learning_curve", "training_gpu")}


def features(videos: int, *, told_apart: bool) -> HeadFeatures:
    """Features of so many videos of each of two classes, by which they are told apart, or not."""
    targets = np.repeat([0, 1], videos)
    values = np.random.default_rng(videos).normal(size=(2 * videos, 1, 1024)).astype(np.float32)
    if told_apart:
        values[targets == 1] += 3
    return HeadFeatures(tuple(map(str, range(2 * videos))), values, targets, {})


def test_a_learning_curve_has_a_row_for_each_doubling(benchmarks: dict[str, ModuleType]) -> None:
    rows = benchmarks["learning_curve"].curve(features(5, told_apart=True), features(10, told_apart=True))
    assert [(row["videos_of_each_class"], row["choices"]) for row in rows] == [(1, 5), (2, 5), (4, 5)]
    assert rows[-1]["top1_mean"] == rows[-1]["top1_least"] == 1


def test_classes_that_nothing_tells_apart_are_guessed(benchmarks: dict[str, ModuleType]) -> None:
    rows = benchmarks["learning_curve"].curve(features(4, told_apart=False), features(100, told_apart=False))
    assert all(0.4 < row["top1_mean"] < 0.65 for row in rows)


@pytest.mark.slow
def test_computing_activations_again_takes_less_memory_by_count(benchmarks: dict[str, ModuleType]) -> None:
    count = benchmarks["training_gpu"]._counted
    found = {
        (clips, checkpoint): count(clips, 16, amp="none", checkpoint=checkpoint)["gibibytes"]
        for clips, checkpoint in ((1, False), (1, True), (2, False))
    }
    assert found[1, True] < 0.7 * found[1, False]
    # Weights, gradients and momentum stay as they are; activations are of twice the clips.
    weights = 12_702_272 * 4 * 3 / 2**30
    assert found[2, False] == pytest.approx(2 * found[1, False] - weights, rel=0.1)
