"""The report of a training for people, before it is HTML: every sentence and every table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from quovadis.escape import counted
from quovadis.evaluation.summary import class_accuracies, confused_pairs, worst_videos
from quovadis.metrics import Proportion, average_precision
from quovadis.report.pages.classes import classes_section, confused_section, matrix_section, worst_section
from quovadis.report.pages.content import (
    NOTHING,
    Bar,
    Column,
    Report,
    Section,
    Table,
    duration,
    fine_number,
    fine_percent,
    interval_percent,
    percent,
)
from quovadis.report.training import FIGURE_TITLES
from quovadis.report.training_page.curves import curves_sections
from quovadis.report.training_page.history import TrainingEpoch, TrainingHistory, ValidationScores
from quovadis.report.training_page.thumbnails import thumbnail
from quovadis.version import __version__

FIGURES: Mapping[str, str] = {name: title.replace(" ", "-wise ", 1) for name, title in FIGURE_TITLES.items()}
"""What figures are called, in the order of the report."""


@dataclass(frozen=True)
class RunCost:
    """What a training took that its folder does not tell; None: it is not known."""

    peak_memory_bytes: int | None = None
    """The most memory of the GPU, else of the process."""
    machine: str | None = None
    """Processor or GPU, as it is called."""
    seconds: float | None = None
    """That this run has taken so far, with everything around the training."""


def training_content(
    history: TrainingHistory,
    *,
    cost: RunCost | None = None,
    commands: Sequence[str] = (),
) -> Report:
    """Return the report of a training.

    Args:
        history: of the run.
        cost: what it took.
        commands: what to run next, as lines for a shell.
    """
    sections: list[Section] = [accuracy_section(history), *curves_sections(history)]
    if commands:
        sections.append(Section("What to run next", commands=tuple(commands)))
    if history.validation is not None and len(history.validation.keys):
        sections += _of_videos(history, history.validation)
    if history.skipped:
        sections.append(_skipped(history.skipped))
    if history.penalties:
        sections.append(_penalties(history))
    sections += [_cost(history, cost or RunCost()), *_epochs(history), *_settings(history), _provenance(history)]
    return Report(f"Training of {history.name}", (_outcome(history),), tuple(sections))


def _outcome(history: TrainingHistory) -> str:
    """Return the sentences that most readers want."""
    best = history.best
    if best is None:
        return f"No evaluation yet: {counted(len(history.steps), 'step')} done. Run the training again to resume it."
    is_head = not history.steps
    which = "the stage head" if is_head else f"epoch {best.epoch}"
    name = "video_map" if history.is_multi_label else "video_top1"
    if history.validation is None or name not in best.figures:
        return f"The weights are those of {which}. Without a validation part, how good they are is not known."
    value, videos = best.figures[name], counted(len(history.validation.keys), "validation video")
    weights = "weights" if is_head else "best weights"
    of = which if is_head else f"{which} of {history.epochs[-1].epoch}"
    text = f"The {weights} are those of {of}: "
    if history.is_multi_label:
        text += f"a mean average precision of {fine_percent(value)} over {videos}."
    else:
        text += f"{round(value * len(history.validation.keys)):,} of {videos} are classified correctly."
    if history.head is not None and history.head.best is not None and name in history.head.best.figures:
        text += f" The stage head, which it began with, came to {fine_percent(history.head.best.figures[name])}."
    return text


def accuracy_section(history: TrainingHistory) -> Section:
    """Return the figures of the best weights, over clips and over videos."""
    title, best = "Accuracy on the validation part", history.best
    if best is None or not best.figures:
        return Section(title, ("Nothing was evaluated.",))
    videos = 0 if history.validation is None else len(history.validation.keys)
    paragraphs = [
        "Clip-wise and video-wise accuracy are different figures, and the second is as a rule the higher one. "
        "Clip-wise, each clip counts by itself. Video-wise, the probabilities of a video's clips are averaged first, "
        "and each video counts once; papers as a rule state this one."
    ]
    if views := int(history.provenance.get("sampling", {}).get("views", 0)):
        paragraphs[0] += f" Here each video has {counted(views, 'clip')}."
    if history.is_multi_label:
        paragraphs.append("mAP is the mean over classes of the average precision.")
    elif videos:
        paragraphs.append(
            "Intervals are Wilson's, with a confidence of 95 %: where those of two trainings overlap, chance may have "
            "decided which looks better. There is none over clips: those of one video are alike, so that it would be "
            "too narrow."
        )
    rows, bars = [], []
    for name in _shown_figures(history):
        if (value := best.figures.get(name)) is None:
            continue
        interval, shown = None, ("", "")
        if videos and name in ("video_top1", "video_top5"):
            counts = Proportion(round(value * videos), videos)
            interval, shown = (
                counts.interval,
                (f"{counts.successes:,} of {videos:,}", interval_percent(counts.interval)),
            )
        rows.append((FIGURES[name], fine_percent(value), *shown))
        if math.isfinite(value):
            bars.append(Bar(FIGURES[name], value, interval))
    headings = ("value",) if history.is_multi_label else ("value", "counts", "95 % interval")
    columns = (Column("figure"), *(Column(heading, True) for heading in headings))
    shown_rows = tuple(row[: len(columns)] for row in rows)
    return Section(title, tuple(paragraphs), bars=tuple(bars), table=Table(columns, shown_rows))


def _shown_figures(history: TrainingHistory) -> list[str]:
    """Return the names of the figures that the epochs have."""
    return [name for name in FIGURES if any(name in epoch.figures for epoch in history.epochs)]


def _of_videos(history: TrainingHistory, scores: ValidationScores) -> list[Section]:
    if history.is_multi_label:
        return [_precisions(scores)]
    worst = worst_videos(scores)
    return [
        confused_section(scores, confused_pairs(scores)),
        matrix_section(scores),
        worst_section(scores, worst, tuple(thumbnail(video.path) for video in worst)),
        classes_section(scores, class_accuracies(scores)),
    ]


def _precisions(scores: ValidationScores) -> Section:
    found = average_precision(scores.video_probabilities, scores.targets)
    order = sorted(np.flatnonzero(scores.targets.any(axis=0)), key=lambda index: (found[index], index))
    rows = tuple(
        (scores.labels[index], f"{scores.targets[:, index].sum():,}", percent(found[index])) for index in order
    )
    columns = (Column("class"), Column("videos", True), Column("average precision", True))
    paragraph = "Average precision of each class that has videos, by whole videos, the lowest first."
    return Section("Classes", (paragraph,), table=Table(columns, rows), folded=counted(len(rows), "class"))


def _skipped(skipped: Mapping[str, str]) -> Section:
    columns = (Column("video"), Column("reason"))
    paragraph = (
        f"{counted(len(skipped), 'video')} could not be read, or not to the end: what cannot be read is left out."
    )
    folded = counted(len(skipped), "video")
    return Section("Videos left out", (paragraph,), table=Table(columns, tuple(skipped.items())), folded=folded)


def _penalties(history: TrainingHistory) -> Section:
    heading = FIGURES["video_map" if history.is_multi_label else "video_top1"]
    columns = (Column("strength of L2", True), Column(heading, True), Column(""))
    chosen = f"{history.provenance.get('penalty', math.nan):g}"
    rows = tuple(
        (strength, fine_percent(score), "chosen" if strength == chosen else "")
        for strength, score in sorted(history.penalties.items(), key=lambda item: float(item[0]))
    )
    paragraph = (
        "The last layer was trained with each of these strengths; the one that does best on the validation part was "
        "chosen. Since that part has chosen, its figures are a little too good."
    )
    return Section("Regularisation", (paragraph,), table=Table(columns, rows))


def _cost(history: TrainingHistory, cost: RunCost) -> Section:
    rows = []
    if history.steps:
        rows.append(("epochs", str(history.epochs[-1].epoch) if history.epochs else "0"))
        rows.append(("steps", f"{history.steps[-1].step:,}"))
    if history.epochs and math.isfinite(seconds := history.epochs[-1].seconds):
        rows.append(("time of steps and evaluations, over all runs", duration(seconds)))
    if cost.seconds is not None:
        rows.append(("time, this run", duration(cost.seconds)))
    if history.steps:
        rows.append(("clips a second, median", fine_number(median(step.clips_per_second for step in history.steps))))
    memory = cost.peak_memory_bytes
    rows.append(("most memory", NOTHING if memory is None else f"{memory / 2**30:.2f} GiB"))
    if cost.machine is not None:
        rows.append(("machine", cost.machine))
    return Section("Time and memory", table=Table((Column("what"), Column("value")), tuple(rows)))


def _epochs(history: TrainingHistory) -> list[Section]:
    if not history.epochs or not history.steps:
        return []
    names = _shown_figures(history)
    headings = ("epoch", "steps", "training loss", "validation loss", *(FIGURES[name] for name in names), "seconds")
    rows = tuple(_epoch_row(epoch, names) for epoch in history.epochs)
    columns = tuple(Column(heading, True) for heading in headings)
    paragraphs = ("history.csv holds the same for programs.",)
    folded = counted(len(rows), "evaluation")
    return [Section("Epochs", paragraphs, table=Table(columns, rows), folded=folded)]


def _epoch_row(epoch: TrainingEpoch, names: Sequence[str]) -> tuple[str, ...]:
    figures = (fine_percent(epoch.figures.get(name, math.nan)) for name in names)
    return (
        str(epoch.epoch),
        f"{epoch.step:,}",
        fine_number(epoch.train_loss),
        fine_number(epoch.loss),
        *figures,
        NOTHING if math.isnan(epoch.seconds) else f"{epoch.seconds:,.1f}",
    )


def _settings(history: TrainingHistory) -> list[Section]:
    if not history.options:
        return []
    rows = tuple((name, _setting(value)) for name, value in sorted(history.options.items()))
    table = Table((Column("option"), Column("value")), rows)
    return [Section("Settings", table=table, folded=counted(len(rows), "option"))]


def _provenance(history: TrainingHistory) -> Section:
    given = {**history.input_specification, **history.provenance}
    rows = tuple((name.replace("_", " "), _setting(value)) for name, value in given.items() if value is not None)
    own = (("quovadis", __version__), ("classes", ", ".join(history.labels) or NOTHING))
    return Section("Where it comes from", table=Table((Column("what"), Column("value")), (*own, *rows)))


def _setting(value: Any) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_setting(one)}" for name, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_setting, value)) or NOTHING
    return str(value)
