"""Every public name of `quovadis.training` refuses arguments of another type, or out of range, by their names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from quovadis.datasets import Dataset, Example
from quovadis.errors import QuovadisError, TrainingError
from quovadis.training import (
    ClipDataset,
    ClipLoader,
    ClipSampling,
    ColourJitter,
    Mixup,
    RunOptions,
    TrainingOptions,
    make_loss,
    make_optimiser,
    read_splits,
    scaled,
    split_videos,
    train,
)
from quovadis.training.losses import one_hot
from quovadis.training.synthetic import motion_frames, write_motion_dataset
from support.training import options, small_network, trainer

EXAMPLES = tuple(Example(f"{name}{number}", label, Path()) for label, name in enumerate("ab") for number in range(3))
DATASET = Dataset(Path("list.txt"), "list", EXAMPLES, ("a", "b"))
RANDOM = np.random.default_rng(0)


def clips(**given: Any) -> ClipDataset:
    return ClipDataset(**{"dataset": DATASET, **given})


def loader(**given: Any) -> ClipLoader:
    return ClipLoader(**{"source": clips(), "batch": 2, **given})


def loss(**given: Any) -> Any:
    return make_loss(**{"options": TrainingOptions(), **given})


def optimiser(**given: Any) -> Any:
    return make_optimiser(**{"model": small_network(), "options": options(), **given})


def rescaled(**given: Any) -> Any:
    return scaled(**{"options": TrainingOptions(global_batch=6), "global_batch": 3, **given})


def split(**given: Any) -> Any:
    return split_videos(**{"dataset": DATASET, **given})


def splits(**given: Any) -> Any:
    return read_splits(**{"source": "absent", **given})


def whole(**given: Any) -> Any:
    return train(**{"dataset": "absent", "folder": "run", **given})


def motion(**given: Any) -> Any:
    return write_motion_dataset(**{"folder": "/dev/null/x", "videos_per_class": 1, **given})


def frames(**given: Any) -> Any:
    return next(motion_frames(**{"label": 0, "random": RANDOM, **given}))


@pytest.mark.parametrize(
    ("call", "name", "values"),
    [
        (clips, "dataset", ["videos", None]),
        (clips, "sampling", [16, {}]),
        (clips, "seed", ["1", -1, 1.5]),
        (clips, "training", [1, "yes"]),
        (clips, "limits", [3]),
        (loader, "source", ["videos", DATASET]),
        (loader, "batch", ["2", 0, 2.5, True]),
        (loader, "workers", ["1", -1]),
        (loader, "seed", ["a", -1]),
        (loader, "rank", ["0", -1, 1]),
        (loader, "world_size", [0, "2"]),
        (loader, "ahead", [0, "2"]),
        (loader, "clip_seconds", [0, "2", float("nan")]),
        (loader, "skipped", [3, ["a"]]),
        (loader, "classes", [[0, 1], np.zeros(5, np.int64)]),
        (loader, "weights", [[0, 1], np.zeros(6), -np.ones(6), np.full(6, np.nan)]),
        (loss, "options", ["softmax"]),
        (loss, "videos_per_class", ["ab", 3, [-1.0, 2.0], [0.0, 0.0], []]),
        (optimiser, "model", ["I3D"]),
        (optimiser, "options", [{}]),
        (rescaled, "options", ["paper-kinetics"]),
        (rescaled, "global_batch", [0, -6, "6", 1.5]),
        (split, "dataset", ["ds", None]),
        (split, "validation_share", ["x", 0, 1, float("nan")]),
        (split, "seed", [-1, 1.5, "a"]),
        (split, "group", ["key"]),
        (split, "check_content", ["no"]),
        (splits, "source", [3, "", "a\0b"]),
        (splits, "labels", ["ab", 3, [1]]),
        (splits, "videos", [3]),
        (splits, "validation", [3]),
        (splits, "split", ["1", 1]),
        (splits, "seed", ["a", -1]),
        (whole, "dataset", [3, "", "a\0b"]),
        (whole, "folder", [3, "", "a\0b"]),
        (whole, "restart", ["yes"]),
        (whole, "process", [3]),
        (whole, "observer", [print]),
        (Mixup, "alpha", ["x", 0, -1, float("inf"), float("nan")]),
        (ColourJitter, "contrast", ["x", 2, -0.1, float("nan")]),
        (TrainingOptions, "milestones", [5, ["a"], "3"]),
        (TrainingOptions, "factors", [["a"], 0.1]),
        (TrainingOptions, "epochs", ["3", 0, 1.5]),
        (TrainingOptions, "ema_decay", [1, -0.1, "x"]),
        (RunOptions, "validation_share", ["x", 0, 1]),
        (RunOptions, "split", [0, "1"]),
        (ClipSampling, "scales", [3, (1,), ("a", "b")]),
        (motion, "folder", [3, ""]),
        (motion, "videos_per_class", ["2"]),
        (motion, "size", ["2"]),
        (motion, "seed", [-1]),
        (frames, "label", [-1, 6, "growing"]),
    ],
)
def test_an_argument_that_cannot_be_is_named(call: Callable[..., Any], name: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(QuovadisError) as caught:
            call(**{name: value})
        assert caught.value.option == name
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("model", ["I3D", None]),
        ("batches", [3, [1, 2]]),
        ("labels", ["abc", 3, [1, 2, 3]]),
        ("validation", [3]),
        ("views", [0, "1"]),
        ("optimiser", ["adam", None]),
        ("process", [3]),
        ("input_specification", [None, {}]),
        ("provenance", [3, {"a": object()}]),
        ("restart", ["yes"]),
        ("on_step", [3]),
        ("on_evaluation", [3]),
    ],
)
def test_every_piece_of_a_trainer_has_its_type(name: str, values: list[Any], tmp_path: Path) -> None:
    for value in values:
        with pytest.raises(TrainingError) as caught:
            trainer(tmp_path / "run", **{"chosen": options(), name: value})
        assert caught.value.option == name
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("epoch", "index", "name"), [(-1, 0, "epoch"), ("a", 0, "epoch"), (0, 6, "index")])
def test_a_clip_that_is_not_there_is_refused(epoch: Any, index: Any, name: str) -> None:
    with pytest.raises(TrainingError) as caught:
        clips().clip(epoch, index)
    assert caught.value.option == name


@pytest.mark.parametrize(("epoch", "first", "name"), [(-1, 0, "epoch"), ("a", 0, "epoch"), (0, -1, "first")])
def test_batches_that_are_not_there_are_refused(epoch: Any, first: Any, name: str) -> None:
    with pytest.raises(TrainingError) as caught:
        next(loader().epoch(epoch, first))
    assert caught.value.option == name


def test_a_class_without_a_name_is_refused() -> None:
    with pytest.raises(TrainingError, match="a clip is of class 3, but there are 3: name all in `labels`"):
        one_hot(torch.tensor([0, 3]), 3)
    with pytest.raises(TrainingError, match="a clip is of class -1, but classes are counted from 0"):
        one_hot(torch.tensor([-1, 2]), 3)


def test_factors_that_are_no_factors_are_refused() -> None:
    for factor in (-1.0, float("inf")):
        chosen = TrainingOptions(schedule="step", milestones=(3,), factors=(factor,))
        with pytest.raises(TrainingError, match="`factors` must be 0 or more"):
            chosen.check_together()
