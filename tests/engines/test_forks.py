"""A model loaded, and run, before a fork works in the child too, or says at once why it cannot."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from quovadis import Dense, FeatureOptions, Recognizer, Sampling, SlidingWindows, TimeSpan, load
from quovadis.architecture import convolutions
from quovadis.engines import NativeEngine, OpenVINOEngine
from quovadis.engines.native_library import has_integers
from quovadis.engines.quantization import Quantization, quantized_scopes
from quovadis.engines.torch_engine import TorchEngine
from quovadis.errors import EngineError
from quovadis.weights import load_weights
from support.forks import in_forked_child

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    # From Python 3.12 on a fork of a process with threads is warned of.
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
]
CLIP = np.random.default_rng(0).integers(0, 256, (1, 9, 224, 224, 3), np.uint8)
# Half a second: the way of each is the same for more.
SPAN = TimeSpan(duration_seconds=0.6)
CLIPS = Sampling(clips=SlidingWindows(clip_frames=9), span=SPAN)
KINDS = ("latency", "throughput", "int8")
Tensors = Mapping[str, NDArray[np.float32]]
# Whose threads share a clip, or not, is the same to streams and to grandchildren.
without_throughput = pytest.mark.parametrize(
    "engine", ["latency", pytest.param("throughput", marks=pytest.mark.soak), "int8"], indirect=True
)


@pytest.fixture(scope="module")
def tensors(rgb_scratch_path: Path) -> Tensors:
    return load_weights(rgb_scratch_path).tensors


@pytest.fixture(scope="module", params=KINDS)
def engine(request: pytest.FixtureRequest, tensors: Tensors) -> Iterator[NativeEngine]:
    if request.param != "int8":
        made = NativeEngine(tensors, threads=2, hint=request.param)
    elif has_integers():
        channels = {unit.scope: unit.channels for unit, _ in convolutions()}
        scopes = quantized_scopes()
        scales = {scope: np.ones(channels[scope], np.float32) for scope in scopes}
        made = NativeEngine(tensors, threads=2, quantization=Quantization(dict.fromkeys(scopes, 5.0), scales))
    else:
        pytest.skip("this processor has no AVX-512 VNNI")
    with made:
        made.run(CLIP)
        yield made


@pytest.fixture(scope="module")
def model(rgb_scratch_path: Path) -> Iterator[Recognizer]:
    made = load(rgb_scratch_path, engine="native", threads=2)
    yield made
    made.engine.close()


# --- the native engine ----------------------------------------------------------------------------------------------


def test_the_native_engine_computes_the_same_in_a_child_and_on_in_the_parent(engine: NativeEngine) -> None:
    expected = engine.run(CLIP).logits
    for _ in range(2):
        np.testing.assert_array_equal(in_forked_child(lambda: engine.run(CLIP).logits), expected)
        np.testing.assert_array_equal(engine.run(CLIP).logits, expected)


@without_throughput
def test_a_grandchild_computes_too(engine: NativeEngine) -> None:
    def child() -> NDArray[np.float32]:
        engine.run(CLIP)
        found: NDArray[np.float32] = in_forked_child(lambda: engine.run(CLIP).logits, seconds=60)
        return np.concatenate([found, engine.run(CLIP).logits])

    np.testing.assert_array_equal(in_forked_child(child), np.repeat(engine.run(CLIP).logits, 2, 0))


def test_a_child_forked_in_the_middle_of_other_threads_clips_computes_too(engine: NativeEngine) -> None:
    expected = engine.run(CLIP).logits
    stop = threading.Event()
    wrong: list[int] = []

    def work() -> None:
        while not stop.is_set():
            wrong.append(int((engine.run(CLIP).logits != expected).sum()))

    busy = [threading.Thread(target=work) for _ in range(2)]
    for thread in busy:
        thread.start()
    try:
        for _ in range(2):
            while engine._free.qsize():
                time.sleep(0.001)
            np.testing.assert_array_equal(in_forked_child(lambda: engine.run(CLIP).logits), expected)
    finally:
        stop.set()
        for thread in busy:
            thread.join()
    assert len(wrong) >= 2
    assert not any(wrong)


@without_throughput
def test_a_stream_goes_on_in_a_child(engine: NativeEngine) -> None:
    frames = np.resize(CLIP[0], (63, 224, 224, 3))
    stream = engine.open_stream()
    stream.push(frames[:55])
    found = in_forked_child(lambda: stream.push(frames[55:], is_last=True).step_logits)
    np.testing.assert_array_equal(found, stream.push(frames[55:], is_last=True).step_logits)


# --- from video to result -------------------------------------------------------------------------------------------


def test_all_ways_to_a_result_are_open_in_a_child(model: Recognizer, assets: Path) -> None:
    path = assets / "clips" / "archery.avi"
    dense = Sampling(clips=Dense(), span=SPAN)

    def results() -> list[NDArray[np.float32]]:
        return [
            np.stack([clip.logits for clip in model.classify(path, CLIPS).clips]),
            np.stack([clip.logits for clip in model.classify(path, dense).clips]),
            np.stack([step.logits for step in model.stream(path, dense)]),
            model.features(path, FeatureOptions(sampling=CLIPS)).values,
        ]

    expected = results()
    for ours, theirs in zip(in_forked_child(results), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


_shared: Recognizer | None = None


def _classified(path: Path) -> NDArray[np.float32]:
    assert _shared is not None
    return np.stack([clip.logits for clip in _shared.classify(path, CLIPS).clips])


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS' own libraries do not survive forks")
def test_pools_of_forked_processes_share_a_model(
    model: Recognizer, cricket_gif: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "_shared", model)
    expected = np.stack([clip.logits for clip in model.classify(cricket_gif, CLIPS).clips])
    context = multiprocessing.get_context("fork")
    with context.Pool(2) as pool:
        for found in pool.map_async(_classified, [cricket_gif] * 3).get(120):
            np.testing.assert_array_equal(found, expected)
    with ProcessPoolExecutor(2, context) as executor:
        for found in executor.map(_classified, [cricket_gif] * 3, timeout=120):
            np.testing.assert_array_equal(found, expected)


# --- engines that do not survive a fork -----------------------------------------------------------------------------


def test_openvino_says_at_once_what_to_do_instead(tensors: Tensors) -> None:
    engine = OpenVINOEngine(tensors, threads=2)
    expected = engine.run(CLIP).logits
    stream = engine.open_stream()
    for work in (
        lambda: engine.run(CLIP),
        lambda: engine.max_concurrent_clips,
        lambda: engine.open_stream(),
        lambda: stream.push(np.resize(CLIP[0], (55, 224, 224, 3))),
        lambda: OpenVINOEngine(tensors).run(CLIP),
    ):
        error = in_forked_child(work)
        assert isinstance(error, EngineError)
        assert 'multiprocessing.get_context("spawn")' in str(error)
        assert '`engine="native"`' in str(error)
    np.testing.assert_array_equal(engine.run(CLIP).logits, expected)


def test_openvino_that_has_not_run_before_the_fork_runs_in_the_child(rgb_scratch_path: Path) -> None:
    assert "child: 84" in _run_and_fork("openvino", runs_before="")


@pytest.mark.parametrize("name", ["native", "openvino", "torch"])
def test_a_child_that_inherited_an_engine_ends_by_itself(name: str, rgb_scratch_path: Path) -> None:
    """As servers' workers end: the interpreter takes everything apart."""
    assert "child: " in _run_and_fork(name, runs_before="engine.run(clip); stream = engine.open_stream")


