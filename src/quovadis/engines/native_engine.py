"""The engine for processors with AVX2 or AVX-512: the project's own kernels, which do less arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from quovadis.engines.base import EngineOutput, StreamOutput, check_clips, check_endpoints, check_stream_frames
from quovadis.engines.native_library import Kernels, PackedConvolution
from quovadis.engines.native_network import NativeNetwork, Positions, pack_network
from quovadis.engines.processors import physical_cores
from quovadis.errors import ArchitectureError, EngineError
from quovadis.version import __version__


class NativeEngine:
    """The network in float32, computed by Winograd's minimal filtering in the processor's caches.

    Logits differ from the direct computation by rounding alone, about 1e-5. Calls from several threads wait for
    each other.
    """

    def __init__(
        self, tensors: Mapping[str, NDArray[np.float32]], *, threads: int | None = None, instruction_set: str = ""
    ) -> None:
        """Transform the weights and start the threads.

        Args:
            tensors: variables by their original names.
            threads: CPU threads to use; None: one per physical core.
            instruction_set: `avx512` or `avx2`; empty: the best there is.

        Raises:
            EngineError: the kernels cannot run here, or a thread count under 1.
        """
        if threads is not None and threads < 1:
            raise EngineError(f"{threads} threads cannot run anything: ask for 1 or more")
        self._kernels = Kernels(threads or physical_cores(), instruction_set)
        self._packed = pack_network(tensors)
        self._clips: dict[tuple[tuple[int, ...], tuple[str, ...]], NativeNetwork] = {}
        self._lock = Lock()

    @cached_property
    def description(self) -> Mapping[str, str]:
        """Engine, its version, device and precision."""
        device = f"CPU ({self._kernels.instruction_set})"
        return {"engine": "native", "version": __version__, "device": device, "precision": "f32"}

    def run(self, clips: NDArray[np.uint8], endpoints: Sequence[str] = ()) -> EngineOutput:
        """Run the network on `clips`; see `base.Engine.run`."""
        check_clips(clips)
        names = check_endpoints(endpoints)
        steps, maps = [], []
        with self._lock:
            network = self._network(clips.shape[1:4], names)
            for clip in clips:
                network.restart()
                steps.append(network.push(clip, is_last=True).steps())
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

    def _network(self, shape: tuple[int, ...], endpoints: tuple[str, ...]) -> NativeNetwork:
        """Return the network for clips of a shape. Only the last one keeps its memory."""
        key = shape, endpoints
        if key not in self._clips:
            frames, height, width = shape
            self._clips = {key: NativeNetwork(self._kernels, self._packed, (frames, height, width), endpoints)}
        return self._clips[key]

    def open_stream(self) -> NativeStream:
        """Begin a video of which each frame is run once; see `base.Engine.open_stream`."""
        return NativeStream(self._kernels, self._packed, self._lock)


class NativeStream:
    """One video; see `base.EngineStream`."""

    def __init__(self, kernels: Kernels, packed: Mapping[str, PackedConvolution], lock: Lock) -> None:
        self._network = NativeNetwork(kernels, packed)
        self._lock = lock
        self._last: Positions | None = None
        self._ended = False

    def push(self, frames: NDArray[np.uint8], *, is_last: bool = False) -> StreamOutput:
        """Run the next frames; see `base.EngineStream.push`."""
        if self._ended:
            raise ArchitectureError("the stream has had its last frames; open another one")
        check_stream_frames(frames, is_first=self._last is None, is_last=is_last)
        with self._lock:
            positions = self._network.push(frames, is_last=is_last)
        self._ended = is_last
        if self._last is not None:
            positions = self._last.followed_by(positions)
        self._last = positions.last()
        return StreamOutput(*positions.steps())
