"""The network in PyTorch, for NVIDIA GPUs: batch norm folded, channels last, half precision unless told otherwise."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, cached_property
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import (
    HEAD,
    PIXEL_MEAN,
    PIXEL_SCALE,
    Convolution,
    MaxPool,
    Mixed,
    check_endpoints,
    convolutions,
    interpret,
    is_head,
    same_padding,
)
from quovadis.engines.base import NO_DENSE_ON_TORCH, EngineOutput, EngineStream, Pixels, check_clips
from quovadis.engines.lifecycle import BaseEngine
from quovadis.engines.processors import check_threads
from quovadis.errors import EngineError
from quovadis.escape import first_line
from quovadis.extras import import_extra
from quovadis.weights.folding import fold_batch_norm

if not TYPE_CHECKING:
    import_extra("torch", "the engine torch")

import torch
from torch import Tensor
from torch.nn import functional

_SPACE = (3, 4)
_SETTINGS_LOCK = Lock()
"""Held where settings of the whole process are changed for a while: engines must not give each other theirs."""

_FIRST_PROCESS = os.getpid()
_logger = logging.getLogger("quovadis")


class TorchEngine(BaseEngine):
    """The network on one PyTorch device.

    On CUDA it computes in float16 unless `float32` is asked for, elsewhere always in float32. Logits of float16 differ
    from float32's by about 1e-2. Calls from several threads wait for each other.
    """

    max_concurrent_clips = 1

    def __init__(
        self,
        tensors: Mapping[str, NDArray[np.float32]],
        *,
        device: str = "cuda",
        threads: int | None = None,
        float32: bool = False,
    ) -> None:
        """Move the network to the device.

        Args:
            tensors: variables by their original names.
            device: `cuda`, `cuda:1` …, or `cpu`.
            threads: CPU threads, of the whole process; None leaves them as they are.
            float32: compute in float32 on CUDA too; TF32, which rounds like float16, is not used then.

        Raises:
            EngineError: PyTorch has no such device here, threads under 1, or the network does not fit its memory.
        """
        threads = check_threads(threads)
        _work_alone_after_fork()
        self._device = _find_device(device)
        self._process = os.getpid()
        if threads is not None and self._process == _FIRST_PROCESS:
            torch.set_num_threads(threads)
        self._half = self._device.type == "cuda" and not float32
        self._dtype = torch.float16 if self._half else torch.float32
        with _errors_of(self._device, "load the network"):
            self._operations = _FoldedOperations(tensors, self._device, self._dtype)
        self._changes_settings = self._device.type == "cuda" and float32
        self._lock = _SETTINGS_LOCK if self._changes_settings else Lock()
        super().__init__()

    @cached_property
    def description(self) -> Mapping[str, str]:
        """Engine, its version, device and precision."""
        is_cuda = self._device.type == "cuda"
        device = f"{self._device} ({torch.cuda.get_device_name(self._device)})" if is_cuda else str(self._device)
        precision = "f16" if self._half else "f32"
        return {"engine": "torch", "version": torch.__version__, "device": device, "precision": precision}

    def run(self, clips: Pixels, endpoints: str | Sequence[str] = ()) -> EngineOutput:
        """Run the network on `clips`; see `base.Engine.run`."""
        check_clips(clips)
        names = check_endpoints(endpoints)
        self._check_process()
        with torch.inference_mode(), _errors_of(self._device, f"run clips of shape {clips.shape}"):
            staged = _staged(clips, self._device)
            with self._lock, self._settings():
                self._check_open()
                step_logits, features, maps = self._forward(staged.to(self._device, non_blocking=True), names)
                logits = step_logits.mean(1)
                return EngineOutput(
                    step_logits=_array(step_logits),
                    logits=_array(logits),
                    probabilities=_array(logits.softmax(1)),
                    features=_array(features),
                    endpoints={name: _array(maps[name].permute(0, 2, 3, 4, 1)) for name in names},
                )

    @contextmanager
    def _settings(self) -> Iterator[None]:
        """Keep TF32, PyTorch's default in convolutions, out of float32; the caller's settings come back."""
        if not self._changes_settings:
            yield
            return
        cudnn = torch.backends.cudnn
        with cudnn.flags(enabled=True, benchmark=cudnn.benchmark, deterministic=cudnn.deterministic, allow_tf32=False):
            yield

    def _forward(self, pixels: Tensor, endpoints: tuple[str, ...]) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Return the logits and features of each step in float32, and the feature maps as they are computed."""
        last, maps = pixels, {}
        for name, last in interpret(self._operations, self._normalized(pixels)):
            if name in endpoints:
                maps[name] = last
        # The head costs nothing, and its means must not be rounded.
        pooled = functional.avg_pool3d(last.float(), HEAD.pool, stride=1)
        step_logits = self._operations.convolution(pooled, HEAD.convolution).mean(_SPACE).transpose(1, 2)
        return step_logits, pooled.mean(_SPACE).transpose(1, 2), maps

    def _normalized(self, pixels: Tensor) -> Tensor:
        """Return -1..1 in the network's precision, channels last in memory but second in shape; `pixels` may change."""
        # Bytes less 127.5 are exact in float16 too. Of pixels between two levels only the result is rounded.
        x = pixels.to(self._dtype if pixels.dtype == torch.uint8 else torch.float32)
        return x.sub_(PIXEL_MEAN).div_(PIXEL_SCALE).to(self._dtype).permute(0, 4, 1, 2, 3)

    def _release(self) -> None:
        with self._lock:
            self._operations.clear()
        if self._device.type == "cuda" and self._process == os.getpid():
            torch.cuda.empty_cache()

    def _after_fork(self) -> None:
        # Another thread may have held it.
        self._lock = Lock()

    def _check_process(self) -> None:
        if self._device.type == "cuda" and self._process != os.getpid():
            raise EngineError(
                f"{self._device} cannot be used in a process forked from the one that loaded the model: start "
                'processes with multiprocessing.get_context("spawn") and load the model in each, or choose '
                '`device="CPU"`'
            )
        _work_alone_after_fork()

    def open_stream(self) -> EngineStream:
        """Refuse: see the message.

        Raises:
            EngineError: always.
        """
        raise EngineError(NO_DENSE_ON_TORCH)


