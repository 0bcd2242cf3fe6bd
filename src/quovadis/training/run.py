"""A whole training, from a dataset to weights: what `quovadis train` does."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from quovadis.architecture import HEAD, check_input_size
from quovadis.datasets import Dataset
from quovadis.durable import output_folder
from quovadis.errors import ArchitectureError, TrainingError, VideoError
from quovadis.escape import counted, escaped
from quovadis.fields import check_path, check_values
from quovadis.labels import class_names
from quovadis.options import ModelOptions
from quovadis.progress import Notify, ignore_notice
from quovadis.recognizer import load
from quovadis.torch import I3D
from quovadis.training.clips import ClipDataset, ClipSampling
from quovadis.training.config import CONFIG_NAME, write_config
from quovadis.training.distributed import Process
from quovadis.training.earlier_run import HEAD_FOLDER, refuse_other_training
from quovadis.training.evaluate import video_records
from quovadis.training.head_features import head_features
from quovadis.training.head_stage import TrainedHead, train_head
from quovadis.training.history import EVALUATION, History
from quovadis.training.loader import ClipLoader
from quovadis.training.losses import make_loss
from quovadis.training.observer import SilentObserver, TrainingObserver
from quovadis.training.options import RANDOM, RunOptions, TrainingOptions, check_stages, scaled, unread_options
from quovadis.training.output import (
    BEST_NAME,
    LAST_NAME,
    PREDICTIONS_NAME,
    write_json,
    write_lines,
    write_weights,
)
from quovadis.training.split import DatasetSplit, dataset_fingerprint, lost_classes, read_splits
from quovadis.training.state import only_training
from quovadis.training.trainer import StepReport, Trainer, TrainingResult
from quovadis.training.transforms import Mixup
from quovadis.weights import InputSpecification, Weights, load_weights

SKIPPED_NAME, SPLIT_NAME = "skipped.json", "split.json"
"""In the folder of a run: why videos could not be read; and the paths of those on either side."""


def train(
    dataset: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    run: RunOptions | None = None,
    options: TrainingOptions | None = None,
    sampling: ClipSampling | None = None,
    restart: bool = False,
    process: Process | None = None,
    observer: TrainingObserver | None = None,
) -> TrainingResult:
    """Train on a dataset, or go on with the training in the folder.

    Args:
        dataset: in any form that `read_splits` reads.
        folder: for everything that is written; made if it is not there.
        run: what it begins with; None: the defaults.
        options: how; None: the defaults.
        sampling: which clips; None: the paper's, and three views of each video in validation.
        restart: forget the training in the folder; features that are computed already are kept.
        process: of several; None: this one alone.
        observer: told how it stands.

    Raises:
        DatasetError: the dataset cannot be read or divided.
        TrainingError: an argument of another type, options that do not go together, or a loss that is no number.
        OutputError: the folder cannot be written, or holds another training.
        WeightsError: the weights cannot be read.
        VideoError: no video can be read.
    """
    dataset, folder = check_path("dataset", dataset, TrainingError), check_path("folder", folder, TrainingError)
    check_values(RunOptions | None, TrainingError, run=run)
    check_values(TrainingOptions | None, TrainingError, options=options)
    check_values(ClipSampling | None, TrainingError, sampling=sampling)
    check_values(bool, TrainingError, restart=restart)
    check_values(Process | None, TrainingError, process=process)
    check_values(TrainingObserver | None, TrainingError, observer=observer)
    run, options, sampling = run or RunOptions(), options or TrainingOptions(), sampling or ClipSampling(views=3)
    process, observer = process or Process(), observer or SilentObserver()
    options.check_together()
    specified = sampling.input_specification()
    if "head" in options.stages and process.world_size > 1:
        raise TrainingError(
            'the stage head takes one process: run it without torchrun, and `stage="full"` with it afterwards',
            option="stage",
        )
    check_stages(run, options)
    if "head" in options.stages:
        check_crop(sampling)
    split = _read_split(dataset, run, options, observer.notice if process.is_main else ignore_notice)
    weights = None if run.weights == RANDOM else load_weights(run.weights, notify=observer.notice)
    trained = _Run(folder, split, run, options, sampling, specified, process, observer)
    if not restart:
        refuse_other_training(folder, options, trained.provenance(weights))
    _tell_unread(run, options, process, observer)
    _tell_scaling(options, process, observer)
    result = None
    if "head" in options.stages and weights is not None:
        weights, result = trained.head(weights, folder if options.stage == "head" else folder / HEAD_FOLDER)
    if result is None or options.stage != "head":
        result = trained.full(weights, restart=restart)
    trained.tell_skipped()
    return result


@dataclass
class _Run:
    """The stages of one training."""

    folder: Path
    split: DatasetSplit
    run: RunOptions
    options: TrainingOptions
    sampling: ClipSampling
    input: InputSpecification
    process: Process
    observer: TrainingObserver
    skipped: dict[str, str] = field(default_factory=dict)
    """Why videos could not be read, in every stage, by what the dataset calls them."""

    @property
    def labels(self) -> tuple[str, ...]:
        return self.split.train.labels

    def head(self, weights: Weights, folder: Path) -> tuple[Weights, TrainingResult]:
        """Train the last layer, write the weights, and return both."""
        self._write_run()
        model = ModelOptions(self.run.weights, engine=self.run.engine, device=self.options.device)
        parts = []
        with load(model, loaded=weights, needs_labels=False) as backbone:
            for name, dataset, views in (
                ("train", self.split.train, self.options.head_clips),
                ("validation", self.split.validation, self.sampling.views),
            ):
                clips = ClipDataset(dataset, self.sampling, seed=self.options.seed, training=name == "train")
                settings = {**_plain(self.sampling), "seed": self.options.seed, "part": name}
                found = head_features(
                    backbone,
                    clips,
                    self.folder,
                    views=views,
                    settings=settings,
                    workers=max(1, self.options.workers),
                    observer=self.observer.features(name),
                    on_failure=self._skip,
                )
                parts.append(found)
        head = train_head(parts[0], parts[1], len(self.labels), self.options)
        made = head.put_on(weights, self.labels, folder / BEST_NAME)
        self._write_head(head, made, weights, folder)
        if head.evaluation is not None:
            self.observer.evaluation(0, head.evaluation)
        score = None if head.evaluation is None else head.evaluation.score
        return made, TrainingResult(folder / BEST_NAME, folder / LAST_NAME, 0, 0, score, head.evaluation)

    def _write_head(self, head: TrainedHead, made: Weights, backbone: Weights, folder: Path) -> None:
        output_folder(folder)
        told = {"stage": "head", "penalty": head.penalty, **self.provenance(backbone)}
        told |= {"options": self.options.to_dict()}
        if head.evaluation is not None:
            told |= {"validation": head.evaluation.to_dict()}
        for name in (LAST_NAME, BEST_NAME):
            write_weights(folder / name, made.tensors, self.labels, self.input, told)
        history = History(folder)
        record: dict[str, Any] = {"step": 0, "epoch": 0, "train_loss": head.train_loss}
        if head.evaluation is not None:
            record |= {"loss": head.evaluation.loss, **head.evaluation.figures}
            write_lines(folder / PREDICTIONS_NAME, video_records(head.evaluation, self.labels))
        tried = {f"{penalty:g}": score for penalty, score in head.tried.items()}
        history.append(EVALUATION, {**record, "penalty": head.penalty, "scores_by_penalty": tried})
        history.write_table()

    def full(self, weights: Weights | None, *, restart: bool) -> TrainingResult:
        """Train the network from the weights on, or from random ones."""
        options, process = self.options, self.process
        train, validation = (
            ClipDataset(part, self.sampling, seed=options.seed, training=is_training)
            for part, is_training in ((self.split.train, True), (self.split.validation, False))
        )
        common: dict[str, Any] = {"rank": process.rank, "world_size": process.world_size, "seed": options.seed}
        common["pin_memory"] = process.device(options.device).type == "cuda"
        counts = None if self.split.train.is_multi_label else class_counts(self.split.train)
        labels = np.array([example.label for example in train.examples], np.int64)
        balanced = labels if options.balance == "sampler" else None

        def step(report: StepReport) -> None:
            self._add_skipped(loaders)
            self.observer.step(report)

        with ExitStack() as stack:
            loaders = [
                stack.enter_context(ClipLoader(part, batch=options.batch, workers=workers, classes=classes, **common))
                for part, workers, classes in ((train, options.workers, balanced), (validation, options.workers, None))
            ]
            network = initial_network(weights, self.labels, options)
            if network.pool == HEAD.pool:
                check_crop(self.sampling)
            trainer = Trainer(
                network,
                loaders[0],
                options,
                self.folder,
                labels=self.labels,
                validation=loaders[1],
                views=self.sampling.views,
                loss=make_loss(options, counts),
                transform=Mixup(options.mixup) if options.mixup else None,
                process=process,
                input_specification=self.input,
                provenance=self.provenance(weights),
                restart=restart,
                on_step=step,
                on_evaluation=self.observer.evaluation,
            )
            # Not before: the trainer has refused to go on with another training, whose files stay as they are.
            with only_training(self.folder) if process.is_main else nullcontext():
                self._write_run()
                result = trainer.fit()
        if process.is_main:
            for key, reason in self._add_skipped(loaders).items():
                self.observer.notice(f"skipped: {key}: {reason}")
        return result

    def tell_skipped(self) -> None:
        """Say how many videos could not be read, if any."""
        if self.skipped and self.process.is_main:
            total = counted(len(self.split.train.examples) + len(self.split.validation.examples), "video")
            path = self.folder / SKIPPED_NAME
            self.observer.notice(f"warning: {len(self.skipped)} of {total} could not be read: {path} says why")
            for warning in lost_classes(self.split, self.skipped):
                self.observer.notice(f"warning: {warning}")

    def _write_run(self) -> None:
        """Write what is trained on, and how."""
        if not self.process.is_main:
            return
        output_folder(self.folder)
        resolved = {**asdict(self.run), **self.options.to_dict(), **_plain(self.sampling)}
        unread = {*unread_options(self.options.stage), *(("epochs",) if self.options.steps is not None else ())}
        write_config(self.folder / CONFIG_NAME, {name: value for name, value in resolved.items() if name not in unread})
        parts = {"train": self.split.train, "validation": self.split.validation}
        paths = {name: {example.key: str(example.path) for example in part.examples} for name, part in parts.items()}
        write_json(self.folder / SPLIT_NAME, {"dataset": str(self.split.train.source), **paths})
        # What an earlier run could not read, this one may.
        write_skipped(self.folder / SKIPPED_NAME, self.skipped)

    def _skip(self, key: str, error: VideoError) -> None:
        """Take a video that cannot be read; the file is there at once, in case that the training is stopped."""
        self.skipped[key] = str(error)
        write_skipped(self.folder / SKIPPED_NAME, self.skipped)
        self.observer.notice(f"skipped: {error}")

    def _add_skipped(self, loaders: Sequence[ClipLoader]) -> dict[str, str]:
        """Take what loaders have skipped, write it if it is new, and return it."""
        found = {key: reason for loader in loaders for key, reason in loader.skipped.copy().items()}
        if not found.items() <= self.skipped.items():
            self.skipped |= found
            write_skipped(self.folder / SKIPPED_NAME, self.skipped)
        return found

    def provenance(self, weights: Weights | None) -> dict[str, Any]:
        """Return what decides the result beside the options, in JSON's types.

        Args:
            weights: what the training begins with; None: random ones.
        """
        return {
            "dataset_sha256": dataset_fingerprint(self.split),
            "split": self.run.split,
            "validation_share": self.run.validation_share,
            "sampling": _plain(self.sampling),
            "initial_weights": RANDOM if weights is None else escaped(weights.name),
            "initial_weights_sha256": None if weights is None else weights.sha256,
        }


def initial_network(weights: Weights | None, labels: tuple[str, ...], options: TrainingOptions) -> I3D:
    """Return the network that a training begins with: with weights, whose last layer is kept if it is of these classes.

    Random weights follow from the seed.
    """
    torch.manual_seed(options.seed)
    if weights is None:
        return I3D(len(labels), dropout=options.dropout)
    if weights.known_labels == labels:
        return I3D.from_pretrained(weights, dropout=options.dropout)
    # Of as many classes, but others, its last layer would be kept.
    fresh = I3D(len(labels), dropout=options.dropout)
    model = I3D.from_pretrained(weights, num_classes=len(labels), dropout=options.dropout)
    head = model.get_submodule(HEAD.scope)
    head.load_state_dict(fresh.get_submodule(HEAD.scope).state_dict())
    return model


def check_crop(sampling: ClipSampling) -> None:
    """Refuse clips that are too small for the network.

    Raises:
        TrainingError: naming what it needs.
    """
    try:
        check_input_size(sampling.frames, sampling.crop, sampling.crop)
    except ArchitectureError as error:
        needed = str(error).partition(";")[0]
        raise TrainingError(f"{needed}: give a larger `crop`", option="crop") from error


def class_counts(dataset: Dataset) -> list[int]:
    """Return how many videos each class has."""
    counts = [0] * len(dataset.labels)
    for example in dataset.existing:
        counts[example.label] += 1
    return counts


def write_skipped(path: Path, failures: Mapping[str, str]) -> None:
    """Write why videos could not be read; no file where all could.

    Raises:
        OutputError: it cannot be written.
    """
    if failures:
        write_json(path, failures)
    else:
        path.unlink(missing_ok=True)


def _tell_unread(run: RunOptions, options: TrainingOptions, process: Process, observer: TrainingObserver) -> None:
    """Say which options, as a recipe for another stage has them, have no effect."""
    unread = unread_options(options.stage)
    chosen = [
        f"`{one.name}`"
        for given in (options, run)
        for one in fields(given)
        if one.name in unread and getattr(given, one.name) != one.default
    ]
    if chosen and process.is_main:
        observer.notice(f"note: without effect in the stage {options.stage}: {', '.join(chosen)}")


def _tell_scaling(options: TrainingOptions, process: Process, observer: TrainingObserver) -> None:
    clips = options.batch * options.accumulate * process.world_size
    if "full" in options.stages and process.is_main and options.global_batch not in (None, clips):
        made = scaled(options, clips)
        steps = "" if options.steps is None else f", and {made.steps} steps in place of {options.steps}"
        observer.notice(
            f"note: {clips} clips a step in place of {options.global_batch}: by the linear rule, learning rates of "
            f"{made.head_rate:g} and {made.backbone_rate:g}{steps}"
        )


def _read_split(dataset: Path, run: RunOptions, options: TrainingOptions, notify: Notify) -> DatasetSplit:
    split = read_splits(
        dataset,
        labels=class_names(run.labels),
        videos=None if run.videos is None else Path(run.videos),
        file_format=run.file_format,
        validation=None if run.validation is None else Path(run.validation),
        validation_share=run.validation_share,
        split=run.split,
        seed=options.seed,
    )
    for warning in split.warnings:
        notify(f"warning: {warning}")
    if split.train.is_multi_label and options.loss != "sigmoid":
        raise TrainingError(
            f'{dataset}: its videos have several classes each: train with `loss="sigmoid"`', option="loss"
        )
    if split.train.is_multi_label and options.balance != "none":
        raise TrainingError(
            f"{dataset}: its videos have several classes each, which cannot be balanced: leave `balance` out",
            option="balance",
        )
    if len(split.train.labels) < 2:
        raise TrainingError(
            f"{dataset}: has one class, {split.train.labels[0]}, and nothing to tell it from: add others"
        )
    return split


def _plain(sampling: ClipSampling) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(sampling).items()}
