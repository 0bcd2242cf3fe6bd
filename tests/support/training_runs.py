"""Folders as trainings leave them, with made-up figures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from quovadis.training import TrainingOptions
from quovadis.training.history import EVALUATION, STEP, History
from quovadis.training.output import BEST_NAME, PREDICTIONS_NAME, write_weights
from quovadis.training.run import SKIPPED_NAME, SPLIT_NAME
from quovadis.weights import InputSpecification

LABELS = ("wave", "clap & <b>bow</b>", "jump", "$spin$")
BATCHES = 5
"""Steps of an epoch."""


def write_run(
    folder: Path,
    *,
    epochs: int = 4,
    videos: int = 12,
    best: int = 3,
    multi_label: bool = False,
    validation: bool = True,
    more_steps: int = 0,
    paths: Mapping[str, Path] = MappingProxyType({}),
    skipped: Mapping[str, str] = MappingProxyType({}),
) -> Path:
    """Write a training of some epochs, whose best is the one of a number, counted from 1."""
    folder.mkdir(parents=True, exist_ok=True)
    options = TrainingOptions(stage="full", epochs=max(epochs, 1), loss="sigmoid" if multi_label else "softmax")
    history = History(folder)
    names = ("clip_map", "video_map") if multi_label else ("clip_top1", "video_top1")
    for step in range(epochs * BATCHES + more_steps):
        progress = step / max(epochs * BATCHES, 1)
        factor = 0.5 * (1 + math.cos(math.pi * min(progress, 1)))
        loss = 1.4 * math.exp(-2 * progress) + 0.1 * math.sin(step)
        record = {"step": step + 1, "epoch": step // BATCHES, "loss": loss, "rate_factor": factor}
        history.append(STEP, {**record, "clips_per_second": 8.0 + step % 3})
        if (step + 1) % BATCHES or step >= epochs * BATCHES:
            continue
        epoch = step // BATCHES
        figures = {name: min(1.0, 0.4 + 0.1 * epoch + 0.05 * index) for index, name in enumerate(names)}
        if epoch == best - 1 and "video_top1" in names:
            figures["video_top1"] = 0.75
        found = {"loss": 1.5 - 0.2 * epoch, **figures} if validation else {}
        seconds = 12.5 * (epoch + 1)
        history.append(EVALUATION, {"step": step + 1, "epoch": epoch, "train_loss": loss, **found, "seconds": seconds})
    history.flush()
    split = {"dataset": "videos", "train": {}, "validation": {key: str(path) for key, path in paths.items()}}
    (folder / SPLIT_NAME).write_text(json.dumps(split))
    if skipped:
        (folder / SKIPPED_NAME).write_text(json.dumps(dict(skipped)))
    if not epochs:
        return folder
    history.write_table()
    told = {
        "options": options.to_dict(),
        "step": best * BATCHES,
        "initial_weights": "rgb-scratch",
        "sampling": {"views": 3},
    }
    specification = InputSpecification(clip_frames=64, fps=25, short_side=256, crop_size=224)
    write_weights(folder / BEST_NAME, {"w": np.zeros(1, np.float32)}, LABELS, specification, told)
    if validation:
        lines = [json.dumps(record) + "\n" for record in _videos(videos, multi_label)]
        (folder / PREDICTIONS_NAME).write_text("".join(lines), encoding="utf-8")
    return folder


def write_head_run(folder: Path, *, videos: int = 12) -> Path:
    """Write what the stage `head` leaves."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = {"clip_top1": 0.7, "video_top1": 0.75}
    tried = {"penalty": 0.01, "scores_by_penalty": {"1": 0.5, "0.01": 0.75, "0.0001": 0.625}}
    history = History(folder)
    history.append(EVALUATION, {"step": 0, "epoch": 0, "train_loss": 0.1, "loss": 0.6, **figures, **tried})
    history.write_table()
    told = {"stage": "head", "penalty": 0.01, "options": TrainingOptions().to_dict()}
    write_weights(folder / BEST_NAME, {"w": np.zeros(1, np.float32)}, LABELS, InputSpecification(clip_frames=64), told)
    lines = [json.dumps(record) + "\n" for record in _videos(videos, multi_label=False)]
    (folder / PREDICTIONS_NAME).write_text("".join(lines), encoding="utf-8")
    return folder


def _videos(count: int, multi_label: bool) -> list[dict[str, object]]:
    """Every fourth video is taken for the class after its own, the more surely the later it comes."""
    records: list[dict[str, object]] = []
    for number in range(count):
        truth = number % 3
        wrong = number % 4 == 3
        scores = np.full(len(LABELS), 0.05)
        scores[truth] = 0.25 / (1 + number) if wrong else 0.85
        scores[(truth + 1) % len(LABELS)] = 0.65 if wrong else 0.05
        labels = [LABELS[truth], LABELS[3]] if multi_label and number % 2 else [LABELS[truth]]
        predicted = LABELS[int(scores.argmax())]
        records.append({"key": f"clip {number}", "labels": labels, "predicted": predicted, "scores": scores.tolist()})
    return records
