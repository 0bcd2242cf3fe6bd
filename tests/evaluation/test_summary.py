"""Counting: Open Model Zoo's published reference, in arithmetic, and every other figure on small examples."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quovadis.errors import DatasetError, MetricError
from quovadis.evaluation.comparison import compare
from quovadis.evaluation.predictions import Failure
from quovadis.evaluation.summary import Summary, summarize
from support.prediction_tables import predictions, scored


def share(summary: Summary, name: str) -> tuple[int, int]:
    counts = summary.metric(name).counts
    assert counts is not None
    return counts.successes, counts.trials


def test_the_reference_of_open_model_zoo_comes_out_exactly() -> None:
    """778 of 1200 clips are right, 1015 among the best five, and 292 of 399 videos, the last not being counted."""
    ranks = [
        *[[0, 0, 0]] * 151,
        *[[0, 0, 1]] * 141,
        *[[0, 1, 1]] * 40,
        *[[1, 1, 1]] * 5,
        [1, 6, 6],
        *[[6, 6, 6]] * 61,
        [0, 0, 0],
    ]
    given = predictions(scored(ranks), [0] * 400, protocol="omz")
    summary = summarize(given)
    assert share(summary, "accuracy_top1") == (778, 1200)
    assert share(summary, "accuracy_top5") == (1015, 1200)
    assert share(summary, "clip_accuracy_clip") == (778, 1200)
    assert share(summary, "clip_accuracy_video") == (293, 400)
    assert share(summary, "clip_accuracy_video_without_last") == (292, 399)
    assert summary.metric("clip_accuracy_mean").value == (778 / 1200 + 293 / 400) / 2
    assert summary.metric("clip_accuracy_mean_without_last").value == (778 / 1200 + 292 / 399) / 2


def test_a_name_means_one_figure_and_compatibility_says_which_comes_first() -> None:
    given = predictions(scored([[0, 0, 1], [1, 1, 1], [0, 0, 0]]), [0, 0, 0], protocol="omz")
    corrected, compatible = summarize(given), summarize(given, omz_compatible=True)
    assert {m.name: m.value for m in corrected.metrics} == {m.name: m.value for m in compatible.metrics}
    ours, theirs = ([f"clip_accuracy_{what}{ending}" for what in ("video", "mean")] for ending in ("", "_without_last"))
    head = ["accuracy_top1", "accuracy_top5", "clip_accuracy_clip"]
    assert [metric.name for metric in corrected.metrics[:7]] == [*head, *ours, *theirs]
    assert [metric.name for metric in compatible.metrics[:7]] == [*head, *theirs, *ours]
    assert (corrected.to_dict()["omz_compatible"], compatible.to_dict()["omz_compatible"]) == (False, True)


def test_other_protocols_have_no_figures_to_be_compatible_with() -> None:
    given = predictions(scored([[0]]), [0], protocol="deepmind")
    with pytest.raises(MetricError, match="deepmind"):
        summarize(given, omz_compatible=True)


def test_a_video_counts_by_the_mean_of_its_softmaxes() -> None:
    logits = np.array([[[0, 9, 0], [2, 0, 0], [2, 0, 0]]], np.float32)
    # Two views of three say class 0, but the one that does not is surer.
    summary = summarize(predictions(logits, [1], protocol="multiview"))
    mean = np.exp(logits[0]) / np.exp(logits[0]).sum(axis=1, keepdims=True)
    assert mean.mean(axis=0).argmax() == 0
    assert share(summary, "top1") == (0, 1)
    assert share(summary, "top1_single_views") == (1, 3)


def test_failures_are_counted_as_wrong_in_figures_of_their_own() -> None:
    failures = tuple(Failure(f"gone {n}", "", 0, "missing", "no such video") for n in range(2))
    logits = scored([[0, 0, 0], [1, 1, 1]])
    videos = summarize(predictions(logits[:, :1], [0, 0], protocol="deepmind", failures=failures))
    assert share(videos, "top1") == (1, 2)
    assert share(videos, "top1_failures_as_wrong") == (1, 4)
    assert share(videos, "top5_failures_as_wrong") == (2, 4)
    clips = summarize(predictions(logits, [0, 0], protocol="omz", failures=failures))
    assert share(clips, "accuracy_top1_failures_as_wrong") == (3, 12)
    assert share(clips, "clip_accuracy_clip_failures_as_wrong") == (3, 12)
    assert share(clips, "clip_accuracy_video_failures_as_wrong") == (1, 4)
    assert clips.metric("clip_accuracy_mean_failures_as_wrong").value == 0.25


def test_single_views_have_no_figures_of_their_own_where_they_are_the_videos() -> None:
    names = [metric.name for metric in summarize(predictions(scored([[0]]), [0], protocol="deepmind")).metrics]
    assert names == ["top1", "top5", "mean_class_accuracy"]


def test_every_figure_has_an_identifier_for_programs_and_a_title_for_people() -> None:
    failures = (Failure("gone", "gone.mp4", 0, "missing", "gone"),)
    given = predictions(scored([[0, 1, 1], [0, 0, 0]]), [0, 0], protocol="omz", failures=failures)
    titles = {metric.name: metric.title for metric in summarize(given).metrics}
    assert all(name.isidentifier() and name.islower() for name in titles)
    assert titles["accuracy_top1"] == "accuracy@top1"
    assert titles["accuracy_top5_failures_as_wrong"] == "accuracy@top5, failures counted as wrong"
    assert titles["clip_accuracy_video_without_last"] == "clip_accuracy: video, without the last"
    assert titles["clip_accuracy_mean_failures_as_wrong"] == "clip_accuracy: mean, failures counted as wrong"
    assert len(titles) == len(summarize(given).metrics)


def test_classes_pairs_and_worst_videos() -> None:
    logits = np.full((5, 1, 3), -9, np.float32)
    answers = [0, 1, 1, 2, 0]
    for video, answer in enumerate(answers):
        logits[video, 0, answer] = video + 1
    truth = [0, 0, 0, 2, 2]
    summary = summarize(predictions(logits, truth, protocol="deepmind"))
    assert [(c.label, c.videos, c.top1, c.top5) for c in summary.classes] == [
        ("class 0", 3, pytest.approx(1 / 3), 1.0),
        ("class 2", 2, 0.5, 1.0),
    ]
    assert summary.metric("mean_class_accuracy").value == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert [(p.label, p.predicted, p.videos) for p in summary.confused] == [
        ("class 0", "class 1", 2),
        ("class 2", "class 0", 1),
    ]
    # The surest mistake is the worst.
    assert [video.key for video in summary.worst] == ["video 4", "video 2", "video 1"]
    assert summary.worst[0].predicted == "class 0"
    assert summary.worst[0].predicted_probability > 0.99


def test_nothing_evaluated_has_no_figures_but_says_so() -> None:
    for protocol in ("deepmind", "omz"):
        summary = summarize(predictions(np.empty((0, 3, 8), np.float32), [], protocol=protocol))
        assert all(math.isnan(metric.value) for metric in summary.metrics)
        assert all(metric.to_dict()["value"] is None for metric in summary.metrics)


def test_a_metric_carries_its_wilson_interval() -> None:
    metric = summarize(predictions(scored([[0]] * 8 + [[1]] * 2), [0] * 10, protocol="deepmind")).metric("top1")
    found = metric.to_dict()
    assert (found["successes"], found["trials"], found["value"]) == (8, 10, 0.8)
    assert (found["lower"], found["upper"]) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))


def test_predictions_compare_by_value_and_show_how_many_they_are() -> None:
    one, same = (predictions(scored([[0, 0, 0], [1, 6, 6]]), [0] * 2, protocol="omz") for _ in range(2))
    assert one == same
    assert one != predictions(scored([[0, 0, 0], [1, 1, 6]]), [0] * 2, protocol="omz")
    assert repr(one) == "Predictions(omz: 2 of 2 videos evaluated, 0 missing, 0 unreadable)"


def test_what_is_no_predictions_is_refused() -> None:
    with pytest.raises(MetricError, match=r"predictions must be Predictions, not 'predictions\.parquet'"):
        summarize("predictions.parquet")  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match="b must be Predictions, not None"):
        compare(predictions(scored([[0, 0, 0]]), [0], protocol="omz"), None)  # type: ignore[arg-type]


def test_top5_of_five_classes_or_fewer_says_nothing_and_is_left_out() -> None:
    logits = np.zeros((1, 3, 5), np.float32)
    for protocol in ("deepmind", "omz", "multiview"):
        given = predictions(logits[:, : 1 if protocol == "deepmind" else 3], [0], protocol=protocol)
        names = [metric.name for metric in summarize(given).metrics]
        assert any("top1" in name for name in names)
        assert not any("top5" in name for name in names)
