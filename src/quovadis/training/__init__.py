"""Training I3D: on one's own videos, or as the paper did.

    from quovadis.training import ClipDataset, ClipLoader, Trainer, TrainingOptions, read_splits

Whole trainings are made by `train`, as by the command; `Trainer` takes any network, batches, loss, transform and
optimiser. Naming options loads no PyTorch; the rest needs the extra `train`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quovadis.lazy import lazy_attributes

if TYPE_CHECKING:
    from quovadis.training import synthetic as synthetic
    from quovadis.training import transforms as transforms
    from quovadis.training.batches import Batch as Batch
    from quovadis.training.batches import BatchSource as BatchSource
    from quovadis.training.batches import Transform as Transform
    from quovadis.training.clips import ClipDataset as ClipDataset
    from quovadis.training.clips import ClipSampling as ClipSampling
    from quovadis.training.clips import TrainingClip as TrainingClip
    from quovadis.training.evaluate import Evaluation as Evaluation
    from quovadis.training.loader import ClipLoader as ClipLoader
    from quovadis.training.losses import Loss as Loss
    from quovadis.training.losses import make_loss as make_loss
    from quovadis.training.optimiser import make_optimiser as make_optimiser
    from quovadis.training.options import RunOptions as RunOptions
    from quovadis.training.options import TrainingOptions as TrainingOptions
    from quovadis.training.options import scaled as scaled
    from quovadis.training.run import train as train
    from quovadis.training.split import DatasetSplit as DatasetSplit
    from quovadis.training.split import read_splits as read_splits
    from quovadis.training.split import split_videos as split_videos
    from quovadis.training.trainer import StepReport as StepReport
    from quovadis.training.trainer import Trainer as Trainer
    from quovadis.training.trainer import TrainingResult as TrainingResult
    from quovadis.training.transforms import ColourJitter as ColourJitter
    from quovadis.training.transforms import Mixup as Mixup

_NAMES = {
    "batches": ("Batch", "BatchSource", "Transform"),
    "clips": ("ClipDataset", "ClipSampling", "TrainingClip"),
    "evaluate": ("Evaluation",),
    "loader": ("ClipLoader",),
    "losses": ("Loss", "make_loss"),
    "optimiser": ("make_optimiser",),
    "options": ("RunOptions", "TrainingOptions", "scaled"),
    "run": ("train",),
    "split": ("DatasetSplit", "read_splits", "split_videos"),
    "trainer": ("StepReport", "Trainer", "TrainingResult"),
    "transforms": ("ColourJitter", "Mixup"),
}
"""Public names, by the module that has them; they are imported when they are asked for."""
_MODULES = ("synthetic", "transforms")
"""Modules that are there as attributes without being imported by name."""

__all__, _attribute = lazy_attributes(__name__, _NAMES, _MODULES)

if not TYPE_CHECKING:
    __getattr__ = _attribute