def _run_and_fork(name: str, *, runs_before: str) -> str:
    """Return what a process of its own prints, in which nothing has run yet; its forked child ends with `sys.exit`."""
    code = f"""
import os, signal, sys
import numpy as np
from quovadis.engines import open_engine
from quovadis.errors import EngineError
from quovadis.weights import load_weights

engine = open_engine(load_weights("rgb-scratch").tensors, name={name!r}, threads=2)
clip = np.zeros((1, 9, 224, 224, 3), np.uint8)
{runs_before}
child = os.fork()
if child == 0:
    signal.alarm(60)
    try:
        print("child:", engine.run(clip).logits.argmax())
    except EngineError as error:
        print("child:", error)
    sys.exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_cuda_says_at_once_what_to_do_instead(tensors: Tensors, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told by the device's name alone: this needs no GPU."""
    engine = TorchEngine(tensors, device="cpu")
    monkeypatch.setattr(engine, "_device", torch.device("cuda", 0))
    error = in_forked_child(lambda: engine.run(CLIP))
    assert isinstance(error, EngineError)
    assert "cuda:0 cannot be used in a process forked" in str(error)
    assert 'multiprocessing.get_context("spawn")' in str(error)
    assert in_forked_child(engine.close) is None


def test_torch_computes_on_one_thread_and_says_so(tensors: Tensors, caplog: pytest.LogCaptureFixture) -> None:
    engine = TorchEngine(tensors, device="cpu", threads=2)
    expected = engine.run(CLIP).logits

    def child() -> tuple[NDArray[np.float32], str]:
        return engine.run(CLIP).logits, caplog.text

    found, log = in_forked_child(child)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert "on one thread in a forked process" in log
    assert not caplog.records
    opened = in_forked_child(lambda: TorchEngine(tensors, device="cpu", threads=2).run(CLIP).logits)
    np.testing.assert_allclose(opened, expected, atol=1e-4)
    np.testing.assert_array_equal(engine.run(CLIP).logits, expected)
