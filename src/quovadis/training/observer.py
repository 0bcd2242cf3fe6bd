"""Who is told how a training stands."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from quovadis.runs.executor import VideoObserver
from quovadis.training.evaluate import Evaluation
from quovadis.training.trainer import StepReport


@runtime_checkable
class TrainingObserver(Protocol):
    """Is told how a training stands."""

    def notice(self, message: str) -> None:
        """Take one line about what was chosen or left out; one of some weight begins with `warning:`."""
        ...

    def features(self, part: str) -> VideoObserver | None:
        """Return what is told how the features of a part, `train` or `validation`, come along."""
        ...

    def step(self, report: StepReport) -> None:
        """Take how things stand after a step."""
        ...

    def evaluation(self, step: int, found: Evaluation) -> None:
        """Take what an evaluation found after so many steps."""
        ...


class SilentObserver(TrainingObserver):
    """Leaves out everything."""

    def notice(self, message: str) -> None:
        """Leave it out."""

    def features(self, part: str) -> None:
        """Observe nothing."""

    def step(self, report: StepReport) -> None:
        """Leave it out."""

    def evaluation(self, step: int, found: Evaluation) -> None:
        """Leave it out."""
