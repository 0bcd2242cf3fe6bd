"""The files of an evaluation's report."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from quovadis.durable import output_folder
from quovadis.errors import MissingDependencyError, Spell, in_python, spell_options
from quovadis.evaluation.parquet import write_predictions
from quovadis.evaluation.predictions import Predictions
from quovadis.evaluation.run import RunRecord
from quovadis.evaluation.summary import Summary
from quovadis.report.evaluation.documents import json_text, report_document, run_document
from quovadis.report.evaluation.markdown import markdown
from quovadis.report.evaluation.sections import report_content
from quovadis.report.pages.confusion import confusion_png
from quovadis.report.pages.files import encoded, write_file
from quovadis.report.pages.page import page

_PREDICTIONS = "predictions.parquet"
_PICTURE = "confusion.png"


def check_evaluation_dependencies() -> None:
    """Refuse to promise a report that cannot be written.

    Raises:
        MissingDependencyError: matplotlib or pyarrow is not installed.
    """
    for module in ("matplotlib", "pyarrow"):
        if find_spec(module) is None:
            # One extra installs both.
            raise MissingDependencyError(module, "evaluation", "the report of an evaluation")


def write_evaluation(
    predictions: Predictions, summary: Summary, record: RunRecord, folder: Path, spell: Spell = in_python
) -> tuple[Path, ...]:
    """Write the report of an evaluation: Parquet, JSON, Markdown, HTML and a picture.

    Each file is written whole or not at all. How the run went stands in `run.json`, `report.md` and `report.html` only:
    the others are the same bytes for the same predictions.

    Args:
        predictions: the network's views of every video, and what has none.
        summary: what they come to.
        record: how the run went that finished them.
        folder: where the files go; made if it is not there.
        spell: how options are written that sentences and reasons name.

    Returns:
        The files.

    Raises:
        MissingDependencyError: matplotlib or pyarrow is not installed.
        OutputError: the folder or a file cannot be written.
    """
    check_evaluation_dependencies()
    reasons = tuple(replace(one, reason=spell_options(one.reason, spell)) for one in predictions.failures)
    predictions = replace(predictions, failures=reasons)
    content, picture = report_content(predictions, summary, record, spell), confusion_png(predictions)
    texts = {
        "report.json": json_text(report_document(predictions, summary)),
        "run.json": json_text(run_document(record)),
        "report.md": markdown(content, _PICTURE),
        "report.html": page(content, picture),
    }
    files = {name: encoded(text) for name, text in texts.items()} | {_PICTURE: picture}
    output_folder(folder)
    write_predictions(predictions, folder / _PREDICTIONS)
    for name, content_bytes in files.items():
        write_file(folder / name, content_bytes)
    return (folder / _PREDICTIONS, *(folder / name for name in files))


def write_comparison(document: dict[str, Any], folder: Path) -> Path:
    """Write a comparison as `comparison.json` into a folder, made if it is not there, and return the file.

    Raises:
        OutputError: the folder or the file cannot be written.
    """
    output_folder(folder)
    path = folder / "comparison.json"
    write_file(path, encoded(json_text(document)))
    return path
