"""A small network, and clips in memory that it learns from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from quovadis.torch import I3D
from quovadis.training import TrainingOptions
from quovadis.training.batches import Batch
from quovadis.training.trainer import Trainer

LABELS = ("left", "right", "up")
FRAMES, SIDE = 9, 32


def small_network(classes: int = len(LABELS), *, seed: int = 0, **settings: Any) -> I3D:
    """I3D with a sixteenth of its channels, for frames of 32 pixels."""
    torch.manual_seed(seed)
    return I3D(classes, **{"width": 1 / 16, "pool": (2, 1, 1), **settings})


@dataclass(frozen=True)
class MemoryBatches:
    """Random clips, the same ones of an epoch and number always; each class has a colour of its own."""

    batch: int = 2
    count: int = 6
    seed: int = 0
    rank: int = 0
    world_size: int = 1
    classes: int = len(LABELS)

    def __len__(self) -> int:
        return self.count // (self.batch * self.world_size)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        order = np.random.default_rng((self.seed, epoch)).permutation(self.count)
        for number in range(first, len(self)):
            start = (number * self.world_size + self.rank) * self.batch
            yield self._batch(order[start : start + self.batch], epoch)

    def _batch(self, indices: np.ndarray[Any, Any], epoch: int) -> Batch:
        clips = np.stack([self._clip(int(index), epoch) for index in indices])
        targets = torch.tensor([int(index) % self.classes for index in indices])
        return Batch(torch.from_numpy(clips), targets, tuple(f"video {index}" for index in indices))

    def _clip(self, index: int, epoch: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        generator = np.random.default_rng((self.seed, epoch, index))
        clip = generator.integers(0, 120, (FRAMES, SIDE, SIDE, 3), dtype=np.uint8)
        clip[..., index % self.classes % 3] += 130
        return clip


def options(**settings: Any) -> TrainingOptions:
    """What the small network learns with, without dropout."""
    return TrainingOptions(
        **{
            "stage": "full",
            "batch": 2,
            "steps": 8,
            "dropout": 0.0,
            "head_rate": 0.05,
            "backbone_rate": 0.05,
            "save_every": 1,
            **settings,
        }
    )


def trainer(folder: Path, chosen: TrainingOptions, **settings: Any) -> Trainer:
    """A trainer of the small network on clips in memory."""
    batches = settings.pop("batches", MemoryBatches(chosen.batch))
    model = settings.pop("model") if "model" in settings else small_network()
    return Trainer(model, batches, chosen, folder, **{"labels": LABELS, **settings})


def state_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A copy of a network's state."""
    return {key: value.clone() for key, value in model.state_dict().items()}
