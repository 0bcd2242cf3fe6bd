"""A network that is trained sees motion, and not just frames: `scripts/soak_training.py` in small."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from quovadis.training import Batch, Trainer
from support.training import FRAMES, SIDE, options, small_network

COUNT, BATCH = 32, 8


@dataclass(frozen=True)
class Movers:
    """A bright square that moves right, or left: the same frames, one way or the other."""

    seed: int = 0
    is_shuffled: bool = False

    def __len__(self) -> int:
        return COUNT // BATCH

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        generator = np.random.default_rng((self.seed, epoch))
        for number in range(len(self)):
            clips, targets = zip(*(self._clip(generator, index % 2) for index in range(BATCH)), strict=True)
            if number >= first:
                keys = tuple(f"{number} {index}" for index in range(BATCH))
                yield Batch(torch.from_numpy(np.stack(clips)), torch.tensor(targets), keys)

    def _clip(self, generator: np.random.Generator, target: int) -> tuple[Any, int]:
        clip = np.full((FRAMES, SIDE, SIDE, 3), generator.integers(20, 80), np.uint8)
        row, brightness = generator.integers(0, SIDE - 12), generator.integers(180, 255)
        for time in range(FRAMES):
            clip[time, row : row + 12, 2 * time : 2 * time + 12] = brightness
        order = generator.permutation(FRAMES) if self.is_shuffled else np.arange(FRAMES)[:: 1 if target else -1]
        return clip[order], target


@pytest.mark.slow
def test_the_direction_of_motion_is_learned_and_lost_with_the_order_of_frames(tmp_path: Path) -> None:
    def adam(model: nn.Module, chosen: Any) -> torch.optim.Optimizer:
        return torch.optim.AdamW(model.parameters(), lr=chosen.backbone_rate)

    chosen = options(
        steps=32, batch=BATCH, head_rate=5e-3, backbone_rate=5e-3, batch_norm_decay=0.8, save_every=1000, warmup=5
    )
    network = small_network(2, width=1 / 8)
    made = Trainer(network, Movers(), chosen, tmp_path, labels=("left", "right"), optimiser=adam)
    made.fit()
    made.validation = Movers(seed=1)
    assert made.evaluate().score >= 0.9
    made.validation = Movers(seed=1, is_shuffled=True)
    assert made.evaluate().score <= 0.7
