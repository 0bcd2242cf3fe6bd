"""Observers of a training, which are told of its progress."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from quovadis.runs.executor import VideoObserver
from quovadis.training.evaluate import Evaluation
from quovadis.training.trainer import StepReport


@runtime_checkable
class TrainingObserver(Protocol):
    """Is told of the progress of a training."""

    def notice(self, message: str) -> None:
        """Take one line about what was chosen or left out; an important one begins with `warning:`."""
        ...

    def features(self, part: str) -> VideoObserver | None:
        """Return what observes the computation of the features of a part, `train` or `validation`."""
        ...

    def step(self, report: StepReport) -> None:
        """Take the state of the training after a step."""
        ...

    def evaluation(self, step: int, found: Evaluation) -> None:
        """Take what an evaluation found after so many steps."""
        ...


class SilentObserver(TrainingObserver):
    """Ignores everything."""

    def notice(self, message: str) -> None:
        """Ignore it."""

    def features(self, part: str) -> None:
        """Observe nothing."""

    def step(self, report: StepReport) -> None:
        """Ignore it."""

    def evaluation(self, step: int, found: Evaluation) -> None:
        """Ignore it."""
