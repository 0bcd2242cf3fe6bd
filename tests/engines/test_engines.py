"""Every engine against what DeepMind's own graph computed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from quovadis.architecture import ENDPOINTS, endpoint_shapes
from quovadis.engines import Engine, EngineOutput, NativeEngine, OpenVINOEngine
from quovadis.engines.base import check_stream_frames
from quovadis.engines.native_library import instruction_sets
from quovadis.engines.torch_engine import TorchEngine
from quovadis.errors import ArchitectureError
from quovadis.torch import I3D, I3DOutput, normalize
from quovadis.weights import Weights, load_weights

ENGINES = ("openvino", "native avx512", "native avx2", "torch cpu")
FEW_ENDPOINTS = ("Mixed_3c", "Mixed_5c")
"""The same wherever some are asked for: OpenVINO compiles a graph for each choice of them."""


@pytest.fixture(scope="module")
def weights(rgb_scratch_path: Path) -> Weights:
    return load_weights("rgb-scratch")


@pytest.fixture(scope="module")
def module(weights: Weights) -> I3D:
    """The original layers one by one, in PyTorch."""
    return I3D.from_pretrained(weights)


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest, weights: Weights) -> Engine:
    name, _, detail = request.param.partition(" ")
    tensors = weights.tensors
    if name == "openvino":
        return OpenVINOEngine(tensors, threads=2)
    if name == "torch":
        return TorchEngine(tensors, device=detail, threads=1)
    if detail not in instruction_sets():
        pytest.skip(f"this processor has no {detail}")
    return NativeEngine(tensors, threads=2, instruction_set=detail)


def run_module(module: I3D, pixels: NDArray[np.generic]) -> I3DOutput:
    with torch.inference_mode():
        return module.run(normalize(torch.from_numpy(pixels)), FEW_ENDPOINTS)


@pytest.fixture(scope="module")
def clips(cricket_frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Three clips of as few frames as the network takes."""
    return np.stack([cricket_frames[start : start + 9] for start in (0, 30, 60)])


@pytest.fixture(scope="module")
def alone(engine: Engine, clips: NDArray[np.uint8]) -> tuple[list[EngineOutput], NDArray[np.float32]]:
    """What each of the clips gives by itself, one after the other, and copies of the logits, made before the next."""
    outputs, logits = [], []
    for clip in clips:
        outputs.append(engine.run(clip[np.newaxis]))
        logits.append(outputs[-1].logits[0].copy())
    return outputs, np.stack(logits)


@pytest.fixture(scope="module")
def whole(engine: Engine, cricket_frames: NDArray[np.uint8]) -> EngineOutput:
    """Every endpoint of the 79 frames, computed once."""
    return engine.run(cricket_frames[np.newaxis], ENDPOINTS)


def test_logits_and_softmax_of_the_79_frames_are_the_originals(whole: EngineOutput, assets: Path) -> None:
    oracle = np.load(assets / "oracle" / "cricket_rgb_scratch.npz")
    np.testing.assert_allclose(whole.logits[0], oracle["logits"], rtol=0, atol=1e-3)
    np.testing.assert_allclose(whole.probabilities[0], oracle["softmax"], rtol=0, atol=1e-5)


