"""Recognise human actions in video with I3D.

import quovadis

model = quovadis.load()
result = model.classify("clip.mp4")
print(result.top(5))
"""

from __future__ import annotations

from quovadis.architecture import ENDPOINTS
from quovadis.engines import EngineOutput
from quovadis.errors import (
    ArchitectureError,
    DatasetError,
    EngineError,
    LabelsError,
    MetricError,
    MissingDependencyError,
    OutputError,
    QuovadisError,
    TruncatedVideoError,
    VideoError,
    VideoLimitError,
    WeightsError,
    WeightsUnavailableError,
)
from quovadis.export import Conversion, convert
from quovadis.features import FeatureOptions, VideoFeatures
from quovadis.recognizer import Recognizer, load
from quovadis.results import ClipPrediction, Prediction, Segment, StepPrediction, VideoPrediction, WeightsIdentity
from quovadis.sampling import Sampling
from quovadis.version import __version__
from quovadis.video import VideoLimits

__all__ = [
    "ENDPOINTS",
    "ArchitectureError",
    "ClipPrediction",
    "Conversion",
    "DatasetError",
    "EngineError",
    "EngineOutput",
    "FeatureOptions",
    "LabelsError",
    "MetricError",
    "MissingDependencyError",
    "OutputError",
    "Prediction",
    "QuovadisError",
    "Recognizer",
    "Sampling",
    "Segment",
    "StepPrediction",
    "TruncatedVideoError",
    "VideoError",
    "VideoFeatures",
    "VideoLimitError",
    "VideoLimits",
    "VideoPrediction",
    "WeightsError",
    "WeightsIdentity",
    "WeightsUnavailableError",
    "__version__",
    "convert",
    "load",
]
