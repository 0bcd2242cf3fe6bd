"""Frames in, a prediction every 8 frames out: each frame goes through the network once.

The network is defined over lengths of 7 (mod 8) frames; a video of another length is held at its last frame, for 7
frames at most. Shorter than 15 frames, it is looped to 15, which make one step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import DEFAULT_CHUNK_FRAMES, FIRST_FRAMES, SHORTEST_FRAMES, TEMPORAL_STRIDE, check_chunk
from quovadis.engines.base import Engine, StreamOutput
from quovadis.video.frames import Frame


@dataclass(frozen=True, eq=False)
class TimeStep:
    """One time step of the network: the two positions, 8 frames apart, that its head averages."""

    index: int
    start_seconds: float
    end_seconds: float
    """The 8 frames around the step's centre; the first step begins with the video, the last one ends with it."""
    logits: NDArray[np.float32]
    """Shape classes."""
    features: NDArray[np.float32]
    """Shape 1024."""


def dense_steps(
    engine: Engine, frames: Iterable[Frame], *, chunk_frames: int = DEFAULT_CHUNK_FRAMES
) -> Iterator[TimeStep]:
    """Yield the steps of a video of any length as they become known, in constant memory.

    A step is known 56 frames after its centre, 2.24 s at 25 frames a second, because so far ahead its layers look;
    with chunks larger than 8 up to so much later as they are larger.

    Args:
        engine: the network.
        frames: of one video, in order.
        chunk_frames: frames of a call, a multiple of 8.

    Raises:
        ArchitectureError: a chunk of another size.
    """
    check_chunk(chunk_frames)
    waiting: list[Frame] = []
    clock = _Clock()
    stream, wanted = None, FIRST_FRAMES
    for frame in frames:
        clock.tell(frame)
        waiting.append(frame)
        # One frame more than a call takes: the last call must not be empty.
        if len(waiting) <= wanted:
            continue
        stream = stream or engine.open_stream()
        output = stream.push(_pixels(waiting[:wanted]))
        waiting, wanted = waiting[wanted:], chunk_frames
        for logits, features in zip(output.step_logits, output.features, strict=True):
            yield clock.step(logits, features)
    if not waiting:
        return
    if stream is None:
        whole = engine.run(_pixels(_lengthen(waiting))[np.newaxis])
        output = StreamOutput(whole.step_logits[0], whole.features[0])
    else:
        missing = -len(waiting) % TEMPORAL_STRIDE
        output = stream.push(_pixels([*waiting, *waiting[-1:] * missing]), is_last=True)
    for place, (logits, features) in enumerate(zip(output.step_logits, output.features, strict=True), start=1):
        yield clock.step(logits, features, is_last=place == len(output.step_logits))


def smooth(steps: Iterable[TimeStep], window_steps: int) -> Iterator[tuple[TimeStep, NDArray[np.float32]]]:
    """Yield each step with the mean logits of the window around it.

    The window has `window_steps` steps, the step itself in its middle (of an even number, one after it), and is cut
    off at the video's ends.
    """
    ahead = (window_steps - 1) // 2
    behind = window_steps - 1 - ahead
    known: deque[TimeStep] = deque()
    pending = 0
    for step in steps:
        known.append(step)
        pending += 1
        if pending > ahead:
            yield _centred(known, len(known) - pending, behind, ahead)
            pending -= 1
        while len(known) - pending > behind:
            known.popleft()
    while pending:
        yield _centred(known, len(known) - pending, behind, ahead)
        pending -= 1


def _centred(known: Sequence[TimeStep], place: int, behind: int, ahead: int) -> tuple[TimeStep, NDArray[np.float32]]:
    window = list(known)[max(place - behind, 0) : place + ahead + 1]
    mean: NDArray[np.float32] = np.mean([step.logits for step in window], axis=0, dtype=np.float32)
    return known[place], mean


class _Clock:
    """Gives steps their times, remembering those of the frames that are still to be named."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}
        self._frames = self._steps = 0
        self.end_seconds = 0.0

    def tell(self, frame: Frame) -> None:
        # A step begins and ends with frames 4, 12, 20 …; the first one begins with the video.
        if self._frames % TEMPORAL_STRIDE == TEMPORAL_STRIDE // 2 or self._frames == 0:
            self._seconds[self._frames] = frame.pts_seconds
        self._frames += 1
        self.end_seconds = frame.pts_seconds + frame.duration_seconds

    def step(self, logits: NDArray[np.float32], features: NDArray[np.float32], *, is_last: bool = False) -> TimeStep:
        index = self._steps
        self._steps += 1
        start = 0 if index == 0 else TEMPORAL_STRIDE * index + TEMPORAL_STRIDE // 2
        end = TEMPORAL_STRIDE * (index + 1) + TEMPORAL_STRIDE // 2
        start_seconds = self._seconds.pop(start, self.end_seconds)
        end_seconds = self.end_seconds if is_last else self._seconds.get(end, self.end_seconds)
        return TimeStep(index, start_seconds, end_seconds, logits, features)


def _lengthen(frames: list[Frame]) -> list[Frame]:
    """Loop or hold a short video to a length that the network is defined for."""
    if len(frames) < SHORTEST_FRAMES:
        return [frames[place % len(frames)] for place in range(SHORTEST_FRAMES)]
    return [*frames, *frames[-1:] * (-(len(frames) + 1) % TEMPORAL_STRIDE)]


def _pixels(frames: list[Frame]) -> NDArray[np.uint8]:
    return np.stack([frame.pixels for frame in frames])
