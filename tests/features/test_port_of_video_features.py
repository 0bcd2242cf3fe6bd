"""What docs/features.md says of video_features' own network, a port by hassony2, and of its features: measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from test_windows import opencv_frames, resized_and_cropped
from torch import Tensor
from torch.nn import BatchNorm3d, functional

import quovadis
import quovadis.torch
from quovadis.architecture import MaxPool
from quovadis.features import FeatureOptions
from quovadis.features.options import EXACT_STACK_MULTIPLE, like_video_features


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


class Port:
    """The port's network with our weights."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.model = quovadis.torch.I3D.from_pretrained("rgb-scratch").eval().requires_grad_(False)
        monkeypatch.setattr(quovadis.torch, "_pad", static_padding)
        monkeypatch.setattr(quovadis.torch, "_TorchOperations", PortedOperations)
        for module in self.model.modules():
            if isinstance(module, BatchNorm3d):
                module.eps = 1e-5

    def features(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return 1024 values of frames, uint8 of shape frames, 224, 224, 3."""
        with torch.inference_mode():
            return self.model.run(quovadis.torch.normalize(torch.from_numpy(frames[None]))).features[0].mean(0).numpy()


@pytest.mark.parametrize("name", ["archery.avi", "arm_wrestling.mp4", "clean_and_jerk.mp4"])
def test_the_presets_features_of_real_clips_are_the_originals_within_a_thousandth_or_two(
    name: str, rgb_scratch_path: Path, assets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, stack = assets / "clips" / name, 16
    # OpenCV reads, Pillow scales, the port computes: nothing of ours but the weights.
    pictures = opencv_frames(path, stack)[0]
    theirs = Port(monkeypatch).features(np.stack([resized_and_cropped(picture) for picture in pictures]))
    monkeypatch.undo()
    model = quovadis.load("rgb-scratch", threads=2)

    def apart(options: FeatureOptions) -> float:
        """Return by which part of their length our features are off."""
        sampling = replace(options.sampling, duration_seconds=1.0)
        ours = model.features(path, replace(options, sampling=sampling)).values[0]
        return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))

    preset = like_video_features(stack, stack)
    # The whole of it is the epsilon of the port's batch norm.
    assert apart(preset) < 0.003
    # FFmpeg's own scaling would not do.
    assert apart(replace(preset, scaler="ffmpeg")) > 0.01


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
