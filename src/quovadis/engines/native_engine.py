"""The engine for processors with AVX2 or AVX-512: the project's own kernels, which do less arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import check_endpoints
from quovadis.engines.base import EngineOutput, Pixels, StreamOutput, check_clips, check_stream_frames
from quovadis.engines.lifecycle import BaseEngine
from quovadis.engines.native_backend import ComputeBackend, FloatBackend, IntegerBackend
from quovadis.engines.native_library import AMX, Kernels
from quovadis.engines.native_network import NativeNetwork, Positions
from quovadis.engines.processors import check_threads, physical_cores
from quovadis.engines.quantization import Quantization
from quovadis.errors import ArchitectureError
from quovadis.options import Hint
from quovadis.version import __version__


class NativeEngine(BaseEngine):
    """The network computed by Winograd's minimal filtering in the processor's caches, in float32 or int8.

    In float32 logits differ from the direct computation by rounding alone, about 1e-5. Calls from more threads than
    `max_concurrent_clips` wait.
    """

    def __init__(
        self,
        tensors: Mapping[str, NDArray[np.float32]],
        *,
        threads: int | None = None,
        hint: Hint = "latency",
        quantization: Quantization | None = None,
        instruction_set: str = "",
    ) -> None:
        """Transform the weights and start the threads.

        Args:
            tensors: variables by their original names.
            threads: CPU threads to use; None: one per physical core.
            hint: `latency` lets all threads work on one clip, `throughput` each on a clip of its own.
            quantization: what calibration found for `tensors`, to compute in int8; None: float32.
            instruction_set: `amx`, which is AVX-512 too, `avx512` or `avx2`; empty: the best there is.

        Raises:
            EngineError: the kernels cannot run here, or a thread count under 1.
        """
        threads = check_threads(threads) or physical_cores()
        self.max_concurrent_clips = 1 if hint == "latency" else threads
        """How many calls of `run`, from as many threads, make the most of the processor."""
        kernels = [
            Kernels(threads // self.max_concurrent_clips, instruction_set) for _ in range(self.max_concurrent_clips)
        ]
        used = kernels[0].instruction_set
        arithmetic: ComputeBackend
        if quantization is None:
            arithmetic = FloatBackend(tensors)
        else:
            # Whether there are kernels for integers is known now, not at the first clip.
            _ = kernels[0].integers
            arithmetic = IntegerBackend(tensors, quantization, amx=kernels[0].has_amx)
            used += f", {AMX}" if kernels[0].has_amx else ""
        self.description: Mapping[str, str] = {
            "engine": "native",
            "version": __version__,
            "device": f"CPU ({used})",
            "precision": arithmetic.precision,
            **({} if quantization is None else quantization.description),
        }
        """Engine, its version, device and precision; in int8 the calibration's SHA-256."""
        self._workers = [_Worker(arithmetic, each) for each in kernels]
        self._free = _queue_of(self._workers)
        super().__init__()

    def run(self, clips: Pixels, endpoints: str | Sequence[str] = ()) -> EngineOutput:
        """Run the network on `clips`; see `base.Engine.run`."""
        check_clips(clips)
        names = check_endpoints(endpoints)
        steps, maps = [], []
        with self.lend_worker() as worker:
            network = worker.network(clips, names)
            for clip in clips:
                network.restart()
                steps.append(network.push(worker.kernels, clip, is_last=True).steps())
                maps.append(network.feature_maps())
        step_logits, features = (np.stack(values) for values in zip(*steps, strict=True))
        logits = step_logits.mean(axis=1)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return EngineOutput(
            step_logits=step_logits,
            logits=logits,
            probabilities=exponentials / exponentials.sum(axis=1, keepdims=True),
            features=features,
            endpoints={name: np.stack([clip[name] for clip in maps]) for name in names},
        )

    def open_stream(self) -> NativeStream:
        """Begin a video of which each frame is run once; see `base.Engine.open_stream`."""
        self._check_open()
        return NativeStream(self)

    @contextmanager
    def lend_worker(self) -> Iterator[_Worker]:
        """Lend threads for one clip, waiting until some are free."""
        # `close` replaces the queue last: one that was taken before the check has workers.
        free = self._free
        self._check_open()
        worker = free.get()
        try:
            yield worker
        finally:
            free.put(worker)

    def _release(self) -> None:
        # Threads and weights go with the last reference to them, which a call in progress may have.
        self._workers = []
        self._free = _queue_of([])

    def _after_fork(self) -> None:
        # Whoever held some of the workers is not in this process. Their kernels start threads anew by themselves.
        self._free = _queue_of(self._workers)


class _Worker:
    """Threads that work on one clip at a time, with the memory for clips of the last shape."""

    def __init__(self, arithmetic: ComputeBackend, kernels: Kernels) -> None:
        self.arithmetic = arithmetic
        self.kernels = kernels
        self._key: tuple[tuple[int, ...], type[np.generic], tuple[str, ...]] | None = None
        self._network: NativeNetwork | None = None

    def network(self, clips: Pixels, endpoints: tuple[str, ...]) -> NativeNetwork:
        """Return the network for clips of such a length, size and dtype."""
        _, frames, height, width, _ = clips.shape
        key = (frames, height, width), clips.dtype.type, endpoints
        if self._network is None or self._key != key:
            self._network = NativeNetwork(self.arithmetic, (frames, height, width), endpoints, clips.dtype.type)
            self._key = key
        return self._network


def _queue_of(workers: Iterable[_Worker]) -> SimpleQueue[_Worker]:
    queue: SimpleQueue[_Worker] = SimpleQueue()
    for worker in workers:
        queue.put(worker)
    return queue


class NativeStream:
    """One video; see `base.EngineStream`."""

    def __init__(self, engine: NativeEngine) -> None:
        self._engine = engine
        self._network: NativeNetwork | None = None
        self._last: Positions | None = None
        self._ended = False

    def push(self, frames: NDArray[np.uint8], *, is_last: bool = False) -> StreamOutput:
        """Run the next frames; see `base.EngineStream.push`."""
        if self._ended:
            raise ArchitectureError("the stream has had its last frames; open another one")
        check_stream_frames(frames, is_first=self._last is None, is_last=is_last)
        with self._engine.lend_worker() as worker:
            if self._network is None:
                self._network = NativeNetwork(worker.arithmetic)
            positions = self._network.push(worker.kernels, frames, is_last=is_last)
        self._ended = is_last
        if self._last is not None:
            positions = self._last.followed_by(positions)
        self._last = positions.last()
        return StreamOutput(*positions.steps())
