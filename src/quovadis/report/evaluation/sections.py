"""The report for people, before it is Markdown or HTML: every sentence and every table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quovadis.errors import Spell, in_python, spell_options
from quovadis.escape import counted
from quovadis.evaluation.predictions import Predictions
from quovadis.evaluation.protocols import OpenModelZooProtocol
from quovadis.evaluation.run import RunRecord
from quovadis.evaluation.summary import Summary
from quovadis.report.evaluation.accuracy import accuracy_section, published_section
from quovadis.report.evaluation.confusion import names_are_numbers
from quovadis.report.evaluation.content import Column, Report, Section, Table, duration, percent
from quovadis.report.evaluation.documents import per_second
from quovadis.version import __version__

_NOT_OF_PROTOCOL = (
    *("protocol", "weights", "weights_sha256", "engine", "version", "device", "precision", "calibration_sha256"),
    *("allow_partial", "quovadis", "makers"),
)
"""Settings that have a place of their own in the report; all others are the protocol's."""


def report_content(predictions: Predictions, summary: Summary, record: RunRecord, spell: Spell = in_python) -> Report:
    """Return the report of an evaluation and of the run that finished it, options in it written as `spell` has it."""
    settings, source = predictions.settings, str(predictions.dataset.get("source", ""))
    title = f"Evaluation of {settings.get('weights')} on {Path(source).name or source}, protocol {settings['protocol']}"
    sections = [
        Section("What was evaluated", table=_facts(predictions, summary, spell)),
        accuracy_section(predictions, summary),
        published_section(predictions),
        Section("Speed", _speed(record)),
        _confused(predictions, summary),
        _worst(predictions, summary),
        _matrix(predictions),
        _classes(predictions, summary),
    ]
    if predictions.incomplete:
        sections.append(_partial(predictions, spell))
    if predictions.failures:
        sections.append(_failures(predictions))
    paragraphs = (
        f"{predictions.counts}.",
        "report.json and run.json hold the same for programs, predictions.parquet every view of every video.",
    )
    return Report(title, paragraphs, tuple(sections))


def _facts(predictions: Predictions, summary: Summary, spell: Spell) -> Table:
    settings, dataset = predictions.settings, predictions.dataset
    rows = [
        ("dataset", f"{dataset.get('source')} ({dataset.get('format')})"),
        ("protocol", _protocol(settings)),
        *_clip_accuracy(settings, summary, spell),
        ("weights", str(settings.get("weights"))),
        ("SHA-256 of the weights", str(settings.get("weights_sha256"))),
        *_makers(settings),
        ("precision", str(settings.get("precision"))),
        *_calibration(settings),
    ]
    if "makers" not in settings:
        rows.append(("quovadis", str(settings.get("quovadis", __version__))))
    return Table((Column("setting"), Column("value")), tuple(rows))


