"""The figures of a training as TensorBoard shows them, where it is installed."""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from quovadis.extras import import_extra
from quovadis.progress import Notify
from quovadis.training.evaluate import Evaluation
from quovadis.training.trainer import StepReport

LOG_FOLDER = "tensorboard"
"""In the folder of a run: the event files."""


class TensorBoardLog(AbstractContextManager["TensorBoardLog"]):
    """Writes the figures of steps and evaluations as scalars over the global step.

    The event file is opened with the first step. A training that goes on after it was killed does its last steps again;
    TensorBoard is then told to discard what earlier files have from that step on, so that nothing is shown twice.
    """

    def __init__(self, folder: Path) -> None:
        """Take the folder of the run; nothing is written yet."""
        self._folder = folder / LOG_FOLDER
        self._writer: Any = None

    def __exit__(self, *exception: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def step(self, report: StepReport) -> None:
        """Write the figures of a step."""
        if self._writer is None:
            import_extra("tensorboard", "a log for TensorBoard")
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self._folder), purge_step=report.step)
        self._write("train/loss", report.loss, report.step)
        self._write("train/rate_factor", report.rate_factor, report.step)
        self._write("train/clips_per_second", report.clips_per_second, report.step)
        self._write("train/memory_bytes", report.memory_bytes, report.step)

    def evaluation(self, step: int, found: Evaluation) -> None:
        """Write what an evaluation found after so many steps; that of the stage `head`, which has none, is left out."""
        if self._writer is None:
            return
        self._write("validation/loss", found.loss, step)
        for name, value in found.figures.items():
            self._write(f"validation/{name}", value, step)
        self._writer.flush()

    def _write(self, name: str, value: float, step: int) -> None:
        self._writer.add_scalar(name, value, step)


def tensorboard_log(folder: Path, notify: Notify) -> TensorBoardLog | None:
    """Return a log for TensorBoard in the folder of a run; without TensorBoard say so, and return None."""
    if find_spec("tensorboard") is None:
        notify("TensorBoard is not installed, and gets no log; history.csv has the figures")
        return None
    return TensorBoardLog(folder)
