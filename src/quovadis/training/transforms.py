"""Changes to batches on the device, each of which a seed of its own decides: the seed, the epoch and the step make it.

A transform is a function of a batch's clips, targets and seed (`quovadis.training.batches.Transform`): one's own takes
the place of any of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from quovadis.errors import TrainingError
from quovadis.fields import check_fields
from quovadis.torch import normalize
from quovadis.training.batches import Transform

__all__ = ["ColourJitter", "Mixup", "apply_transforms", "normalize", "step_seed"]

_LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in brightness (ITU-R BT.601)."""


def step_seed(seed: int, epoch: int, step: int) -> int:
    """Return the seed of a step's transforms, 64 bits, which tell all three numbers apart.

    Args:
        seed: of the training, 0 or more.
        epoch: from 0.
        step: of the epoch, from 0.
    """
    state = np.random.SeedSequence(seed, spawn_key=(epoch, step)).generate_state(1, np.uint64)
    return int(state[0])


def apply_transforms(
    transforms: Sequence[Transform], clips: Tensor, targets: Tensor, seed: int
) -> tuple[Tensor, Tensor]:
    """Return a batch after all transforms, in their order, each with a seed of its own.

    Args:
        transforms: none, or some.
        clips: uint8, or floats in 0..255, shape B,D,H,W,3.
        targets: float32, shape B,classes.
        seed: of the step, as `step_seed` makes it.
    """
    for number, transform in enumerate(transforms):
        clips, targets = transform(clips, targets, step_seed(seed, 0, number))
    return clips, targets


@dataclass(frozen=True)
class Mixup:
    """Each clip mixed with another of its batch, and their targets alike (Zhang et al. 2018, "mixup").

    Raises:
        TrainingError: when made with an alpha that is not above 0.
    """

    alpha: float = 0.2
    """Both parameters of the beta distribution that a batch's share is drawn from; the larger, the more is mixed."""

    def __post_init__(self) -> None:
        check_fields(self, TrainingError)
        if not 0 < self.alpha < float("inf"):
            raise TrainingError(f"alpha must be above 0, not {self.alpha:g}", option="alpha")

    def __call__(self, clips: Tensor, targets: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """Return clips as floats in 0..255, and targets; both on their device."""
        # Drawn by NumPy: the same on every device.
        random = np.random.default_rng(seed)
        share = float(random.beta(self.alpha, self.alpha))
        other = torch.from_numpy(random.permutation(len(clips))).to(clips.device)
        mixed = torch.lerp(clips[other].float(), clips.float(), share)
        return mixed, torch.lerp(targets[other], targets, share)


@dataclass(frozen=True)
class ColourJitter:
    """Brightness, contrast and saturation of each clip multiplied by a factor around 1, the same for all its frames.

    Raises:
        TrainingError: when made with a strength that is not from 0 to 1.
    """

    brightness: float = 0.2
    """Factors lie within 1 minus and plus this number; 0 leaves it alone."""
    contrast: float = 0.2
    """As `brightness`, of the distance from the clip's mean brightness."""
    saturation: float = 0.2
    """As `brightness`, of the distance from the same pixel without colour."""

    def __post_init__(self) -> None:
        check_fields(self, TrainingError)
        for name in ("brightness", "contrast", "saturation"):
            if not 0 <= getattr(self, name) <= 1:
                raise TrainingError(f"{name} must be from 0 to 1, not {getattr(self, name)}", option=name)

    def __call__(self, clips: Tensor, targets: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """Return clips as floats in 0..255, and the targets as they are."""
        random = np.random.default_rng(seed)
        strengths = np.array([self.brightness, self.contrast, self.saturation])
        factors = (1 + strengths * random.uniform(-1, 1, (len(clips), 3))).astype(np.float32)
        brightness, contrast, saturation = (
            torch.from_numpy(factors).to(clips.device)[..., None, None, None, None].unbind(1)
        )
        jittered = (clips.float() * brightness).clamp(0, 255)
        luma = torch.tensor(_LUMA, device=clips.device)
        mean = (jittered @ luma).mean((1, 2, 3))[:, None, None, None, None]
        jittered = torch.lerp(mean, jittered, contrast).clamp(0, 255)
        return torch.lerp((jittered @ luma)[..., None], jittered, saturation).clamp(0, 255), targets
