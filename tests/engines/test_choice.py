"""The engine that is fastest for what is asked, or one clear reason why not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from quovadis import Sampling, SlidingWindows, VideoPrediction, load, precision
from quovadis.engines import choice, native_engine, open_engine
from quovadis.engines.quantization import Quantization
from quovadis.errors import EngineError
from quovadis.options import EngineName, Hint
from quovadis.weights import load_weights

TORCH_ENGINE = "quovadis.engines.torch_engine.TorchEngine"
"""By its name: the processes of a test below import this file, and need no PyTorch."""


@pytest.fixture(scope="module")
def tensors(rgb_scratch_path: Path) -> dict[str, NDArray[np.float32]]:
    return dict(load_weights("rgb-scratch").tensors)


@pytest.fixture
def nothing_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The native engine does not make its weights ready."""
    monkeypatch.setattr(native_engine, "FloatBackend", lambda tensors: SimpleNamespace(precision="f32"))


def test_float_on_the_cpu_is_native(tensors: dict[str, NDArray[np.float32]]) -> None:
    described = open_engine(tensors).description
    assert (described["engine"], described["precision"]) == ("native", "f32")
    assert described["device"] in ("CPU (avx512)", "CPU (avx2)")


def test_where_the_kernels_cannot_run_it_is_openvino(
    tensors: dict[str, NDArray[np.float32]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "why_unavailable", lambda: "no reason")
    assert open_engine(tensors).description["engine"] == "openvino"


def test_openvinos_devices_are_openvinos(tensors: dict[str, NDArray[np.float32]]) -> None:
    assert open_engine(tensors, device="AUTO").description["engine"] == "openvino"
    assert open_engine(tensors, name="openvino").description["device"] == "CPU"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "abacus"}, "no engine is called"),
        ({"hint": "hurry"}, "latency and throughput"),
        ({"name": "native", "device": "GPU"}, "runs on CPU"),
        ({"name": None}, "no engine is called"),
        ({"threads": 0}, "`threads` must be a whole number from 1 to 1024, not 0"),
        ({"name": "torch", "threads": -1}, "from 1 to 1024, not -1"),
        ({"threads": "2"}, "not '2'"),
        ({"threads": 2.5}, r"not 2\.5"),
        ({"threads": True}, "not True"),
        ({"device": None}, '`device` must be a name such as "CPU" or "cuda:0", not None'),
        ({"device": 0}, "not 0"),
        ({"name": "torch", "quantization": Quantization({}, {})}, "does not compute in int8"),
        ({"device": "cuda:7"}, "PyTorch cannot use"),
        ({"device": "TOASTER"}, 'no device "TOASTER"'),
        ({"floats": "f16"}, 'choose `device="cuda"`, or `precision="f32"`'),
    ],
)
def test_what_cannot_be_is_refused(
    options: dict[str, object], message: str, tensors: dict[str, NDArray[np.float32]]
) -> None:
    with pytest.raises(EngineError, match=message):
        open_engine(tensors, **options)  # type: ignore[arg-type]


@pytest.mark.usefixtures("nothing_computed")
def test_a_device_of_pytorchs_is_one_of_ours(
    tensors: dict[str, NDArray[np.float32]], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    assert open_engine(tensors, device=torch.device("cpu")).description["engine"] == "native"
    seen: list[object] = []
    monkeypatch.setattr(TORCH_ENGINE, lambda *_, **options: seen.append(options["device"]))
    open_engine(tensors, device=torch.device("cuda", 1))
    assert seen == ["cuda:1"]


@pytest.mark.usefixtures("nothing_computed")
@pytest.mark.parametrize("name", ["native", "openvino", "torch"])
def test_devices_and_threads_are_taken_in_their_other_forms(name: str, tensors: dict[str, NDArray[np.float32]]) -> None:
    described = open_engine(tensors, name=name, device="cpu", threads=np.int64(2)).description  # type: ignore[arg-type]
    assert described["device"].upper().startswith("CPU")


@pytest.fixture(scope="module")
def every_core() -> Iterator[ProcessPoolExecutor]:
    """A process of its own on every core: this one may have a single core, which OpenVINO remembers."""
    with ProcessPoolExecutor(
        1, get_context("spawn"), initializer=os.sched_setaffinity, initargs=(0, range(os.cpu_count() or 1))
    ) as pool:
        yield pool


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core runs no two clips at once")
@pytest.mark.parametrize("engine", ["native", "openvino"])
def test_throughput_gives_the_same_clips_in_the_same_order(
    engine: EngineName, rgb_scratch_path: Path, cricket_frames: NDArray[np.uint8], every_core: ProcessPoolExecutor
) -> None:
    _, one = every_core.submit(classified, rgb_scratch_path, engine, "latency", cricket_frames[:27]).result()
    at_once, several = every_core.submit(
        classified, rgb_scratch_path, engine, "throughput", cricket_frames[:27]
    ).result()
    assert at_once == 2
    assert [clip.index for clip in several.clips] == list(range(3))
    for a, b in zip(one.clips, several.clips, strict=True):
        assert (a.start_seconds, a.frames) == (b.start_seconds, b.frames)
        np.testing.assert_allclose(a.logits, b.logits, atol=1e-4)


def classified(weights: Path, engine: EngineName, hint: Hint, frames: NDArray[np.uint8]) -> tuple[int, VideoPrediction]:
    """Return how many clips the engine runs at once, and what it says of each 9 frames."""
    model = load(weights, engine=engine, hint=hint, threads=2)
    sampling = Sampling(clips=SlidingWindows(clip_frames=9))
    return model.engine.max_concurrent_clips, model.classify(frames, sampling)


def test_torch_refuses_dense_mode_and_names_the_way_out(tensors: dict[str, NDArray[np.float32]]) -> None:
    with pytest.raises(EngineError, match='choose `device="CPU"`'):
        open_engine(tensors, name="torch", device="cpu").open_stream()


def test_precision_auto_is_floating_point_where_the_engine_has_no_integers(
    rgb_scratch_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the weights have been calibrated: `auto` takes what there is."""
    weights = load_weights(rgb_scratch_path)
    monkeypatch.setattr(precision, "quantization_folder", lambda: tmp_path)
    Quantization({}, {}).save(tmp_path / f"{weights.sha256}.npz")
    model = load(rgb_scratch_path, engine="torch", device="cpu", precision="auto")
    assert model.engine.description["precision"] == "f32"


def test_float32_that_is_asked_for_reaches_the_gpu(
    tensors: dict[str, NDArray[np.float32]], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    monkeypatch.setattr(TORCH_ENGINE, lambda *_, **options: seen.append(options["float32"]))
    for floats in (None, "f16", "f32"):
        open_engine(tensors, device="CUDA:0", floats=floats)  # type: ignore[arg-type]
    assert seen == [False, False, True]
