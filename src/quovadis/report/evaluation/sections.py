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
from quovadis.report.evaluation.documents import per_second
from quovadis.report.pages.classes import classes_section, confused_section, matrix_section, worst_section
from quovadis.report.pages.content import Column, Report, Section, Table, duration
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
        confused_section(predictions, summary.confused),
        worst_section(predictions, summary.worst),
        matrix_section(predictions),
        classes_section(predictions, summary.classes),
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