def _makers(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what computed the views: of a run that went on elsewhere, several."""
    if "makers" not in settings:
        return [
            ("engine", f"{settings.get('engine')} {settings.get('version')}"),
            ("device", str(settings.get("device"))),
        ]
    return [
        ("engine", f"{one.get('engine')} {one.get('version')} on {one.get('device')}, quovadis {one.get('quovadis')}")
        for one in settings["makers"]
    ]


def _calibration(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    identity = settings.get("calibration_sha256")
    return [] if identity is None else [("SHA-256 of the calibration", str(identity))]


def _clip_accuracy(settings: Mapping[str, Any], summary: Summary, spell: Spell) -> list[tuple[str, str]]:
    if settings["protocol"] != OpenModelZooProtocol.name:
        return []
    theirs = spell_options("without the last video, as Open Model Zoo's tool (`omz_compatible=True`)", spell)
    return [("clip_accuracy", theirs if summary.omz_compatible else "over all videos")]


def _protocol(settings: Mapping[str, Any]) -> str:
    own = [_setting(name, value) for name, value in settings.items() if name not in _NOT_OF_PROTOCOL]
    partly = ["damaged videos in part"] if settings.get("allow_partial") else []
    return ", ".join([str(settings["protocol"]), *own, *partly])


def _setting(name: str, value: Any) -> str:
    return f"{name.replace('_', ' ')} {value}"


def _speed(record: RunRecord) -> tuple[str, ...]:
    sentences = [
        f"This run evaluated {counted(record.videos, 'video')} ({counted(record.views, 'view')}) in "
        f"{duration(record.seconds)} with {counted(record.workers, 'worker')}"
    ]
    videos, views = per_second(record.videos, record), per_second(record.views, record)
    if videos is not None and views is not None:
        sentences[0] += f": {videos:.2f} videos and {views:.2f} views a second"
    if record.earlier:
        sentences.append(f"Earlier runs evaluated {counted(record.earlier, 'video')}")
    return tuple(f"{sentence}." for sentence in sentences)


def _confused(predictions: Predictions, summary: Summary) -> Section:
    title = "Confused classes"
    if not summary.confused:
        return Section(title, (_none_wrong(predictions),))
    rows = tuple((pair.label, pair.predicted, f"{pair.videos:,}") for pair in summary.confused)
    columns = (Column("class"), Column("taken for"), Column("videos", True))
    return Section(title, (f"The {counted(len(rows), 'pair')} confused most often.",), table=Table(columns, rows))


def _worst(predictions: Predictions, summary: Summary) -> Section:
    title = "Worst videos"
    if not summary.worst:
        return Section(title, (_none_wrong(predictions),))
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
        for video in summary.worst
    )
    paragraph = f"The {counted(len(rows), 'wrongly classified video')} whose own class is least probable."
    return Section(title, (paragraph,), table=Table(columns, rows))


def _none_wrong(predictions: Predictions) -> str:
    return "Every evaluated video was classified correctly." if predictions.keys else "No video was evaluated."


def _matrix(predictions: Predictions) -> Section:
    if not predictions.keys:
        return Section("Confusion matrix", ("No video was evaluated.",))
    text = (
        "Each row is a class, each column what its videos were taken for, as a share of the row; only classes that "
        "occur are shown. A grey row is a class that has no videos but that others were taken for."
    )
    if names_are_numbers(predictions):
        text += " Numbers are those of the table below. Colours follow the cube root of the share: small ones show too."
    return Section("Confusion matrix", (text,), picture="Confusion matrix: classes by rows, predictions by columns")


def _classes(predictions: Predictions, summary: Summary) -> Section:
    title, total = "Accuracy by class", counted(len(predictions.labels), "class")
    if not summary.classes:
        return Section(title, ("No video was evaluated.",))
    columns = (Column("number", True), Column("class"), *(Column(text, True) for text in ("videos", "top-1", "top-5")))
    rows = tuple(
        (str(item.index), item.label, f"{item.videos:,}", percent(item.top1), percent(item.top5))
        for item in summary.classes
    )
    paragraph = (
        f"Of {total}, {len(rows):,} {'has' if len(rows) == 1 else 'have'} videos; of these, by whole videos, with the "
        "class's number in the network's output:"
    )
    return Section(title, (paragraph,), table=Table(columns, rows), folded=counted(len(rows), "class"))


def _partial(predictions: Predictions, spell: Spell) -> Section:
    columns = (Column("video"), Column("what is wrong with it"))
    rows = tuple((video.key, "; ".join(video.notes)) for video in predictions.incomplete)
    paragraph = spell_options(
        "Damaged or cut off: evaluated, as `allow_partial=True` has it, by what is there of them.", spell
    )
    return Section(
        "Partly decoded videos", (paragraph,), table=Table(columns, rows), folded=counted(len(rows), "video")
    )


def _failures(predictions: Predictions) -> Section:
    columns = (Column("video"), Column("class"), Column("state"), Column("reason"))
    rows = tuple(
        (failure.key, predictions.labels[failure.label], failure.kind, failure.reason)
        for failure in predictions.failures
    )
    folded = counted(len(rows), "video")
    return Section("Videos that were not evaluated", table=Table(columns, rows), folded=folded)
