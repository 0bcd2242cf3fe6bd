"""What was found in videos: predictions, timelines, and the forms that they are kept in."""

from __future__ import annotations

from quovadis.results.predictions import (
    ClipPrediction,
    Prediction,
    StepPrediction,
    VideoPrediction,
    WeightsIdentity,
    softmax,
)
from quovadis.results.table import ResultTable, read_table
from quovadis.results.timeline import Segment

__all__ = [
    "ClipPrediction",
    "Prediction",
    "ResultTable",
    "Segment",
    "StepPrediction",
    "VideoPrediction",
    "WeightsIdentity",
    "read_table",
    "softmax",
]
