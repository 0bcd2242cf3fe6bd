"""Which engine runs the network on a device at a precision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from quovadis.engines.base import NO_DENSE_ON_TORCH, Engine
from quovadis.engines.compiled_cache import CompiledGraphCache
from quovadis.engines.native_engine import NativeEngine
from quovadis.engines.native_library import has_integers, why_missing, why_unavailable
from quovadis.engines.processors import check_threads
from quovadis.engines.quantization import Quantization
from quovadis.errors import EngineError
from quovadis.options import EngineName, Hint, spelled_device

if TYPE_CHECKING:
    import torch

FloatPrecision: TypeAlias = Literal["f32", "f16"]


def open_engine(
    tensors: Mapping[str, NDArray[np.float32]],
    *,
    name: EngineName = "auto",
    device: str | torch.device = "CPU",
    threads: int | None = None,
    hint: Hint = "latency",
    quantization: Quantization | None = None,
    floats: FloatPrecision | None = None,
    cache: CompiledGraphCache | None = None,
    weights_sha256: str = "",
) -> Engine:
    """Make the engine that is fastest for what is asked.

    Args:
        tensors: variables by their original names.
        name: `native`, the project's own kernels (x86-64 with AVX2 or AVX-512; int8 with AVX-512 VNNI); `openvino`;
            `torch`, PyTorch on `cuda` or `cpu`; or `auto`: torch for CUDA devices, native for a CPU that has the
            kernels, OpenVINO for all else.
        device: CPU, cuda, cuda:1 …, an OpenVINO device, or a `torch.device`.
        threads: CPU threads, a whole number of 1 or more; None: one per physical core.
        hint: `latency`: one clip as soon as possible; `throughput`: several clips at once, if that makes more of them.
        quantization: what int8 needs; None: floating point.
        floats: which; None: f16 on CUDA, f32 elsewhere.
        cache: where compiled graphs are kept (OpenVINO).
        weights_sha256: identity of `tensors`, for the cache.

    Raises:
        EngineError: no such engine or device here, or an engine that cannot do what is asked.
        MissingDependencyError: `torch` is wanted and PyTorch is not installed.
    """
    threads, device = check_threads(threads), _device_name(device)
    check_choice(name, device, hint=hint, floats=floats, is_int8=quantization is not None)
    is_cpu, is_cuda = device == "CPU", _is_cuda(device)
    if name == "auto":
        name = fastest(is_cpu=is_cpu, is_cuda=is_cuda, is_int8=quantization is not None)
    if name == "openvino":
        # Imported late: OpenVINO takes half a second, and the native engine does without it.
        from quovadis.engines.openvino_engine import OpenVINOEngine

        return OpenVINOEngine(
            tensors,
            device=device,
            threads=threads,
            hint=hint,
            cache=cache,
            weights_sha256=weights_sha256,
            quantization=quantization,
        )
    if name == "torch":
        # Imported late: PyTorch is an extra, and takes a second.
        from quovadis.engines.torch_engine import TorchEngine

        return TorchEngine(tensors, device=device.lower(), threads=threads, float32=floats == "f32")
    return NativeEngine(tensors, threads=threads, hint=hint, quantization=quantization)


def check_choice(
    name: EngineName,
    device: str,
    *,
    hint: Hint = "latency",
    floats: FloatPrecision | None = None,
    is_int8: bool = False,
    is_dense: bool = False,
) -> None:
    """Refuse what no machine could do: an engine that does not run on the device, or does not compute so.

    Raises:
        EngineError: naming what could.
    """
    if name not in get_args(EngineName):
        raise EngineError(f'no engine is called "{name}"; there are {", ".join(get_args(EngineName))}', option="engine")
    if hint not in get_args(Hint):
        raise EngineError(f'no hint is called "{hint}"; there are {" and ".join(get_args(Hint))}', option="hint")
    if floats == "f16" and not _is_cuda(device):
        raise EngineError('half precision is for NVIDIA GPUs: choose `device="cuda"`, or `precision="f32"`')
    if name == "native" and device.upper() != "CPU":
        other = "torch" if _is_cuda(device) else "openvino"
        raise EngineError(f'the engine native runs on CPU, not "{device}": choose `engine="{other}"`')
    if runs_on_torch(name, device):
        if is_int8:
            raise EngineError(
                'the engine torch does not compute in int8: choose `engine="openvino"`, or `precision="f32"`'
            )
        if is_dense:
            raise EngineError(NO_DENSE_ON_TORCH)


def runs_on_torch(name: EngineName, device: str) -> bool:
    """Tell whether `open_engine` would make the engine torch, which computes in floating point alone."""
    return name == "torch" or (name == "auto" and _is_cuda(device))


def _device_name(device: object) -> str:
    device = spelled_device(device)
    if not isinstance(device, str):
        raise EngineError(f'`device` must be a name such as "CPU" or "cuda:0", not {device!r}', option="device")
    return device


def why_slower(name: EngineName, device: str) -> str | None:
    """Say why `auto` does without the native engine, though there is one for this machine, and what to do.

    None where it does not, and where another engine is what was asked for.
    """
    return why_missing() if name == "auto" and device.upper() == "CPU" else None


def _is_cuda(device: str) -> bool:
    return device.lower().partition(":")[0] == "cuda"


def fastest(*, is_cpu: bool, is_cuda: bool, is_int8: bool) -> EngineName:
    """Return what `auto` chooses on this machine for a device and a precision."""
    if is_cuda:
        return "torch"
    available = has_integers() if is_int8 else why_unavailable() is None
    return "native" if is_cpu and available else "openvino"
