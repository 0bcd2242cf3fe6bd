"""The default engine: OpenVINO, on whatever device it knows."""

from __future__ import annotations

import ctypes
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from queue import SimpleQueue
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import check_endpoints
from quovadis.engines.base import EngineOutput, Pixels, check_clips
from quovadis.engines.compiled_cache import CompiledGraphCache
from quovadis.engines.lifecycle import BaseEngine
from quovadis.engines.openvino_graph import FEATURES, LOGITS, PROBABILITIES, STEP_LOGITS, build_graph
from quovadis.engines.openvino_stream import OpenVINOStream, StreamingModels, reason
from quovadis.engines.processors import check_threads
from quovadis.engines.quantization import Quantization
from quovadis.engines.streaming_graph import StateSlot, build_streaming_graph
from quovadis.errors import EngineError
from quovadis.openvino_runtime import CompiledModel, InferRequest, ov, refuse_after_fork
from quovadis.options import Hint
from quovadis.version import __version__

PRECISION = "f32"
"""Devices with fast lower precisions would use them by default; equality with the original comes first."""


class OpenVINOEngine(BaseEngine):
    """The network on one OpenVINO device.

    The graph is compiled when the first clip is run, for any batch size and length at once; a set of endpoints that was
    not asked for before compiles a graph of its own. Calls from more threads than `max_concurrent_clips` wait.
    """

    def __init__(
        self,
        tensors: Mapping[str, NDArray[np.float32]],
        *,
        device: str = "CPU",
        threads: int | None = None,
        hint: Hint = "latency",
        cache: CompiledGraphCache | None = None,
        weights_sha256: str = "",
        quantization: Quantization | None = None,
    ) -> None:
        """Choose the device; nothing is compiled yet.

        Args:
            tensors: variables by their original names.
            device: an OpenVINO device name: CPU, GPU, GPU.1, NPU, AUTO, HETERO:GPU,CPU ….
            threads: CPU threads to use; None leaves it to OpenVINO, which takes one per physical core.
            hint: `throughput` lets several clips be in flight at once, as many as OpenVINO finds best.
            cache: where compiled graphs are kept for the next start; None keeps none.
            weights_sha256: identity of `tensors`, for the cache.
            quantization: what calibration found for `tensors`, to compute in 8-bit integers; None: float32.

        Raises:
            EngineError: no such device here, or a thread count under 1.
        """
        threads = check_threads(threads)
        self._tensors = tensors
        self._device = device
        self._core = ov.Core()
        self._check_device()
        self._config: dict[str, Any] = {"INFERENCE_PRECISION_HINT": PRECISION, "PERFORMANCE_HINT": hint.upper()}
        if threads is not None:
            self._config["INFERENCE_NUM_THREADS"] = threads
        self._cache = cache
        self._weights_sha256 = weights_sha256
        self._quantization = quantization
        self._hint = hint
        self._requests: dict[tuple[tuple[str, ...], type[np.generic]], SimpleQueue[InferRequest]] = {}
        self._at_once = 1
        self._compiling = Lock()
        self._streaming: StreamingModels | None = None
        self._compiled_models: list[CompiledModel] = []
        super().__init__()

    def _check_device(self) -> None:
        available = self._core.available_devices
        # HETERO:GPU,CPU and the like name several devices after a virtual one.
        virtual, _, listed = self._device.partition(":")
        names = listed.split(",") if listed else [virtual]
        for name in names:
            base = name.partition("(")[0].strip().lstrip("-")
            known = base in {"AUTO", "MULTI", "HETERO", "BATCH"} or any(
                device == base or device.partition(".")[0] == base for device in available
            )
            if not known:
                raise EngineError(
                    f'OpenVINO has no device "{self._device}" here; choose one of {", ".join([*available, "AUTO"])}',
                    option="device",
                )

    @cached_property
    def description(self) -> Mapping[str, str]:
        """Engine, its version, device and precision; in int8 the calibration's SHA-256."""
        return {
            "engine": "openvino",
            "version": str(ov.get_version()).partition("-")[0],
            "device": self._device,
            "precision": self._precision,
            **({} if self._quantization is None else self._quantization.description),
        }

    @property
    def _precision(self) -> str:
        return PRECISION if self._quantization is None else "int8"

    def run(self, clips: Pixels, endpoints: str | Sequence[str] = ()) -> EngineOutput:
        """Run the network on `clips`; see `base.Engine.run`."""
        check_clips(clips)
        names = check_endpoints(endpoints)
        with self._request(names, clips.dtype.type) as request:
            try:
                request.infer({0: np.ascontiguousarray(clips)}, share_inputs=True)
            except RuntimeError as error:
                raise EngineError(
                    f"{self._device} failed to run a batch of shape {clips.shape}: {reason(error)}"
                ) from error
            outputs = {
                name: request.get_tensor(name).data.copy() for name in (STEP_LOGITS, LOGITS, PROBABILITIES, FEATURES)
            }
            feature_maps = {name: request.get_tensor(name).data.copy() for name in names}
        return EngineOutput(**outputs, endpoints=feature_maps)

    @property
    def max_concurrent_clips(self) -> int:
        """How many calls of `run`, from as many threads, make the most of the device."""
        self._queue((), np.uint8)
        return self._at_once

    @contextmanager
    def _request(self, endpoints: tuple[str, ...], dtype: type[np.generic]) -> Iterator[InferRequest]:
        """Lend a request of the graph with these endpoints for such pixels, waiting until one is free."""
        queue = self._queue(endpoints, dtype)
        request = queue.get()
        try:
            yield request
        finally:
            queue.put(request)

    def _queue(self, endpoints: tuple[str, ...], dtype: type[np.generic]) -> SimpleQueue[InferRequest]:
        # Before the lock, which another thread may have held when this process was forked.
        refuse_after_fork()
        with self._compiling:
            self._check_open()
            if (endpoints, dtype) not in self._requests:
                compiled = self._compiled(
                    f"clip {endpoints} {dtype.__name__}",
                    lambda: build_graph(self._tensors, endpoints, self._quantization, dtype),
                )
                if self._hint == "throughput":
                    self._at_once = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
                queue: SimpleQueue[InferRequest] = SimpleQueue()
                for _ in range(self._at_once):
                    queue.put(compiled.create_infer_request())
                self._requests[endpoints, dtype] = queue
            return self._requests[endpoints, dtype]

    def open_stream(self) -> OpenVINOStream:
        """Begin a video of which each frame is run once; see `base.Engine.open_stream`."""
        refuse_after_fork()
        self._check_open()
        if self._streaming is None:
            self._streaming = StreamingModels(self._compile_streaming)
        return OpenVINOStream(self._streaming, self._device, self._check_open)

    def _release(self) -> None:
        with self._compiling:
            self._requests.clear()
            self._compiled_models.clear()
            self._tensors = {}
            self._streaming = None

    def _after_fork(self) -> None:
        # Another thread may have held it.
        self._compiling = Lock()
        # OpenVINO's destructors wait for its threads, which this process lacks: it would hang when it ends.
        for inherited in (self._core, *self._compiled_models):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited))

    def _compile_streaming(self, is_last: bool) -> tuple[CompiledModel, tuple[StateSlot, ...]]:
        with self._compiling:
            self._check_open()
            graph = build_streaming_graph(self._tensors, is_last=is_last, quantization=self._quantization)
            return self._compiled(graph.model.get_friendly_name(), lambda: graph.model), graph.slots

    def _compiled(self, name: str, build: Callable[[], ov.Model]) -> CompiledModel:
        self._compiled_models.append(self._compile(name, build))
        return self._compiled_models[-1]

    def _compile(self, name: str, build: Callable[[], ov.Model]) -> CompiledModel:
        key = self._cache_key(name)
        stored = None if self._cache is None else self._cache.load(key)
        if stored is not None:
            try:
                return self._core.import_model(io.BytesIO(stored), self._device, self._config)
            except RuntimeError:
                # A driver may refuse a graph of its own making; compiling it again is always right.
                pass
        try:
            compiled = self._core.compile_model(build(), self._device, self._config)
        except RuntimeError as error:
            raise EngineError(f"{self._device} cannot compile the network: {reason(error)}") from error
        if self._cache is not None:
            # Not every device can export what it compiled.
            with suppress(RuntimeError):
                stream = io.BytesIO()
                compiled.export_model(stream)
                self._cache.store(key, stream.getbuffer())
        return compiled

    def _cache_key(self, name: str) -> str:
        try:
            hardware = str(self._core.get_property(self._device, "FULL_DEVICE_NAME"))
        except RuntimeError:
            hardware = ",".join(self._core.available_devices)
        software = f"{__version__} {ov.get_version()}"
        config = sorted(self._config.items())
        calibration = "" if self._quantization is None else self._quantization.identity
        return repr((software, hardware, self._device, config, self._weights_sha256, calibration, name))
