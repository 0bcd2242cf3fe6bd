"""The file of a training's report."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from quovadis.errors import MissingDependencyError
from quovadis.report.pages.confusion import confusion_png
from quovadis.report.pages.files import encoded, make_folder, write_file
from quovadis.report.pages.page import page
from quovadis.report.training_page.history import TrainingHistory
from quovadis.report.training_page.sections import RunCost, training_content

REPORT_NAME = "report.html"


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
    if find_spec("matplotlib") is None:
        raise MissingDependencyError("matplotlib", "train", "the report of a training")
    content = training_content(history, cost=cost, commands=commands)
    has_matrix = history.validation is not None and not history.is_multi_label
    picture = confusion_png(history.validation) if has_matrix and history.validation is not None else b""
    make_folder(folder)
    path = folder / REPORT_NAME
    write_file(path, encoded(page(content, picture)))
    return path
