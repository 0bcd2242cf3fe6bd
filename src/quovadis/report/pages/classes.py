"""What every report of a classifier says of classes and videos: confused pairs, worst videos, matrix, each class."""

from __future__ import annotations

from collections.abc import Sequence

from quovadis.escape import counted
from quovadis.evaluation.predictions import VideoScores
from quovadis.evaluation.summary import ClassAccuracy, ConfusedPair, WorstVideo
from quovadis.metrics.accuracy import top_ks
from quovadis.report.pages.confusion import names_are_numbers
from quovadis.report.pages.content import Column, Section, Table, percent


def confused_section(scores: VideoScores, pairs: Sequence[ConfusedPair]) -> Section:
    """Return the pairs of classes that are confused most often."""
    title = "Confused classes"
    if not pairs:
        return Section(title, (_none_wrong(scores),))
    rows = tuple((pair.label, pair.predicted, f"{pair.videos:,}") for pair in pairs)
    columns = (Column("class"), Column("taken for"), Column("videos", True))
    return Section(title, (f"The {counted(len(rows), 'pair')} confused most often.",), table=Table(columns, rows))


def worst_section(scores: VideoScores, worst: Sequence[WorstVideo], thumbnails: Sequence[bytes | None] = ()) -> Section:
    """Return the wrongly classified videos, with a JPEG picture of each where there is one."""
    title = "Worst videos"
    if not worst:
        return Section(title, (_none_wrong(scores),))
    columns = (
        Column("video"),
        Column("class"),
        Column("its probability", True),
        Column("taken for"),
        Column("its probability", True),
        Column("file"),
    )
    rows = tuple(
        (
            video.key,
            video.label,
            percent(video.probability),
            video.predicted,
            percent(video.predicted_probability),
            video.path,
        )
        for video in worst
    )
    paragraph = f"The {counted(len(rows), 'wrongly classified video')} whose own class is least probable."
    return Section(title, (paragraph,), table=Table(columns, rows, tuple(thumbnails)))


def matrix_section(scores: VideoScores) -> Section:
    """Return what is to be known of the confusion matrix, which stands under it."""
    if not scores.keys:
        return Section("Confusion matrix", ("No video was evaluated.",))
    text = (
        "Each row is a class, each column what its videos were taken for, as a share of the row; only classes that "
        "occur are shown. A grey row is a class that has no videos but that others were taken for."
    )
    if names_are_numbers(scores):
        text += " Numbers are those of the table below. Colours follow the cube root of the share: small ones show too."
    return Section("Confusion matrix", (text,), picture="Confusion matrix: classes by rows, predictions by columns")


def classes_section(scores: VideoScores, classes: Sequence[ClassAccuracy]) -> Section:
    """Return how each class fares."""
    title, total = "Accuracy by class", counted(len(scores.labels), "class")
    if not classes:
        return Section(title, ("No video was evaluated.",))
    ks = top_ks(len(scores.labels))
    columns = (Column("number", True), Column("class"), Column("videos", True), *(Column(f"top-{k}", True) for k in ks))
    rows = tuple(
        (str(item.index), item.label, f"{item.videos:,}", *map(percent, (item.top1, item.top5)[: len(ks)]))
        for item in classes
    )
    paragraph = (
        f"Of {total}, {len(rows):,} {'has' if len(rows) == 1 else 'have'} videos; of these, by whole videos, with the "
        "class's number in the network's output:"
    )
    return Section(title, (paragraph,), table=Table(columns, rows), folded=counted(len(rows), "class"))


def _none_wrong(scores: VideoScores) -> str:
    return "Every evaluated video was classified correctly." if scores.keys else "No video was evaluated."
