"""Accuracy over labelled videos, by the protocols that published figures were measured with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quovadis.lazy import lazy_attributes

# What type checkers see; `_NAMES` says the same to Python, and a test holds them together.
if TYPE_CHECKING:
    from quovadis.evaluation.comparison import Comparison as Comparison
    from quovadis.evaluation.comparison import compare as compare
    from quovadis.evaluation.parquet import read_predictions as read_predictions
    from quovadis.evaluation.parquet import write_predictions as write_predictions
    from quovadis.evaluation.predictions import Failure as Failure
    from quovadis.evaluation.predictions import PartialVideo as PartialVideo
    from quovadis.evaluation.predictions import Predictions as Predictions
    from quovadis.evaluation.protocols import EvaluationProtocol as EvaluationProtocol
    from quovadis.evaluation.protocols import ProtocolName as ProtocolName
    from quovadis.evaluation.protocols import View as View
    from quovadis.evaluation.protocols import make_protocol as make_protocol
    from quovadis.evaluation.run import RunRecord as RunRecord
    from quovadis.evaluation.run import run_evaluation as run_evaluation
    from quovadis.evaluation.summary import Metric as Metric
    from quovadis.evaluation.summary import Summary as Summary
    from quovadis.evaluation.summary import summarize as summarize

_NAMES = {
    "comparison": ("Comparison", "compare"),
    "parquet": ("read_predictions", "write_predictions"),
    "predictions": ("Failure", "PartialVideo", "Predictions"),
    "protocols": ("EvaluationProtocol", "ProtocolName", "View", "make_protocol"),
    "run": ("RunRecord", "run_evaluation"),
    "summary": ("Metric", "Summary", "summarize"),
}
"""Public names, by the module that has them. They are imported when they are asked for: the network comes with them."""

__all__, _attribute = lazy_attributes(__name__, _NAMES)

if not TYPE_CHECKING:
    __getattr__ = _attribute


def __dir__() -> list[str]:
    return list(__all__)