# Padding depends on the length (mod 8): 79 and 16 are both kinds. The native network, which alone cuts clips into
# slices, is compared at all lengths in `test_native_network.py`.
@pytest.mark.parametrize("frames", [16, *(pytest.param(frames, marks=pytest.mark.soak) for frames in (64, 87, 159))])
def test_logits_of_any_length_are_the_originals(
    engine: Engine, cricket_frames: NDArray[np.uint8], assets: Path, frames: int
) -> None:
    oracle = np.load(assets / "oracle" / f"cricket_T{frames}_rgb_scratch.npz")
    looped = cricket_frames[np.arange(frames) % len(cricket_frames)]
    output = engine.run(looped[np.newaxis])
    np.testing.assert_allclose(output.logits[0], oracle["logits"], rtol=0, atol=1e-3)
    assert output.step_logits.shape == (1, -(-frames // 8) - 1, 400)
    # The oracle's map is pooled over space alone; the head's pool also takes two steps of time.
    pooled = (oracle["pooled_5c"][:-1] + oracle["pooled_5c"][1:]) / 2
    np.testing.assert_allclose(output.features[0], pooled, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ENDPOINTS)
def test_every_endpoint_has_the_originals_shape_and_statistics(whole: EngineOutput, assets: Path, name: str) -> None:
    oracle = np.load(assets / "oracle" / "cricket_rgb_scratch.npz")
    values = whole.endpoints[name]
    assert values.shape == tuple(oracle[f"shape_{name}"])
    assert values.shape == (1, *endpoint_shapes()[name])
    # Summed in float32 along the axes in memory, as the oracle was: over half a million values the rounding of such a
    # sum is itself some 1e-3, so that a more exact one would differ from the oracle by more than the network does.
    np.testing.assert_allclose(values.mean((0, 1, 2, 3)), oracle[f"mean_{name}"], rtol=1e-4)
    np.testing.assert_allclose(values.std((0, 1, 2, 3)), oracle[f"std_{name}"], rtol=1e-4)
    # Eight values of the first and the last step, where padding in time would show.
    np.testing.assert_allclose(values[0, [0, -1], 0, 0, :8], oracle[f"corner_{name}"], rtol=1e-4, atol=1e-4)


def test_clip_logits_are_the_mean_of_the_steps_and_probabilities_their_softmax(whole: EngineOutput) -> None:
    np.testing.assert_allclose(whole.logits, whole.step_logits.mean(1), atol=1e-5)
    exponentials = np.exp(whole.logits - whole.logits.max(1, keepdims=True))
    np.testing.assert_allclose(whole.probabilities, exponentials / exponentials.sum(1, keepdims=True), atol=1e-6)


def test_features_are_mixed_5c_averaged_over_two_steps_and_all_of_space(whole: EngineOutput) -> None:
    space = whole.endpoints["Mixed_5c"].mean((2, 3))
    np.testing.assert_allclose(whole.features, (space[:, :-1] + space[:, 1:]) / 2, rtol=1e-4, atol=1e-5)


def test_a_batch_is_its_clips_one_by_one(
    engine: Engine, clips: NDArray[np.uint8], alone: tuple[list[EngineOutput], NDArray[np.float32]]
) -> None:
    np.testing.assert_allclose(engine.run(clips).logits, alone[1], atol=1e-4)


def test_nine_frames_are_enough_and_eight_are_not(
    engine: Engine, clips: NDArray[np.uint8], alone: tuple[list[EngineOutput], NDArray[np.float32]]
) -> None:
    assert alone[0][0].step_logits.shape == (1, 1, 400)
    with pytest.raises(ArchitectureError, match="at least 9"):
        engine.run(clips[:1, :8])


def test_a_view_that_is_not_contiguous_is_read_right(engine: Engine, clips: NDArray[np.uint8]) -> None:
    mirrored = clips[:1, :, :, ::-1]
    np.testing.assert_array_equal(engine.run(mirrored).logits, engine.run(np.ascontiguousarray(mirrored)).logits)


def test_results_outlive_the_next_runs(alone: tuple[list[EngineOutput], NDArray[np.float32]]) -> None:
    outputs, logits = alone
    assert np.abs(np.diff(logits, axis=0)).max(1).min() > 1e-3
    np.testing.assert_array_equal([output.logits[0] for output in outputs], logits)


def test_floats_that_are_whole_give_what_bytes_give(engine: Engine, clips: NDArray[np.uint8]) -> None:
    floats, whole = engine.run(clips[:1].astype(np.float32), FEW_ENDPOINTS), engine.run(clips[:1], FEW_ENDPOINTS)
    np.testing.assert_allclose(floats.logits, whole.logits, rtol=0, atol=1e-5)
    np.testing.assert_allclose(floats.endpoints["Mixed_3c"], whole.endpoints["Mixed_3c"], rtol=0, atol=1e-4)


@pytest.fixture(scope="module")
def between(module: I3D, cricket_frames: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Pixels of which many lie between two levels, and the logits of the PyTorch module, which knows no bytes."""
    # A length of its own, so that bytes are what comes first.
    pixels = cricket_frames[np.newaxis, :11].astype(np.float32)
    pixels[:, :, 1:] = (pixels[:, :, 1:] + pixels[:, :, :-1]) / 2
    assert (pixels % 1 == 0.5).mean() > 0.1
    return pixels, run_module(module, pixels).logits.numpy()


def test_pixels_between_two_levels_count_and_nothing_made_ready_for_bytes_is_used_for_them(
    engine: Engine, between: tuple[NDArray[np.float32], NDArray[np.float32]]
) -> None:
    pixels, expected = between
    whole = np.rint(pixels)
    first = engine.run(whole.astype(np.uint8), FEW_ENDPOINTS).logits
    np.testing.assert_allclose(engine.run(pixels, FEW_ENDPOINTS).logits, expected, rtol=0, atol=1e-3)
    assert np.abs(engine.run(whole, FEW_ENDPOINTS).logits - expected).max() > 5e-3
    np.testing.assert_array_equal(engine.run(whole.astype(np.uint8), FEW_ENDPOINTS).logits, first)


def test_streams_take_bytes_alone() -> None:
    with pytest.raises(ArchitectureError, match="uint8 RGB frames"):
        check_stream_frames(np.zeros((55, 224, 224, 3), np.float32), is_first=True, is_last=False)


@pytest.mark.parametrize(
    "clips",
    [
        np.zeros((1, 16, 224, 224, 3), np.float64),
        np.zeros((16, 224, 224, 3), np.uint8),
        np.zeros((1, 16, 224, 224, 4), np.uint8),
        np.zeros((0, 16, 224, 224, 3), np.uint8),
    ],
    ids=["double", "no batch axis", "alpha", "empty batch"],
)
def test_what_is_no_batch_of_clips_is_refused_with_what_is_wanted(engine: Engine, clips: NDArray[np.uint8]) -> None:
    with pytest.raises(ArchitectureError, match="uint8 or float32 RGB clips of shape batch, frames, height, width, 3"):
        engine.run(clips)


def test_an_unknown_endpoint_is_refused_with_the_known_ones(engine: Engine) -> None:
    with pytest.raises(ArchitectureError, match=r"Mixed_9z.*Mixed_5c"):
        engine.run(np.zeros((1, 9, 224, 224, 3), np.uint8), ["Mixed_9z"])


def test_one_endpoint_may_be_given_as_its_name(engine: Engine, clips: NDArray[np.uint8]) -> None:
    (name,) = engine.run(clips[:1], "Mixed_4f").endpoints
    assert name == "Mixed_4f"


def test_floats_that_are_no_pixels_are_refused(engine: Engine) -> None:
    with pytest.raises(ArchitectureError, match="NaN"):
        engine.run(np.full((1, 9, 224, 224, 3), np.nan, np.float32))


def test_calls_from_several_threads_do_not_meet(
    engine: Engine, clips: NDArray[np.uint8], alone: tuple[list[EngineOutput], NDArray[np.float32]]
) -> None:
    with ThreadPoolExecutor(len(clips)) as executor:
        together = list(executor.map(lambda clip: engine.run(clip[np.newaxis]).logits[0], clips))
    np.testing.assert_array_equal(together, alone[1])


@pytest.fixture(scope="module")
def larger(module: I3D, cricket_frames: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], I3DOutput]:
    """Frames of an odd size, of which the head pools several places, and what the PyTorch module makes of them."""
    pixels = np.pad(cricket_frames[np.newaxis, :9], ((0, 0), (0, 0), (0, 7), (0, 38), (0, 0)))
    return pixels, run_module(module, pixels)


def test_frames_of_any_size_give_what_the_original_layers_give(
    engine: Engine, larger: tuple[NDArray[np.uint8], I3DOutput]
) -> None:
    pixels, expected = larger
    output = engine.run(pixels, FEW_ENDPOINTS)
    np.testing.assert_allclose(output.step_logits, expected.step_logits, atol=1e-3)
    np.testing.assert_allclose(output.features, expected.features, atol=1e-4)
    for name, values in expected.endpoints.items():
        np.testing.assert_allclose(output.endpoints[name], values.permute(0, 2, 3, 4, 1), atol=1e-3)
