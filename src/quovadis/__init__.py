"""Recognise human actions in video with I3D.

import quovadis

model = quovadis.load()
result = model.classify("clip.mp4")
print(result.top(5))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quovadis.lazy import lazy_attributes
from quovadis.version import __version__ as __version__

# What type checkers see; `_NAMES` and `_MODULES` say the same to Python, and a test holds them together.
if TYPE_CHECKING:
    from quovadis import architecture as architecture
    from quovadis import datasets as datasets
    from quovadis import engines as engines
    from quovadis import environment as environment
    from quovadis import errors as errors
    from quovadis import evaluation as evaluation
    from quovadis import export as export
    from quovadis import features as features
    from quovadis import fvd as fvd
    from quovadis import inflation as inflation
    from quovadis import labels as labels
    from quovadis import limits as limits
    from quovadis import metrics as metrics
    from quovadis import options as options
    from quovadis import recognizer as recognizer
    from quovadis import results as results
    from quovadis import torch as torch
    from quovadis import training as training
    from quovadis import video as video
    from quovadis import weights as weights
    from quovadis.architecture import ENDPOINTS as ENDPOINTS
    from quovadis.engines import EngineOutput as EngineOutput
    from quovadis.errors import ArchitectureError as ArchitectureError
    from quovadis.errors import DatasetError as DatasetError
    from quovadis.errors import EngineError as EngineError
    from quovadis.errors import LabelsError as LabelsError
    from quovadis.errors import MetricError as MetricError
    from quovadis.errors import MissingDependencyError as MissingDependencyError
    from quovadis.errors import OutputError as OutputError
    from quovadis.errors import QuovadisError as QuovadisError
    from quovadis.errors import TruncatedVideoError as TruncatedVideoError
    from quovadis.errors import VideoError as VideoError
    from quovadis.errors import VideoLimitError as VideoLimitError
    from quovadis.errors import WeightsError as WeightsError
    from quovadis.errors import WeightsUnavailableError as WeightsUnavailableError
    from quovadis.export import Conversion as Conversion
    from quovadis.export import convert as convert
    from quovadis.features import FeatureOptions as FeatureOptions
    from quovadis.features import VideoFeatures as VideoFeatures
    from quovadis.inflation import Inflation as Inflation
    from quovadis.inflation import inflate as inflate
    from quovadis.limits import VideoLimits as VideoLimits
    from quovadis.options import ModelOptions as ModelOptions
    from quovadis.recognizer import Recognizer as Recognizer
    from quovadis.recognizer import load as load
    from quovadis.results import ClipPrediction as ClipPrediction
    from quovadis.results import Prediction as Prediction
    from quovadis.results import Segment as Segment
    from quovadis.results import StepPrediction as StepPrediction
    from quovadis.results import VideoPrediction as VideoPrediction
    from quovadis.results import WeightsIdentity as WeightsIdentity
    from quovadis.video import Address as Address
    from quovadis.video import ArrayFrames as ArrayFrames
    from quovadis.video import Camera as Camera
    from quovadis.video import CentreClip as CentreClip
    from quovadis.video import Dense as Dense
    from quovadis.video import FileObject as FileObject
    from quovadis.video import FrameFolder as FrameFolder
    from quovadis.video import LocalFile as LocalFile
    from quovadis.video import Sampling as Sampling
    from quovadis.video import SlidingWindows as SlidingWindows
    from quovadis.video import TimeSpan as TimeSpan
    from quovadis.video import VideoSource as VideoSource

_NAMES = {
    "architecture": ("ENDPOINTS",),
    "engines": ("EngineOutput",),
    "errors": (
        "ArchitectureError",
        "DatasetError",
        "EngineError",
        "LabelsError",
        "MetricError",
        "MissingDependencyError",
        "OutputError",
        "QuovadisError",
        "TruncatedVideoError",
        "VideoError",
        "VideoLimitError",
        "WeightsError",
        "WeightsUnavailableError",
    ),
    "export": ("Conversion", "convert"),
    "features": ("FeatureOptions", "VideoFeatures"),
    "inflation": ("Inflation", "inflate"),
    "limits": ("VideoLimits",),
    "options": ("ModelOptions",),
    "recognizer": ("Recognizer", "load"),
    "results": ("ClipPrediction", "Prediction", "Segment", "StepPrediction", "VideoPrediction", "WeightsIdentity"),
    "video": (
        "Address",
        "ArrayFrames",
        "Camera",
        "CentreClip",
        "Dense",
        "FileObject",
        "FrameFolder",
        "LocalFile",
        "Sampling",
        "SlidingWindows",
        "TimeSpan",
        "VideoSource",
    ),
}
"""Public names, by the module of the package that has them. They are imported when they are asked for, which takes a
second or more."""
_MODULES = {
    *_NAMES,
    "datasets",
    "environment",
    "evaluation",
    "fvd",
    "labels",
    "metrics",
    "torch",
    "training",
    "weights",
}
"""Modules that are there as attributes without being imported by name."""
_NEEDS_EXTRA = {"torch"}
"""Of these, what tools that look at everything in the package leave alone: it may not be installed."""

_lazy, _attribute = lazy_attributes(__name__, _NAMES, _MODULES)
__all__ = sorted(["__version__", *_lazy])

if not TYPE_CHECKING:
    __getattr__ = _attribute


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES} - _NEEDS_EXTRA)
