"""The OpenVINO engine against what DeepMind's own graph computed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from quovadis.architecture import ENDPOINTS, VARIABLE_PREFIX, endpoint_shapes
from quovadis.engines import CompiledGraphCache, EngineOutput, OpenVINOEngine, openvino_engine
from quovadis.errors import ArchitectureError, EngineError
from quovadis.weights import load_weights


@pytest.fixture(scope="module")
def engine(rgb_scratch_path: Path) -> OpenVINOEngine:
    return OpenVINOEngine(load_weights("rgb-scratch").tensors, threads=2)


@pytest.fixture(scope="module")
def whole(engine: OpenVINOEngine, cricket_frames: NDArray[np.uint8]) -> EngineOutput:
    """Every endpoint of the 79 frames, computed once."""
    return engine.run(cricket_frames[np.newaxis], ENDPOINTS)


def test_logits_and_softmax_of_the_79_frames_are_the_originals(whole: EngineOutput, assets: Path) -> None:
    oracle = np.load(assets / "oracle" / "cricket_rgb_scratch.npz")
    np.testing.assert_allclose(whole.logits[0], oracle["logits"], rtol=0, atol=1e-3)
    np.testing.assert_allclose(whole.probabilities[0], oracle["softmax"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("frames", [16, 64, 87, 159])
def test_logits_of_any_length_are_the_originals(
    engine: OpenVINOEngine, cricket_frames: NDArray[np.uint8], assets: Path, frames: int
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


def test_a_batch_is_its_clips_one_by_one(engine: OpenVINOEngine, cricket_frames: NDArray[np.uint8]) -> None:
    clips = np.stack([cricket_frames[:16], cricket_frames[40:56], cricket_frames[60:76]])
    together = engine.run(clips)
    for place, clip in enumerate(clips):
        np.testing.assert_allclose(engine.run(clip[np.newaxis]).logits[0], together.logits[place], atol=1e-4)


def test_nine_frames_are_enough_and_eight_are_not(engine: OpenVINOEngine, cricket_frames: NDArray[np.uint8]) -> None:
    assert engine.run(cricket_frames[np.newaxis, :9]).step_logits.shape == (1, 1, 400)
    with pytest.raises(ArchitectureError, match="at least 9"):
        engine.run(cricket_frames[np.newaxis, :8])


def test_a_view_that_is_not_contiguous_is_read_right(engine: OpenVINOEngine, cricket_frames: NDArray[np.uint8]) -> None:
    mirrored = cricket_frames[np.newaxis, :16, :, ::-1]
    np.testing.assert_array_equal(engine.run(mirrored).logits, engine.run(np.ascontiguousarray(mirrored)).logits)


def test_results_outlive_the_next_run(engine: OpenVINOEngine, cricket_frames: NDArray[np.uint8]) -> None:
    first = engine.run(cricket_frames[np.newaxis, :9])
    kept = first.logits.copy()
    engine.run(255 - cricket_frames[np.newaxis, :9])
    np.testing.assert_array_equal(first.logits, kept)


@pytest.mark.parametrize(
    "clips",
    [
        np.zeros((1, 16, 224, 224, 3), np.float32),
        np.zeros((16, 224, 224, 3), np.uint8),
        np.zeros((1, 16, 224, 224, 4), np.uint8),
        np.zeros((0, 16, 224, 224, 3), np.uint8),
    ],
    ids=["float", "no batch axis", "alpha", "empty batch"],
)
def test_what_is_no_batch_of_clips_is_refused_with_what_is_wanted(
    engine: OpenVINOEngine, clips: NDArray[np.uint8]
) -> None:
    with pytest.raises(ArchitectureError, match="uint8 RGB clips of shape batch, frames, height, width, 3"):
        engine.run(clips)


def test_an_unknown_endpoint_is_refused_with_the_known_ones(engine: OpenVINOEngine) -> None:
    with pytest.raises(ArchitectureError, match=r"Mixed_9z.*Mixed_5c"):
        engine.run(np.zeros((1, 9, 224, 224, 3), np.uint8), ["Mixed_9z"])


def test_an_unknown_device_is_refused_with_the_known_ones() -> None:
    with pytest.raises(EngineError, match=r'no device "TOASTER".*CPU'):
        OpenVINOEngine({}, device="TOASTER")


def test_no_threads_are_refused() -> None:
    with pytest.raises(EngineError, match="1 or more"):
        OpenVINOEngine({}, threads=0)


def test_the_second_start_takes_the_compiled_graph_from_the_cache(
    rgb_scratch_path: Path, cricket_frames: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = load_weights("rgb-scratch")
    cache = CompiledGraphCache(tmp_path)

    def logits() -> NDArray[np.float32]:
        engine = OpenVINOEngine(weights.tensors, cache=cache, weights_sha256=weights.sha256)
        return engine.run(cricket_frames[np.newaxis, :9]).logits

    compiled = logits()
    (path,) = tmp_path.iterdir()
    with monkeypatch.context() as patch:
        patch.setattr(openvino_engine, "build_graph", lambda *_: pytest.fail("the graph was compiled again"))
        np.testing.assert_array_equal(logits(), compiled)
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], b"", content[:-1] + bytes([content[-1] ^ 1])):
        path.write_bytes(damaged)
        np.testing.assert_array_equal(logits(), compiled)
        mended = path.read_bytes()
        assert mended != damaged
        assert hashlib.sha256(mended[32:]).digest() == mended[:32]


def test_processes_that_start_at_once_share_one_cache(rgb_scratch_path: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import numpy as np\n"
        "from quovadis.engines import CompiledGraphCache, OpenVINOEngine\n"
        "from quovadis.weights import load_weights\n"
        "weights = load_weights('rgb-scratch')\n"
        "cache = CompiledGraphCache(Path(sys.argv[1]))\n"
        "for _ in range(3):\n"
        "    engine = OpenVINOEngine(weights.tensors, threads=1, cache=cache, weights_sha256=weights.sha256)\n"
        "    print(engine.run(np.zeros((1, 9, 224, 224, 3), np.uint8)).logits.argmax())\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    results = [run.communicate(timeout=120) for run in runs]
    assert [run.returncode for run in runs] == [0] * 4, results
    assert len({output for output, _ in results}) == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_other_weights_do_not_meet_in_the_cache(rgb_scratch_path: Path, tmp_path: Path) -> None:
    tensors = dict(load_weights("rgb-scratch").tensors)
    clip = np.zeros((1, 9, 224, 224, 3), np.uint8)
    first = OpenVINOEngine(tensors, cache=CompiledGraphCache(tmp_path), weights_sha256="a").run(clip)
    tensors[f"{VARIABLE_PREFIX}/Logits/Conv3d_0c_1x1/conv_3d/b"] = np.ones(400, np.float32)
    second = OpenVINOEngine(tensors, cache=CompiledGraphCache(tmp_path), weights_sha256="b").run(clip)
    assert np.abs(first.logits - second.logits).max() > 0.1


def test_a_cache_that_cannot_be_written_is_no_obstacle(
    rgb_scratch_path: Path, cricket_frames: NDArray[np.uint8], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    cache = CompiledGraphCache(tmp_path / "file" / "compiled")
    engine = OpenVINOEngine(load_weights("rgb-scratch").tensors, cache=cache)
    assert engine.run(cricket_frames[np.newaxis, :9]).logits.shape == (1, 400)
    assert "not cached" in capsys.readouterr().err
