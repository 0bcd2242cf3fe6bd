"""What docs/features.md says of video_features' own network, a port by hassony2, and of its features: measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import BatchNorm3d, functional

import quovadis.torch
from quovadis.architecture import MaxPool
from quovadis.features import video_features
from quovadis.inference.feature_options import EXACT_STACK_MULTIPLE, like_video_features
from quovadis.video import TimeSpan
from support.video_features import opencv_frames, resized_and_cropped


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


@pytest.fixture(scope="module")
def model(rgb_scratch_path: Path) -> quovadis.torch.I3D:
    return quovadis.torch.I3D.from_pretrained("rgb-scratch").eval().requires_grad_(False)


class TorchEngine:
    """As much of an engine as the usual feature needs, around a module that is loaded already."""

    def __init__(self, model: quovadis.torch.I3D) -> None:
        self.model = model

    def run(self, clips: NDArray[np.uint8], endpoints: Sequence[str] = ()) -> SimpleNamespace:
        with torch.inference_mode():
            output = self.model.run(quovadis.torch.normalize(torch.from_numpy(clips)))
        return SimpleNamespace(features=output.features.numpy())


def make_port(model: quovadis.torch.I3D, monkeypatch: pytest.MonkeyPatch) -> None:
    """Turn our network into the port's, with the weights that it has, until the test ends."""
    monkeypatch.setattr(quovadis.torch, "_pad", static_padding)
    monkeypatch.setattr(quovadis.torch, "_TorchOperations", PortedOperations)
    for module in model.modules():
        if isinstance(module, BatchNorm3d):
            monkeypatch.setattr(module, "eps", 1e-5)


def test_the_presets_features_of_real_clips_are_the_originals_but_for_the_epsilon(
    model: quovadis.torch.I3D, assets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = 12
    preset = like_video_features(stack, stack)
    # A second: one stack of each clip at least.
    preset = replace(preset, sampling=replace(preset.sampling, span=TimeSpan(duration_seconds=1.0)))
    paths = [assets / "clips" / name for name in ("archery.avi", "clean_and_jerk.mp4")]
    engine = TorchEngine(model)
    ours = [video_features(engine, path, preset).values[0] for path in paths]  # type: ignore[arg-type]
    make_port(model, monkeypatch)
    for path, values in zip(paths, ours, strict=True):
        # OpenCV reads, Pillow scales, the port computes: nothing of ours but the weights.
        frames = np.stack([resized_and_cropped(picture) for picture in opencv_frames(path, stack)[0]])
        theirs = engine.run(frames[np.newaxis]).features[0].mean(0)
        assert 0 < np.linalg.norm(values - theirs) / np.linalg.norm(theirs) < 0.003, path


@pytest.mark.parametrize(
    ("stack", "least", "most"),
    [
        pytest.param(64, 5e-4, 2e-3, marks=pytest.mark.soak),
        pytest.param(20, 5e-4, 2e-3, marks=pytest.mark.soak),
        (12, 5e-4, 2e-3),
        (10, 0.2, 0.8),
        pytest.param(21, 0.2, 0.8, marks=pytest.mark.soak),
    ],
)
def test_the_ports_values_differ_by_a_thousandth_for_multiples_of_4_and_by_tens_of_per_cent_for_others(
    stack: int,
    least: float,
    most: float,
    model: quovadis.torch.I3D,
    cricket_frames: NDArray[np.uint8],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clip = quovadis.torch.normalize(torch.from_numpy(cricket_frames[None, :stack]))

    def values() -> Tensor:
        with torch.inference_mode():
            return model.run(clip).features[0].mean(0)

    ours = values()
    make_port(model, monkeypatch)
    difference = float((values() - ours).norm() / ours.norm())
    assert least < difference < most
    assert (difference < 0.01) == (stack % EXACT_STACK_MULTIPLE == 0)
