"""What a training left in its folder, as a value: what the report of a training is made of."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from quovadis.errors import OutputError
from quovadis.labels import labels_from_json
from quovadis.training.history import EVALUATION, HISTORY_NAME, STEP, read_history
from quovadis.training.output import BEST_NAME, PREDICTIONS_NAME, TRAINING_KEY
from quovadis.training.run import SKIPPED_NAME, SPLIT_NAME
from quovadis.weights.input_specification import INPUT_KEY
from quovadis.weights.safetensors_file import LABELS_KEY


@dataclass(frozen=True)
class TrainingStep:
    """One optimiser step."""

    step: int
    """From 1."""
    epoch: int
    """From 1."""
    loss: float
    rate_factor: float
    """What the first learning rates were multiplied by."""
    clips_per_second: float


@dataclass(frozen=True)
class TrainingEpoch:
    """One evaluation, at the end of an epoch."""

    epoch: int
    """From 1."""
    step: int
    """Optimiser steps that were done."""
    train_loss: float
    """Mean of the epoch's steps."""
    loss: float
    """Mean over validation clips; not a number without a validation part."""
    figures: Mapping[str, float]
    """Values in 0..1 by name: `clip_top1`, `video_top1`, …; of several labels a video `clip_map` and `video_map`."""
    seconds: float
    """That the training had taken, over all runs; not a number where it is not known."""


@dataclass(frozen=True, eq=False)
class ValidationScores:
    """What the best weights make of each validation video. A `VideoScores`, so that evaluation's counts take it."""

    labels: tuple[str, ...]
    """Class names in output order."""
    keys: tuple[str, ...]
    """What the dataset calls each video."""
    paths: tuple[str, ...]
    """Of each video; empty where it is not known."""
    targets: NDArray[np.bool_]
    """The classes of each video, shape videos, classes."""
    video_probabilities: NDArray[np.float64]
    """Mean over the clips of each video, shape videos, classes."""

    @property
    def truth(self) -> NDArray[np.int64]:
        """The class of each video; of several, the first."""
        first: NDArray[np.int64] = self.targets.argmax(axis=1)
        return first


@dataclass(frozen=True)
class TrainingHistory:
    """All that a report tells of a training, which may have been resumed, interrupted, or have one epoch."""

    name: str
    """What the run is called: its folder."""
    labels: tuple[str, ...] = ()
    """Class names in output order; none before the first evaluation."""
    steps: tuple[TrainingStep, ...] = ()
    epochs: tuple[TrainingEpoch, ...] = ()
    """Of each evaluation, oldest first."""
    best_step: int | None = None
    """Steps that were done when the best weights were evaluated; None: before the first evaluation."""
    validation: ValidationScores | None = None
    """None: there is no validation part, or no evaluation yet."""
    skipped: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Why videos could not be read, by what the dataset calls them."""
    penalties: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Of the stage `head`: the score on the validation part by the strength of L2."""
    head: TrainingHistory | None = None
    """Of the stage `head`, which the whole network was trained after; None: it was not."""
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """How the network was trained, by the names of `TrainingOptions`."""
    input_specification: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """The clips that it was trained on."""
    provenance: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """What else decides the result: the dataset, the first weights, the version."""

    @property
    def is_multi_label(self) -> bool:
        """Whether a video may be of several classes."""
        return self.options.get("loss") == "sigmoid"

    @property
    def best(self) -> TrainingEpoch | None:
        """The evaluation that the best weights are of."""
        found = [epoch for epoch in self.epochs if epoch.step == self.best_step]
        return found[-1] if found else None


def read_training(folder: Path) -> TrainingHistory:
    """Read what a training left in its folder, finished or not.

    Args:
        folder: of the run.

    Raises:
        OutputError: there is no training in the folder, or its files are damaged.
    """
    path = folder / HISTORY_NAME
    try:
        records = list(read_history(path))
        steps = tuple(_step(record) for record in records if record["kind"] == STEP)
        evaluations = [record for record in records if record["kind"] == EVALUATION]
        epochs = tuple(map(_epoch, evaluations))
        metadata = _metadata(path := folder / BEST_NAME)
        training = json.loads(metadata.get(TRAINING_KEY, "{}"))
        # The history has it too.
        training.pop("validation", None)
        labels = labels_from_json(metadata.get(LABELS_KEY)) or ()
        skipped = _read_json(path := folder / SKIPPED_NAME)
        paths = _read_json(path := folder / SPLIT_NAME).get("validation", {})
        validation = _validation(path := folder / PREDICTIONS_NAME, labels, paths) if metadata else None
    except FileNotFoundError as error:
        raise OutputError(f"{error.filename}: no such file; give the folder of a training") from error
    except OSError as error:
        raise OutputError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, SafetensorError) as error:
        raise OutputError(f"{path}: damaged; run the training again, which resumes from its last state") from error
    head = folder / "head"
    return TrainingHistory(
        name=folder.resolve().name,
        labels=labels,
        steps=steps,
        epochs=epochs,
        # The stage head has one evaluation, which is its best.
        best_step=training.pop("step", epochs[-1].step if epochs and not steps else None),
        validation=validation,
        skipped=skipped,
        penalties=evaluations[-1].get("scores_by_penalty", {}) if evaluations else {},
        head=read_training(head) if (head / HISTORY_NAME).exists() else None,
        options=training.pop("options", {}),
        input_specification=json.loads(metadata.get(INPUT_KEY, "{}")),
        provenance=training,
    )


def _step(record: Mapping[str, Any]) -> TrainingStep:
    return TrainingStep(
        record["step"], record["epoch"] + 1, record["loss"], record["rate_factor"], record["clips_per_second"]
    )


def _epoch(record: Mapping[str, Any]) -> TrainingEpoch:
    figures = {name: value for name, value in record.items() if name.startswith(("clip_", "video_"))}
    loss, seconds = record.get("loss", math.nan), record.get("seconds", math.nan)
    return TrainingEpoch(record["epoch"] + 1, record["step"], record["train_loss"], loss, figures, seconds)


def _read_json(path: Path) -> dict[str, Any]:
    """Return what a file holds, or nothing where there is no file."""
    if not path.exists():
        return {}
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def _metadata(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    with safe_open(path, "numpy") as file:
        return file.metadata() or {}


def _validation(path: Path, labels: tuple[str, ...], paths: Mapping[str, str]) -> ValidationScores | None:
    if not path.exists():
        return None
    with path.open(encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    numbers = {label: index for index, label in enumerate(labels)}
    targets = np.zeros((len(records), len(labels)), bool)
    for target, record in zip(targets, records, strict=True):
        target[[numbers[label] for label in record["labels"]]] = True
    keys = tuple(record["key"] for record in records)
    scores = np.array([record["scores"] for record in records], np.float64).reshape(targets.shape)
    return ValidationScores(labels, keys, tuple(paths.get(key, "") for key in keys), targets, scores)
