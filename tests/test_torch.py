"""`quovadis.torch.I3D`: equal to the oracle, trainable, and clean to compile and export."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from quovadis.architecture import ENDPOINTS, HEAD, STAGES, Convolution, MaxPool, Mixed, endpoint_shapes, same_padding
from quovadis.errors import ArchitectureError, WeightsError
from quovadis.torch import I3D, I3DOutput, normalize
from quovadis.weights import Weights, read_weights

Frames = NDArray[np.uint8]


@pytest.fixture(scope="module")
def weights(rgb_scratch_path: Path) -> Weights:
    return read_weights(rgb_scratch_path)


@pytest.fixture(scope="module")
def model(rgb_scratch_path: Path) -> I3D:
    return I3D.from_pretrained(rgb_scratch_path)


@pytest.fixture(scope="module")
def clip(cricket_frames: Frames) -> torch.Tensor:
    return normalize(torch.tensor(cricket_frames[np.newaxis]))


@pytest.fixture(scope="module")
def logits_of_16(model: I3D, clip: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return model(clip[:, :, :16])


@pytest.fixture(scope="module")
def small() -> I3D:
    """For what does not depend on the weights, nor on the number of channels."""
    return I3D(2, width=1 / 8)


@pytest.mark.parametrize(
    "frames",
    # 64 and 87 frames are padded as 16 and 79 are.
    [16, 79, *(pytest.param(frames, marks=pytest.mark.soak) for frames in (64, 87))],
)
def test_logits_are_the_oracles(frames: int, model: I3D, cricket_frames: Frames, assets: Path) -> None:
    name = "cricket_rgb_scratch" if frames == 79 else f"cricket_T{frames}_rgb_scratch"
    expected = np.load(assets / "oracle" / f"{name}.npz")["logits"]
    clips = normalize(torch.tensor(np.resize(cricket_frames, (1, frames, 224, 224, 3))))
    with torch.inference_mode():
        np.testing.assert_allclose(model(clips)[0].numpy(), expected, atol=1e-3)


def test_endpoints_come_with_the_logits(
    weights: Weights, logits_of_16: torch.Tensor, clip: torch.Tensor, assets: Path
) -> None:
    wanted = ("Mixed_5c", "Conv3d_2c_3x3")
    with_maps = I3D.from_pretrained(weights, endpoints=wanted)
    with torch.inference_mode():
        output = with_maps(clip[:, :, :16])
        assert isinstance(output, I3DOutput)
        assert torch.equal(output.logits, logits_of_16)
    shapes = endpoint_shapes(16)
    assert {name: tuple(x.permute(0, 2, 3, 4, 1).shape[1:]) for name, x in output.endpoints.items()} == {
        name: shapes[name] for name in wanted
    }
    assert output.step_logits.shape == (1, 1, 400)
    oracle = np.load(assets / "oracle" / "cricket_T16_rgb_scratch.npz")["pooled_5c"]
    np.testing.assert_allclose(output.endpoints["Mixed_5c"].mean((3, 4))[0].T.numpy(), oracle, atol=1e-4)
    np.testing.assert_allclose(output.features[0].numpy(), oracle.mean(0, keepdims=True), atol=1e-4)


def test_normalized_pixels_are_channels_last_without_a_copy() -> None:
    pixels = torch.tensor([0, 255, 51, 0, 0, 0], dtype=torch.uint8).reshape(1, 1, 1, 2, 3)
    clips = normalize(pixels)
    assert clips.shape == (1, 3, 1, 1, 2)
    assert clips.is_contiguous(memory_format=torch.channels_last_3d)
    np.testing.assert_allclose(clips[0, :, 0, 0, 0], [-1, 1, -0.6], atol=1e-6)


def test_channels_last_weights_change_nothing(weights: Weights, logits_of_16: torch.Tensor, clip: torch.Tensor) -> None:
    other = I3D.from_pretrained(weights).to(memory_format=torch.channels_last_3d)
    with torch.inference_mode():
        np.testing.assert_allclose(other(clip[:, :, :16]), logits_of_16, atol=1e-4)


def test_another_number_of_classes_keeps_everything_but_the_head(weights: Weights, model: I3D) -> None:
    tuned = I3D.from_pretrained(weights, num_classes=7)
    theirs, ours = model.state_dict(), tuned.state_dict()
    differing = {key for key in theirs if theirs[key].shape != ours[key].shape or not theirs[key].equal(ours[key])}
    assert differing == {"Logits.Conv3d_0c_1x1.conv_3d.weight", "Logits.Conv3d_0c_1x1.conv_3d.bias"}
    assert ours["Logits.Conv3d_0c_1x1.conv_3d.bias"].shape == (7,)


def test_a_new_head_is_drawn_from_the_seed_and_nothing_else_is(weights: Weights, model: I3D) -> None:
    heads = []
    for _ in range(2):
        torch.manual_seed(3)
        heads.append(I3D.from_pretrained(weights, num_classes=7).get_parameter("Logits.Conv3d_0c_1x1.conv_3d.weight"))
    assert heads[0].equal(heads[1])
    assert heads[0].requires_grad
    # A normal distribution of variance 1 / fan-in, cut at two deviations, which takes it to 0.88 of the deviation.
    assert heads[0].abs().max() <= 2 / 32
    assert heads[0].std().item() == pytest.approx(0.88 / 32, rel=0.05)
    before = torch.get_rng_state()
    again = I3D.from_pretrained(weights)
    assert torch.get_rng_state().equal(before)
    for (name, expected), (other, found) in zip(model.named_buffers(), again.named_buffers(), strict=True):
        assert (name, found.equal(expected)) == (other, True)
    assert not any(module.training for module in again.modules())


def test_training_lowers_the_loss_and_moves_the_averages(weights: Weights, cricket_frames: Frames) -> None:
    torch.manual_seed(0)
    tuned = I3D.from_pretrained(weights, num_classes=3, dropout=0.0).train()
    clips = normalize(torch.tensor(np.stack([cricket_frames[:9], cricket_frames[70:]])))[..., :193, :193]
    target = torch.tensor([0, 2])
    optimizer = torch.optim.SGD(tuned.parameters(), lr=0.01)
    before = tuned.state_dict()["Mixed_3b.Branch_0.Conv3d_0a_1x1.batch_norm.running_mean"].clone()
    loss = functional.cross_entropy(tuned(clips), target)
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        assert functional.cross_entropy(tuned(clips), target) < loss
    assert not tuned.state_dict()["Mixed_3b.Branch_0.Conv3d_0a_1x1.batch_norm.running_mean"].equal(before)
    names = {name for name, _ in tuned.named_parameters()}
    assert not any(name.endswith("batch_norm.weight") for name in names)
    assert len(names) == 57 * 2 + 2


def test_dropout_works_in_training_only(clip: torch.Tensor) -> None:
    dropping = I3D(3, dropout=0.9, width=1 / 8)
    short = clip[:, :, :9]
    with torch.no_grad():
        dropping.eval()
        assert torch.equal(dropping(short), dropping(short))
        dropping.dropout.train()
        assert not torch.equal(dropping(short), dropping(short))


def test_it_compiles_without_a_graph_break(model: I3D, logits_of_16: torch.Tensor, clip: torch.Tensor) -> None:
    # The eager backend runs what was captured as it is: what is asked is whether all of it was captured.
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    with torch.inference_mode():
        assert torch.equal(compiled(clip[:, :, :16]), logits_of_16)


def test_no_kernel_is_smaller_than_its_stride() -> None:
    # The module's own padding formula takes this for granted.
    units = [unit for stage in STAGES for unit in _units(stage)]
    assert len(units) == 57 + 13
    for unit in units:
        for kernel, stride in zip(unit.kernel, unit.stride, strict=True):
            assert kernel >= stride
            for size in range(1, 40):
                total = kernel - stride + -size % stride
                assert (total // 2, total - total // 2) == same_padding(size, kernel, stride)


def _units(stage: Convolution | MaxPool | Mixed) -> list[Convolution | MaxPool]:
    return [unit for branch in stage.branches for unit in branch] if isinstance(stage, Mixed) else [stage]


def test_pretrained_weights_are_ready_to_run_and_training_is_asked_for(weights: Weights) -> None:
    model = I3D.from_pretrained(weights)
    assert not any(module.training for module in model.modules())
    assert all(module.training for module in model.train().modules())


def test_one_endpoint_may_be_given_as_its_name() -> None:
    model = I3D(endpoints="Mixed_3b", width=1 / 8)
    assert model.endpoints == ("Mixed_3b",)
    with torch.inference_mode():
        assert list(model.run(torch.zeros(1, 3, 9, 224, 224), "Mixed_4f").endpoints) == ["Mixed_4f"]
    with pytest.raises(ArchitectureError, match='no endpoint is called "Mixed_9z"'):
        model.run(torch.zeros(1, 3, 9, 224, 224), ["Mixed_9z"])


def test_bad_arguments_are_refused(weights: Weights) -> None:
    with pytest.raises(ArchitectureError, match='no endpoint is called "Mixed_6a"'):
        I3D(endpoints=("Mixed_6a",))
    with pytest.raises(ArchitectureError, match="num_classes must be 1 or more, not 0"):
        I3D(0)
    assert I3D.from_pretrained(weights, endpoints=ENDPOINTS[:1]).endpoints == ENDPOINTS[:1]
    assert HEAD.scope == "Logits"


def test_without_pytorch_the_import_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from quovadis.errors import MissingDependencyError

    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "quovadis.torch")
    with pytest.raises(
        MissingDependencyError, match=r'quovadis\.torch needs PyTorch: run pip install "quovadis\[torch\]"'
    ):
        __import__("quovadis.torch")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: I3D("3"), "num_classes must be a whole number, not '3'"),  # type: ignore[arg-type]
        (lambda: I3D(1.5), "num_classes must be a whole number, not 1.5"),  # type: ignore[arg-type]
        (lambda: I3D(dropout=2), "dropout must be 1 or less, not 2"),
        (lambda: I3D(dropout=float("nan")), "dropout must be a number, not nan"),
        (lambda: I3D.from_pretrained(None), "weights must be text, a path or Weights, not None"),  # type: ignore[arg-type]
        (lambda: I3D.from_pretrained("absent.pt", num_classes="3"), "num_classes must be"),  # type: ignore[arg-type]
        (lambda: normalize(np.zeros((1, 9, 224, 224, 3), np.uint8)), "takes a tensor, not ndarray"),  # type: ignore[arg-type]
        (lambda: normalize(torch.zeros(9, 224, 224, 3)), "not (9, 224, 224, 3)"),
        (lambda: normalize(torch.zeros(1, 3, 9, 224, 224)), "shape batch, frames, height, width, 3"),
    ],
)
def test_wrong_arguments_are_refused_by_name(call: Callable[[], object], message: str) -> None:
    with pytest.raises((ArchitectureError, WeightsError), match=re.escape(message)):
        call()


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        (torch.zeros(1, 9, 224, 224, 3, dtype=torch.uint8), "not uint8 of shape (1, 9, 224, 224, 3)"),
        (torch.zeros(1, 9, 224, 224, 3), "quovadis.torch.normalize makes them"),
        (torch.zeros(3, 9, 224, 224), "of shape batch, 3, frames, height, width"),
        (torch.zeros(1, 3, 8, 224, 224), "a clip of 8 frames is too short"),
        (torch.zeros(1, 3, 9, 100, 224), "frames of 100x224 pixels are too small"),
        (np.zeros((1, 3, 9, 224, 224), np.float32), "takes a tensor, not ndarray"),
    ],
)
def test_clips_that_the_network_cannot_take_are_refused_before_it_runs(
    clips: torch.Tensor, message: str, small: I3D
) -> None:
    with pytest.raises(ArchitectureError, match=re.escape(message)):
        small(clips)
