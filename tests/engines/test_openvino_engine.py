"""What is OpenVINO's own: devices, and the cache of compiled graphs."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from quovadis.architecture import VARIABLE_PREFIX
from quovadis.engines import CompiledGraphCache, OpenVINOEngine, openvino_engine
from quovadis.engines.base import Pixels
from quovadis.errors import EngineError
from quovadis.weights import Weights, load_weights


@pytest.fixture(scope="module")
def weights(rgb_scratch_path: Path) -> Weights:
    return load_weights("rgb-scratch")


def test_an_unknown_device_is_refused_with_the_known_ones() -> None:
    with pytest.raises(EngineError, match=r'no device "TOASTER".*CPU'):
        OpenVINOEngine({}, device="TOASTER")


def test_no_threads_are_refused() -> None:
    with pytest.raises(EngineError, match="`threads` must be a whole number from 1 to"):
        OpenVINOEngine({}, threads=0)


def test_the_second_start_takes_the_compiled_graph_from_the_cache(
    weights: Weights, cricket_frames: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
        "for _ in range(2):\n"
        "    engine = OpenVINOEngine(weights.tensors, threads=1, cache=cache, weights_sha256=weights.sha256)\n"
        "    print(engine.run(np.zeros((1, 9, 224, 224, 3), np.uint8)).logits.argmax())\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    results = [run.communicate(timeout=120) for run in runs]
    assert [run.returncode for run in runs] == [0] * 2, results
    assert len({output for output, _ in results}) == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_other_weights_do_not_meet_in_the_cache(weights: Weights, tmp_path: Path) -> None:
    tensors = dict(weights.tensors)
    clip = np.zeros((1, 9, 224, 224, 3), np.uint8)
    first = OpenVINOEngine(tensors, cache=CompiledGraphCache(tmp_path), weights_sha256="a").run(clip)
    tensors[f"{VARIABLE_PREFIX}/Logits/Conv3d_0c_1x1/conv_3d/b"] = np.ones(400, np.float32)
    second = OpenVINOEngine(tensors, cache=CompiledGraphCache(tmp_path), weights_sha256="b").run(clip)
    assert np.abs(first.logits - second.logits).max() > 0.1


def test_floats_have_a_graph_of_their_own_in_the_cache(
    weights: Weights, cricket_frames: NDArray[np.uint8], tmp_path: Path
) -> None:
    clip = cricket_frames[np.newaxis, :9]
    halves = clip * np.float32(0.5)

    def logits(pixels: Pixels, cache: CompiledGraphCache | None) -> NDArray[np.float32]:
        return OpenVINOEngine(weights.tensors, cache=cache).run(pixels).logits

    logits(clip, CompiledGraphCache(tmp_path))
    # Nothing is compiled for floats until there are any.
    assert len(list(tmp_path.iterdir())) == 1
    made = logits(halves, CompiledGraphCache(tmp_path))
    assert len(list(tmp_path.iterdir())) == 2
    np.testing.assert_allclose(made, logits(halves, None), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(logits(halves, CompiledGraphCache(tmp_path)), made)


def test_a_cache_that_cannot_be_written_is_no_obstacle(
    weights: Weights, cricket_frames: NDArray[np.uint8], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    cache = CompiledGraphCache(tmp_path / "file" / "compiled")
    engine = OpenVINOEngine(weights.tensors, cache=cache)
    assert engine.run(cricket_frames[np.newaxis, :9]).logits.shape == (1, 400)
    assert "not cached" in capsys.readouterr().err
