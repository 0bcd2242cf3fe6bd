"""Recognise human actions in video with I3D.

import quovadis

model = quovadis.load()
result = model.classify("clip.mp4")
print(result.top(5))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from quovadis.version import __version__

if TYPE_CHECKING:
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
    from quovadis.options import ModelOptions
    from quovadis.recognizer import Recognizer, load
    from quovadis.results import ClipPrediction, Prediction, Segment, StepPrediction, VideoPrediction, WeightsIdentity
    from quovadis.sampling import Sampling
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
    "ModelOptions",
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

_HOMES = {
    "ArchitectureError": "quovadis.errors",
    "ClipPrediction": "quovadis.results",
    "Conversion": "quovadis.export",
    "DatasetError": "quovadis.errors",
    "ENDPOINTS": "quovadis.architecture",
    "EngineError": "quovadis.errors",
    "EngineOutput": "quovadis.engines",
    "FeatureOptions": "quovadis.features",
    "LabelsError": "quovadis.errors",
    "MetricError": "quovadis.errors",
    "MissingDependencyError": "quovadis.errors",
    "ModelOptions": "quovadis.options",
    "OutputError": "quovadis.errors",
    "Prediction": "quovadis.results",
    "QuovadisError": "quovadis.errors",
    "Recognizer": "quovadis.recognizer",
    "Sampling": "quovadis.sampling",
    "Segment": "quovadis.results",
    "StepPrediction": "quovadis.results",
    "TruncatedVideoError": "quovadis.errors",
    "VideoError": "quovadis.errors",
    "VideoFeatures": "quovadis.features",
    "VideoLimitError": "quovadis.errors",
    "VideoLimits": "quovadis.video",
    "VideoPrediction": "quovadis.results",
    "WeightsError": "quovadis.errors",
    "WeightsIdentity": "quovadis.results",
    "WeightsUnavailableError": "quovadis.errors",
    "convert": "quovadis.export",
    "load": "quovadis.recognizer",
}
"""Where each public name is. They are imported when they are asked for, which takes a second or more."""

_MODULES = frozenset(
    {
        *("architecture", "engines", "environment", "errors", "export", "features", "labels", "metrics", "recognizer"),
        *("results", "sampling", "video", "weights"),
    }
)
"""Modules that are there as attributes without being imported by name."""

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import a public name."""
        if name in _HOMES:
            value = getattr(import_module(_HOMES[name]), name)
        elif name in _MODULES:
            value = import_module(f"quovadis.{name}")
        else:
            raise AttributeError(f"module 'quovadis' has no attribute '{name}'")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
