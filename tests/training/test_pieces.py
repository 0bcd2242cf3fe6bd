"""Pieces of a training that are replaced by one's own: what they must return, and what is said if they do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from torch import Tensor, nn

from quovadis.errors import LabelsError, OutputError, TrainingError
from quovadis.training.batches import Batch, endless_batches
from quovadis.training.state import STATE_NAME
from quovadis.training.trainer import StepReport
from support.training import LABELS, MemoryBatches, options, small_network, trainer


@dataclass(frozen=True)
class ShortBatches(MemoryBatches):
    """Has fewer or more batches in an epoch than its length says."""

    real: int = 0

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        whole = [*super().epoch(epoch), *super().epoch(epoch)]
        yield from whole[first : self.real]


class Returns(nn.Module):
    """A network whose logits are changed before they are returned."""

    def __init__(self, change: Callable[[Tensor], Any], classes: int = len(LABELS)) -> None:
        super().__init__()
        self.network, self.change = small_network(classes), change

    def forward(self, clips: Tensor) -> Any:
        return self.change(self.network(clips))


@pytest.mark.parametrize("real", [0, 2, 4])
def test_an_epoch_of_another_length_than_it_says_is_refused_and_no_endless_loop(real: int, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=f"`batches` has {real} in epoch 0, but its length is 3: they must agree"):
        trainer(tmp_path, options(steps=9), batches=ShortBatches(real=real)).fit()


def test_batches_go_on_from_any_number_on() -> None:
    source = MemoryBatches()
    keys = [batch.keys for batch in islice(endless_batches(source, 0), 7)]
    assert keys == [batch.keys for epoch in range(3) for batch in source.epoch(epoch)][:7]
    assert [batch.keys for batch in islice(endless_batches(source, 4), 3)] == keys[4:]


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Returns(lambda logits: (logits,)), "the network returned a tuple for 2 clips"),
        (Returns(lambda logits: logits[:, None]), r"the network returned a tensor of shape \(2, 1, 3\) for 2 clips"),
        (
            Returns(lambda logits: logits, 5),
            r"shape \(2, 5\) .* must return logits of shape \(2, 3\), for the 3 classes",
        ),
    ],
    ids=["tuple", "steps", "classes"],
)
def test_a_network_that_returns_no_logits_of_the_classes_is_refused(
    model: nn.Module, said: str, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=said):
        trainer(tmp_path, options(), model=model).fit()


@pytest.mark.parametrize(
    ("piece", "made", "said"),
    [
        ("transform", None, "the transform returned a NoneType: it must return two tensors, clips and targets"),
        ("transform", torch.zeros(2), r"the transform returned a tensor of shape \(2,\)"),
        ("transform", (torch.zeros(2), 3), "the transform returned a tuple"),
        ("optimiser", None, "the optimiser's factory returned a NoneType: it must return a torch.optim.Optimizer"),
    ],
)
def test_a_transform_or_a_factory_that_returns_something_else_is_refused(
    piece: str, made: Any, said: str, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=said) as raised:
        trainer(tmp_path, options(), **{piece: lambda *_: made}).fit()
    assert raised.value.option == piece


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (lambda logits, targets, reduction="mean": (logits - targets).square().sum(1), r"a tensor of shape \(2,\)"),
        (lambda logits, targets, reduction="mean": 1.0, "a float"),
    ],
    ids=["of each clip", "no tensor"],
)
def test_a_loss_that_is_not_one_number_is_refused(loss: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=f"the loss returned {said}: it must return a tensor of one number"):
        trainer(tmp_path, options(), loss=loss).fit()


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(), lambda logits, targets: logits.sum()], ids=["module", "two"])
def test_a_loss_without_a_reduction_is_refused_before_the_training_and_not_by_its_first_validation(
    loss: Any, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="loss must take logits, targets and a reduction"):
        trainer(tmp_path, options(), loss=loss, validation=MemoryBatches())
    trainer(tmp_path, options(steps=1), loss=loss).fit()


def test_an_error_in_a_function_of_the_caller_passes_unchanged_and_the_folder_is_free_again(tmp_path: Path) -> None:
    def fail(report: StepReport) -> None:
        raise ValueError(f"mine, after step {report.step}")

    with pytest.raises(ValueError, match=r"^mine, after step 1$"):
        trainer(tmp_path, options(), on_step=fail).fit()
    assert trainer(tmp_path, options(steps=2), restart=True).fit().steps == 2


def test_two_trainings_in_one_folder_at_once_are_refused(tmp_path: Path) -> None:
    prepared = trainer(tmp_path, options(steps=1))
    with (
        FileLock(tmp_path / f"{STATE_NAME}.lock"),
        pytest.raises(OutputError, match="another training is at work here"),
    ):
        prepared.fit()
    assert prepared.fit().steps == 1


def test_targets_of_another_width_than_the_classes_are_refused(tmp_path: Path) -> None:
    class Wide(MemoryBatches):
        def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
            for clips, _, keys in super().epoch(epoch, first):
                yield Batch(clips, torch.zeros(len(clips), 4), keys)

    with pytest.raises(TrainingError, match=r"targets must be of shape clips or clips,3, not \(2, 4\)"):
        trainer(tmp_path, options(), batches=Wide()).fit()


@pytest.mark.parametrize(
    ("labels", "said"),
    [(("a", "b", "a"), 'the class name "a" stands twice'), (("a", "", "b"), "class name 2 is empty")],
)
def test_class_names_that_no_file_could_be_read_with_again_are_refused_before_the_training(
    labels: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    with pytest.raises(LabelsError, match=f"^labels: {said}"):
        trainer(tmp_path, options(), labels=labels)