@cache
def _warn_of_one_thread(process: int) -> None:
    _logger.warning(
        "PyTorch computes on one thread in a forked process, where its others are missing: start processes with "
        'multiprocessing.get_context("spawn") for more, or choose `engine="native"`'
    )


def _work_alone_after_fork() -> None:
    """In a forked process keep to one thread: OpenMP would wait for ever for those that a fork does not copy."""
    if os.getpid() != _FIRST_PROCESS:
        torch.set_num_threads(1)
        _warn_of_one_thread(os.getpid())


class _FoldedOperations:
    """The verbs of `architecture.interpret`, and the head's convolution, on tensors of shape B,C,D,H,W."""

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]], device: torch.device, dtype: torch.dtype) -> None:
        self._weights: dict[str, tuple[Tensor, Tensor]] = {}
        for unit, _ in convolutions():
            # Folded before it is rounded: variances and their roots would not survive float16 as well.
            folded = fold_batch_norm(tensors, unit)
            precision = torch.float32 if is_head(unit) else dtype
            kernel = torch.tensor(folded.kernel).permute(4, 3, 0, 1, 2).to(device, precision)
            bias = torch.tensor(folded.bias).to(device, precision)
            self._weights[unit.scope] = kernel.contiguous(memory_format=torch.channels_last_3d), bias

    def clear(self) -> None:
        """Let go of the weights."""
        self._weights.clear()

    def convolution(self, x: Tensor, unit: Convolution) -> Tensor:
        kernel, bias = self._weights[unit.scope]
        before, after = _padding(x, unit.kernel, unit.stride)
        if before != after:
            x = functional.pad(x, [side for pair in zip(before[::-1], after[::-1], strict=True) for side in pair])
            before = (0, 0, 0)
        y = functional.conv3d(x, kernel, bias, unit.stride, before)
        return y if is_head(unit) else y.relu_()

    def max_pool(self, x: Tensor, unit: MaxPool) -> Tensor:
        # Nothing is padded in memory: windows that reach past the end are cut off there, as SAME pools are.
        before, _ = _padding(x, unit.kernel, unit.stride)
        return functional.max_pool3d(x, unit.kernel, unit.stride, before, ceil_mode=True)

    def concatenate(self, branches: list[Tensor], unit: Mixed) -> Tensor:
        return torch.cat(branches, 1)


def _padding(
    x: Tensor, kernel: tuple[int, int, int], stride: tuple[int, int, int]
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Return SAME padding of time, height and width: before, and after."""
    sizes = zip(x.shape[2:], kernel, stride, strict=True)
    (t, u), (h, i), (w, j) = (same_padding(*size) for size in sizes)
    return (t, h, w), (u, i, j)


def _find_device(name: str) -> torch.device:
    """Return the device, with its number on CUDA: which one plain `cuda` means depends on the thread that asks.

    Raises:
        EngineError: it does not exist or does not work.
    """
    try:
        device = torch.device(name)
        if device.type == "cuda" and torch.cuda.is_available():
            count = torch.cuda.device_count()
            device = torch.device("cuda", torch.cuda.current_device() if device.index is None else device.index)
            if device.index is not None and device.index >= count:
                there_are = "cuda:0 is the only one" if count == 1 else f"there are cuda:0 to cuda:{count - 1}"
                raise EngineError(f'PyTorch cannot use "{name}" here: {there_are}', option="device")
        # Only doing something tells whether a device works.
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError) as error:
        reason = first_line(error)
        raise EngineError(f'PyTorch cannot use "{name}" here: {reason}; choose `device="CPU"`') from error
    return device


@contextmanager
def _errors_of(device: torch.device, task: str) -> Iterator[None]:
    """Turn PyTorch's errors into ours.

    Raises:
        EngineError: always; the message says what to do if memory is short.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise EngineError(
            f"{device} has too little free memory to {task}: run fewer or shorter clips at once, or choose "
            '`device="CPU"`'
        ) from error
    except RuntimeError as error:
        raise EngineError(f"{device} failed to {task}: {first_line(error)}") from error


def _staged(clips: Pixels, device: torch.device) -> Tensor:
    """Copy clips, whatever their strides, to where the device reads them fastest: for CUDA, pinned memory."""
    dtype = torch.uint8 if clips.dtype == np.uint8 else torch.float32
    staged = torch.empty(clips.shape, dtype=dtype, pin_memory=device.type == "cuda")
    staged.numpy()[...] = clips
    return staged


def _array(values: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = values.float().contiguous().cpu().numpy()
    return array
