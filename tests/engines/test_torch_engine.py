"""What is PyTorch's own about the engine torch; what all engines have in common is in `test_engines.py`."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from quovadis.engines import torch_engine
from quovadis.engines.torch_engine import TorchEngine
from quovadis.errors import EngineError
from quovadis.weights import load_weights

CLIP = np.zeros((1, 9, 224, 224, 3), np.uint8)


@pytest.fixture(scope="module")
def tensors(rgb_scratch_path: Path) -> dict[str, NDArray[np.float32]]:
    return dict(load_weights("rgb-scratch").tensors)


@pytest.fixture(scope="module")
def engine(tensors: dict[str, NDArray[np.float32]]) -> TorchEngine:
    return TorchEngine(tensors, device="cpu", threads=2)


def _one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:7"])
def test_without_a_gpu_cuda_is_refused_with_the_way_out(device: str, tensors: dict[str, NDArray[np.float32]]) -> None:
    with pytest.raises(EngineError, match=f'"{device}" here: .*; choose `device="CPU"`') as caught:
        TorchEngine(tensors, device=device)
    assert "\n" not in str(caught.value)


def test_a_gpu_that_is_not_there_is_refused_with_those_that_are(
    tensors: dict[str, NDArray[np.float32]], monkeypatch: pytest.MonkeyPatch
) -> None:
    _one_gpu(monkeypatch)
    with pytest.raises(EngineError, match='"cuda:7" here: cuda:0 is the only one'):
        TorchEngine(tensors, device="cuda:7")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    with pytest.raises(EngineError, match='"cuda:4" here: there are cuda:0 to cuda:3'):
        TorchEngine(tensors, device="cuda:4")


@pytest.mark.parametrize("device", ["cuda:", "cuda:one", "cuda:-1", "toaster"])
def test_what_is_no_device_is_refused(device: str, tensors: dict[str, NDArray[np.float32]]) -> None:
    with pytest.raises(EngineError, match=f'PyTorch cannot use "{device}" here'):
        TorchEngine(tensors, device=device)


def test_too_little_memory_is_an_error_that_says_what_helps(
    engine: TorchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nSee the documentation")

    expected = engine.run(CLIP).logits
    with monkeypatch.context() as patched:
        patched.setattr(functional, "conv3d", fail)
        with pytest.raises(EngineError, match=r"too little free memory to run clips of shape \(1, 9.*fewer or shorter"):
            engine.run(CLIP)
    # Nothing stays locked.
    np.testing.assert_array_equal(engine.run(CLIP).logits, expected)


def test_other_failures_of_the_device_are_errors_of_one_line(
    engine: TorchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be …")

    monkeypatch.setattr(functional, "conv3d", fail)
    with pytest.raises(
        EngineError, match=r"failed to run clips of shape .*: CUDA error: an illegal memory access"
    ) as caught:
        engine.run(CLIP)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_the_callers_frames_are_neither_written_nor_warned_of(engine: TorchEngine, dtype: type) -> None:
    """PyTorch warns of arrays that it may not write, and the pixels are normalised in place."""
    clip = CLIP.astype(dtype)
    clip.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        engine.run(clip)
    assert not clip.any()


def test_float32_keeps_tf32_out_and_gives_the_settings_back(
    tensors: dict[str, NDArray[np.float32]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on CUDA: the settings can be changed without a GPU, which is then not asked for."""
    engine = TorchEngine(tensors, device="cpu", float32=True)
    monkeypatch.setattr(engine, "_changes_settings", True)
    before = torch.backends.cudnn.allow_tf32
    seen: list[bool] = []
    real = functional.conv3d

    def watched(*arguments: object) -> torch.Tensor:
        seen.append(torch.backends.cudnn.allow_tf32)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(functional, "conv3d", watched)
    engine.run(CLIP)
    assert seen
    assert not any(seen)
    assert torch.backends.cudnn.allow_tf32 == before
    assert before, "PyTorch has TF32 on by default: else this test shows nothing"


def test_half_precision_computes_the_same_to_its_last_places(
    tensors: dict[str, NDArray[np.float32]], engine: TorchEngine, cricket_frames: NDArray[np.uint8]
) -> None:
    """What is CUDA's alone, on the CPU: bytes normalised in float16, weights folded before they are rounded."""
    half = TorchEngine(tensors, device="cpu")
    half._half, half._dtype = True, torch.float16
    half._operations = torch_engine._FoldedOperations(tensors, torch.device("cpu"), torch.float16)
    clip = cricket_frames[np.newaxis, :9]
    expected, output = engine.run(clip, ["Mixed_3b"]), half.run(clip, ["Mixed_3b"])
    assert half.description["precision"] == "f16"
    assert output.logits.dtype == output.endpoints["Mixed_3b"].dtype == np.float32
    assert output.logits.argmax() == expected.logits.argmax()
    difference = np.abs(output.logits - expected.logits).max()
    assert 1e-4 < difference < 3e-2
    np.testing.assert_allclose(half.run(clip.astype(np.float32)).logits, output.logits, atol=2e-2)
    np.testing.assert_allclose(output.probabilities.sum(1), 1, atol=1e-6)
