"""The report for programs: what the evaluation came to, and apart from it how the run went."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from quovadis.evaluation.comparison import Comparison
from quovadis.evaluation.predictions import Predictions
from quovadis.evaluation.run import RunRecord
from quovadis.evaluation.summary import Summary
from quovadis.report.evaluation.accuracy import published_figures
from quovadis.version import __version__


def report_document(predictions: Predictions, summary: Summary) -> dict[str, Any]:
    """Return all that the evaluation came to in JSON's types: nothing that another run would have otherwise."""
    kinds = Counter(failure.kind for failure in predictions.failures)
    counts = {
        "evaluated": len(predictions.keys),
        "incomplete": len(predictions.incomplete),
        "missing": kinds["missing"],
        "unreadable": kinds["unreadable"],
    }
    return {
        "quovadis": __version__,
        "settings": dict(predictions.settings),
        "dataset": {**predictions.dataset, **counts},
        **summary.to_dict(),
        "published": [row.to_dict() for row in published_figures(predictions.settings)],
        "failures": [
            {
                "source": failure.path or failure.key,
                "error": failure.reason,
                "kind": failure.kind,
                "key": failure.key,
                "label": predictions.labels[failure.label],
                "label_index": failure.label,
            }
            for failure in predictions.failures
        ],
        "incomplete": [asdict(video) for video in predictions.incomplete],
    }


def run_document(record: RunRecord) -> dict[str, Any]:
    """Return how the run went in JSON's types."""
    return {
        **asdict(record),
        "videos_per_second": per_second(record.videos, record),
        "views_per_second": per_second(record.views, record),
    }


def comparison_document(comparison: Comparison, a: Path, b: Path) -> dict[str, Any]:
    """Return how the evaluations in two files differ in JSON's types."""
    return {"a": str(a), "b": str(b), **comparison.to_dict()}


def per_second(number: int, record: RunRecord) -> float | None:
    """Return how many of what a run did it did in a second, or None if it did nothing."""
    return number / record.seconds if number and record.seconds > 0 else None


def json_text(document: dict[str, Any]) -> str:
    """Return a document as text for people too."""
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"
