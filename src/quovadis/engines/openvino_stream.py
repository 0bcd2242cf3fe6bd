"""A video run through OpenVINO call by call, the state of one call going into the next without a copy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from quovadis.engines.base import StreamOutput, check_stream_frames
from quovadis.engines.streaming_graph import FRAMES, POSITION_FEATURES, POSITION_LOGITS, StateSlot
from quovadis.errors import ArchitectureError, EngineError
from quovadis.openvino_runtime import CompiledModel, ov, refuse_after_fork

Compile: TypeAlias = Callable[[bool], tuple[CompiledModel, tuple[StateSlot, ...]]]
"""Given whether it is for the last call, returns a compiled graph and its slots."""


class StreamingModels:
    """The compiled graphs, shared by all videos of an engine, each made when it is first needed."""

    def __init__(self, compile_graph: Compile) -> None:
        self._compile = compile_graph
        self._made: dict[bool, tuple[CompiledModel, tuple[StateSlot, ...]]] = {}

    def get(self, is_last: bool) -> tuple[CompiledModel, tuple[StateSlot, ...]]:
        """Return the graph of the last call, or of all others."""
        if is_last not in self._made:
            self._made[is_last] = self._compile(is_last)
        return self._made[is_last]


class OpenVINOStream:
    """One video; see `base.EngineStream`."""

    def __init__(self, models: StreamingModels, device: str, check_open: Callable[[], None]) -> None:
        self._models = models
        self._check_open = check_open
        self._device = device
        compiled, self._slots = models.get(False)
        # Two requests in turn: what one wrote is what the other reads.
        self._requests = [compiled.create_infer_request() for _ in range(2)]
        self._state: dict[str, ov.Tensor] | None = None
        self._position: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
        self._ended = False

    def push(self, frames: NDArray[np.uint8], *, is_last: bool = False) -> StreamOutput:
        """Run the next frames; see `base.EngineStream.push`."""
        refuse_after_fork()
        self._check_open()
        if self._ended:
            raise ArchitectureError("the stream has had its last frames; open another one")
        check_stream_frames(frames, is_first=self._state is None, is_last=is_last)
        request = self._models.get(True)[0].create_infer_request() if is_last else self._requests[0]
        self._requests.reverse()
        try:
            request.set_tensor(FRAMES, ov.Tensor(np.ascontiguousarray(frames[np.newaxis])))
            for name, tensor in self._current_state().items():
                request.set_tensor(name, tensor)
            request.infer()
        except RuntimeError as error:
            raise EngineError(f"{self._device} failed to run {len(frames)} frames: {reason(error)}") from error
        self._ended = is_last
        self._state = {} if is_last else {slot.name: request.get_tensor(f"{slot.name}/next") for slot in self._slots}
        positions = tuple(request.get_tensor(name).data[0].copy() for name in (POSITION_LOGITS, POSITION_FEATURES))
        return self._steps(positions[0], positions[1])

    def _current_state(self) -> dict[str, ov.Tensor]:
        if self._state is not None:
            return self._state
        return {
            slot.name: ov.Tensor(np.zeros((1, slot.shape[0], slot.initial_frames, *slot.shape[1:]), np.float32))
            for slot in self._slots
        }

    def _steps(self, logits: NDArray[np.float32], features: NDArray[np.float32]) -> StreamOutput:
        """Average neighbouring positions: the head's average pool spans two, and everything after it is linear."""
        if self._position is not None:
            logits, features = (np.concatenate(pair) for pair in zip(self._position, (logits, features), strict=True))
        self._position = logits[-1:], features[-1:]
        half = np.float32(0.5)
        return StreamOutput((logits[:-1] + logits[1:]) * half, (features[:-1] + features[1:]) * half)


def reason(error: Exception) -> str:
    """Return the last line of OpenVINO's message: the lines before it are source positions."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
