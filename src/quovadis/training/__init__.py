"""Training I3D: on one's own videos, or as the paper did. Needs the extra `train`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from quovadis.training.options import RunOptions, TrainingOptions, scaled

if TYPE_CHECKING:
    from quovadis.training import synthetic as synthetic
    from quovadis.training import transforms as transforms
    from quovadis.training.batches import Batch, BatchSource, Transform
    from quovadis.training.clips import ClipDataset, ClipSampling, TrainingClip
    from quovadis.training.evaluate import Evaluation
    from quovadis.training.loader import ClipLoader
    from quovadis.training.losses import Loss
    from quovadis.training.run import train
    from quovadis.training.split import DatasetSplit, read_splits, split_videos
    from quovadis.training.trainer import StepReport, Trainer, TrainingResult

_NAMES = {
    "batches": ("Batch", "BatchSource", "Transform"),
    "clips": ("ClipDataset", "ClipSampling", "TrainingClip"),
    "evaluate": ("Evaluation",),
    "loader": ("ClipLoader",),
    "losses": ("Loss",),
    "run": ("train",),
    "split": ("DatasetSplit", "read_splits", "split_videos"),
    "trainer": ("StepReport", "Trainer", "TrainingResult"),
}
"""Public names, by the module that has them: most of these import PyTorch, which options can do without."""
_HOMES = {name: f"quovadis.training.{module}" for module, names in _NAMES.items() for name in names}
_MODULES = ("synthetic", "transforms")

__all__ = [
    "Batch",
    "BatchSource",
    "ClipDataset",
    "ClipLoader",
    "ClipSampling",
    "DatasetSplit",
    "Evaluation",
    "Loss",
    "RunOptions",
    "StepReport",
    "Trainer",
    "TrainingClip",
    "TrainingOptions",
    "TrainingResult",
    "Transform",
    "read_splits",
    "scaled",
    "split_videos",
    "train",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import a public name."""
        if name in _HOMES:
            value = getattr(import_module(_HOMES[name]), name)
        elif name in _MODULES:
            value = import_module(f"{__name__}.{name}")
        else:
            raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
        globals()[name] = value
        return value
