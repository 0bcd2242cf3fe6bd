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
from quovadis.torch import I3D, normalize
from quovadis.weights import load_weights

ENGINES = ("openvino", "native avx512", "native avx2", "torch cpu")


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest, rgb_scratch_path: Path) -> Engine:
    name, _, detail = request.param.partition(" ")
    tensors = load_weights("rgb-scratch").tensors
    if name == "openvino":
        return OpenVINOEngine(tensors, threads=2)
    if name == "torch":
        return TorchEngine(tensors, device=detail, threads=2)
    if detail not in instruction_sets():
        pytest.skip(f"this processor has no {detail}")
    return NativeEngine(tensors, threads=2, instruction_set=detail)


@pytest.fixture(scope="module")
def whole(engine: Engine, cricket_frames: NDArray[np.uint8]) -> EngineOutput:
    """Every endpoint of the 79 frames, computed once."""
    return engine.run(cricket_frames[np.newaxis], ENDPOINTS)


def test_logits_and_softmax_of_the_79_frames_are_the_originals(whole: EngineOutput, assets: Path) -> None:
    oracle = np.load(assets / "oracle" / "cricket_rgb_scratch.npz")
    np.testing.assert_allclose(whole.logits[0], oracle["logits"], rtol=0, atol=1e-3)
    np.testing.assert_allclose(whole.probabilities[0], oracle["softmax"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("frames", [16, 64, 87, 159])
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


def test_a_batch_is_its_clips_one_by_one(engine: Engine, cricket_frames: NDArray[np.uint8]) -> None:
    clips = np.stack([cricket_frames[:16], cricket_frames[40:56], cricket_frames[60:76]])
    together = engine.run(clips)
    for place, clip in enumerate(clips):
        np.testing.assert_allclose(engine.run(clip[np.newaxis]).logits[0], together.logits[place], atol=1e-4)


def test_nine_frames_are_enough_and_eight_are_not(engine: Engine, cricket_frames: NDArray[np.uint8]) -> None:
    assert engine.run(cricket_frames[np.newaxis, :9]).step_logits.shape == (1, 1, 400)
    with pytest.raises(ArchitectureError, match="at least 9"):
        engine.run(cricket_frames[np.newaxis, :8])


def test_a_view_that_is_not_contiguous_is_read_right(engine: Engine, cricket_frames: NDArray[np.uint8]) -> None:
    mirrored = cricket_frames[np.newaxis, :16, :, ::-1]
    np.testing.assert_array_equal(engine.run(mirrored).logits, engine.run(np.ascontiguousarray(mirrored)).logits)


def test_results_outlive_the_next_run(engine: Engine, cricket_frames: NDArray[np.uint8]) -> None:
    first = engine.run(cricket_frames[np.newaxis, :9])
    kept = first.logits.copy()
    engine.run(255 - cricket_frames[np.newaxis, :9])
    np.testing.assert_array_equal(first.logits, kept)


def test_floats_that_are_whole_give_what_bytes_give(engine: Engine, cricket_frames: NDArray[np.uint8]) -> None:
    clip = cricket_frames[np.newaxis, :16]
    floats, whole = engine.run(clip.astype(np.float32), ["Mixed_3b"]), engine.run(clip, ["Mixed_3b"])
    np.testing.assert_allclose(floats.logits, whole.logits, rtol=0, atol=1e-5)
    np.testing.assert_allclose(floats.endpoints["Mixed_3b"], whole.endpoints["Mixed_3b"], rtol=0, atol=1e-4)


def test_pixels_between_two_levels_count(
    engine: Engine, rgb_scratch_path: Path, cricket_frames: NDArray[np.uint8]
) -> None:
    """Against the PyTorch module itself, which does not know of bytes."""
    between = cricket_frames[np.newaxis, :16].astype(np.float32)
    between[:, :, 1:] = (between[:, :, 1:] + between[:, :, :-1]) / 2
    assert (between % 1 == 0.5).mean() > 0.1
    with torch.inference_mode():
        expected = I3D.from_pretrained("rgb-scratch").eval()(normalize(torch.from_numpy(between))).numpy()
    found = engine.run(between).logits
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)
    assert np.abs(engine.run(np.rint(between)).logits - expected).max() > 5e-3


def test_what_was_made_ready_for_bytes_is_not_used_for_floats(
    engine: Engine, cricket_frames: NDArray[np.uint8]
) -> None:
    # A length of its own, so that bytes are what comes first.
    clip = cricket_frames[np.newaxis, :11]
    halves = clip * np.float32(0.5)
    first = engine.run(clip).logits
    assert np.abs(engine.run(halves).logits - engine.run(np.floor(halves)).logits).max() > 1e-2
    np.testing.assert_array_equal(engine.run(clip).logits, first)


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


def test_one_endpoint_may_be_given_as_its_name(engine: Engine, cricket_frames: NDArray[np.uint8]) -> None:
    clip = cricket_frames[np.newaxis, :9]
    (name,) = engine.run(clip, "Mixed_4f").endpoints
    assert name == "Mixed_4f"


def test_floats_that_are_no_pixels_are_refused(engine: Engine) -> None:
    with pytest.raises(ArchitectureError, match="NaN"):
        engine.run(np.full((1, 9, 224, 224, 3), np.nan, np.float32))


def test_calls_from_several_threads_do_not_meet(engine: Engine, cricket_frames: NDArray[np.uint8]) -> None:
    clips = [cricket_frames[np.newaxis, start : start + 9] for start in (0, 20, 40, 60)]
    alone = [engine.run(clip).logits for clip in clips]
    with ThreadPoolExecutor(len(clips)) as executor:
        together = list(executor.map(lambda clip: engine.run(clip).logits, clips))
    np.testing.assert_array_equal(np.stack(together), np.stack(alone))


def test_frames_of_any_size_give_what_the_original_layers_give(
    engine: Engine, rgb_scratch_path: Path, cricket_frames: NDArray[np.uint8]
) -> None:
    clips = np.pad(cricket_frames[np.newaxis, :17], ((0, 0), (0, 0), (0, 7), (0, 38), (0, 0)))
    expected = OpenVINOEngine(load_weights("rgb-scratch").tensors).run(clips, ["Mixed_3c", "Mixed_5c"])
    output = engine.run(clips, ["Mixed_3c", "Mixed_5c"])
    np.testing.assert_allclose(output.step_logits, expected.step_logits, atol=1e-3)
    np.testing.assert_allclose(output.features, expected.features, atol=1e-4)
    for name, values in expected.endpoints.items():
        np.testing.assert_allclose(output.endpoints[name], values, atol=1e-3)
