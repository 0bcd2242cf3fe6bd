"""What docs/features.md says of video_features' own network, a port by hassony2: measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import BatchNorm3d, functional

import quovadis.torch
from quovadis.architecture import MaxPool
from quovadis.features.options import EXACT_STACK_MULTIPLE


def static_padding(
    x: Tensor, kernel: tuple[int, int, int], stride: tuple[int, int, int], value: float
) -> tuple[Tensor, tuple[int, int, int]]:
    """The port's `get_padding_shape`: the kernel less the stride, whatever the length, and always zeros."""
    before_and_after: list[int] = []
    for size, step in zip(kernel, stride, strict=True):
        total = max(size - step, 0)
        before_and_after = [total // 2, total - total // 2, *before_and_after]
    return functional.pad(x, before_and_after), (0, 0, 0)


class PortedOperations(quovadis.torch._TorchOperations):
    """With the port's `MaxPool3dTFPadding`."""

    def max_pool(self, x: Tensor, unit: MaxPool) -> Tensor:
        x, _ = static_padding(x, unit.kernel, unit.stride, 0.0)
        return functional.max_pool3d(x, unit.kernel, unit.stride, ceil_mode=True)


@pytest.mark.parametrize(
    ("stack", "least", "most"), [(64, 5e-4, 2e-3), (20, 5e-4, 2e-3), (12, 5e-4, 2e-3), (10, 0.2, 0.8), (21, 0.2, 0.8)]
)
def test_the_ports_values_differ_by_a_thousandth_for_multiples_of_4_and_by_tens_of_per_cent_for_others(
    stack: int,
    least: float,
    most: float,
    rgb_scratch_path: Path,
    cricket_frames: NDArray[np.uint8],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = quovadis.torch.I3D.from_pretrained("rgb-scratch").eval().requires_grad_(False)
    clip = quovadis.torch.normalize(torch.from_numpy(cricket_frames[None, :stack]))

    def values() -> Tensor:
        with torch.inference_mode():
            return model.run(clip).features[0].mean(0)

    ours = values()
    monkeypatch.setattr(quovadis.torch, "_pad", static_padding)
    monkeypatch.setattr(quovadis.torch, "_TorchOperations", PortedOperations)
    for module in model.modules():
        if isinstance(module, BatchNorm3d):
            module.eps = 1e-5
    difference = float((values() - ours).norm() / ours.norm())
    assert least < difference < most
    assert (difference < 0.01) == (stack % EXACT_STACK_MULTIPLE == 0)
