"""The file of a training's report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from quovadis.durable import output_folder
from quovadis.errors import MissingDependencyError
from quovadis.report.pages.confusion import confusion_png
from quovadis.report.pages.files import encoded, write_file
from quovadis.report.pages.page import page
from quovadis.report.training_page.history import TrainingHistory, read_training
from quovadis.report.training_page.sections import RunCost, training_content
from quovadis.training.distributed import peak_memory

REPORT_NAME = "report.html"
_SECONDS_BETWEEN = 60.0
"""Writing takes a second or so, which short epochs would feel."""


def check_training_page_dependency() -> None:
    """Refuse to promise a report that cannot be written.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        raise MissingDependencyError("matplotlib", "train", "the report of a training")


def write_training_report(
    history: TrainingHistory,
    folder: Path,
    *,
    cost: RunCost | None = None,
    commands: Sequence[str] = (),
) -> Path:
    """Write the report of a training as one HTML page that needs no other file, and return the file.

    Args:
        history: of the run, finished or not.
        folder: where the page goes; made if it is not there.
        cost: what the run took.
        commands: what to run next, as lines for a shell.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        OutputError: the folder or the file cannot be written.
    """
    check_training_page_dependency()
    content = training_content(history, cost=cost, commands=commands)
    has_matrix = history.validation is not None and not history.is_multi_label
    picture = confusion_png(history.validation) if has_matrix and history.validation is not None else b""
    output_folder(folder)
    path = folder / REPORT_NAME
    write_file(path, encoded(page(content, picture)))
    return path


class TrainingPage:
    """The report of a training that is under way: who looks at it finds what is known by then."""

    def __init__(self, folder: Path, *, machine: str | None = None, commands: Sequence[str] = ()) -> None:
        """Take what the report is of; nothing is written yet.

        Args:
            folder: of the run, which the page is written to.
            machine: what the training runs on, as it is called.
            commands: what to run next, as lines for a shell.

        Raises:
            MissingDependencyError: matplotlib is not installed.
        """
        check_training_page_dependency()
        self._folder, self._machine, self._commands = folder, machine, tuple(commands)
        self._began, self._written = time.monotonic(), float("-inf")
        self.peak_memory_bytes: int | None = None
        """The most memory of the GPU, or of the process, so far; None: that of the process as the page is written."""

    def update(self) -> None:
        """Write the page, unless it was written less than a minute ago.

        Raises:
            OutputError: what the training left cannot be read, or the page cannot be written.
        """
        if time.monotonic() - self._written >= _SECONDS_BETWEEN:
            self.write()

    def write(self) -> Path:
        """Write the page, and return its file.

        Raises:
            OutputError: what the training left cannot be read, or the page cannot be written.
        """
        cost = RunCost(self.peak_memory_bytes or peak_memory() or None, self._machine, time.monotonic() - self._began)
        path = write_training_report(read_training(self._folder), self._folder, cost=cost, commands=self._commands)
        self._written = time.monotonic()
        return path
