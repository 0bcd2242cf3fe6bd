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
    from quovadis.video import (
        Address,
        ArrayFrames,
        Camera,
        CentreClip,
        Dense,
        FileObject,
        FrameFolder,
        LocalFile,
        Sampling,
        SlidingWindows,
        TimeSpan,
        VideoLimits,
        VideoSource,
    )

__all__ = [
    "ENDPOINTS",
    "Address",
    "ArchitectureError",
    "ArrayFrames",
    "Camera",
    "CentreClip",
    "ClipPrediction",
    "Conversion",
    "DatasetError",
    "Dense",
    "EngineError",
    "EngineOutput",
    "FeatureOptions",
    "FileObject",
    "FrameFolder",
    "LabelsError",
    "LocalFile",
    "MetricError",
    "MissingDependencyError",
    "ModelOptions",
    "OutputError",
    "Prediction",
    "QuovadisError",
    "Recognizer",
    "Sampling",
    "Segment",
    "SlidingWindows",
    "StepPrediction",
    "TimeSpan",
    "TruncatedVideoError",
    "VideoError",
    "VideoFeatures",
    "VideoLimitError",
    "VideoLimits",
    "VideoPrediction",
    "VideoSource",
    "WeightsError",
    "WeightsIdentity",
    "WeightsUnavailableError",
    "__version__",
    "convert",
    "load",
]

_HOMES = {
    "Address": "quovadis.video",
    "ArchitectureError": "quovadis.errors",
    "ArrayFrames": "quovadis.video",
    "Camera": "quovadis.video",
    "CentreClip": "quovadis.video",
    "ClipPrediction": "quovadis.results",
    "Conversion": "quovadis.export",
    "DatasetError": "quovadis.errors",
    "Dense": "quovadis.video",
    "ENDPOINTS": "quovadis.architecture",
    "EngineError": "quovadis.errors",
    "EngineOutput": "quovadis.engines",
    "FeatureOptions": "quovadis.features",
    "FileObject": "quovadis.video",
    "FrameFolder": "quovadis.video",
    "LabelsError": "quovadis.errors",
    "LocalFile": "quovadis.video",
    "MetricError": "quovadis.errors",
    "MissingDependencyError": "quovadis.errors",
    "ModelOptions": "quovadis.options",
    "OutputError": "quovadis.errors",
    "Prediction": "quovadis.results",
    "QuovadisError": "quovadis.errors",
    "Recognizer": "quovadis.recognizer",
    "Sampling": "quovadis.video",
    "Segment": "quovadis.results",
    "SlidingWindows": "quovadis.video",
    "StepPrediction": "quovadis.results",
    "TimeSpan": "quovadis.video",
    "TruncatedVideoError": "quovadis.errors",
    "VideoError": "quovadis.errors",
    "VideoFeatures": "quovadis.features",
    "VideoLimitError": "quovadis.errors",
    "VideoLimits": "quovadis.limits",
    "VideoPrediction": "quovadis.results",
    "VideoSource": "quovadis.video",
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
        *("results", "video", "weights"),
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
