"""The report of an evaluation: for people as Markdown and HTML, for programs as JSON and Parquet, and a picture."""

from __future__ import annotations

from quovadis.report.evaluation.documents import comparison_document, json_text
from quovadis.report.evaluation.write import check_evaluation_dependencies, write_comparison, write_evaluation

__all__ = [
    "check_evaluation_dependencies",
    "comparison_document",
    "json_text",
    "write_comparison",
    "write_evaluation",
]
