"""What was found in videos: predictions, timelines, and the forms that they are kept in."""

from __future__ import annotations

from quovadis.results.predictions import (
    ClipPrediction,
    Prediction,
    Segment,
    StepPrediction,
    VideoPrediction,
    WeightsIdentity,
    softmax,
)

__all__ = [
    "ClipPrediction",
    "Prediction",
    "Segment",
    "StepPrediction",
    "VideoPrediction",
    "WeightsIdentity",
    "softmax",
]
