"""From frames to predictions: of a whole video, and every 8 frames of one that may never end."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import SHORTEST_FRAMES, TEMPORAL_STRIDE
from quovadis.engines import Engine
from quovadis.escape import counted
from quovadis.inference.dense import TimeStep, dense_steps, smooth
from quovadis.results import ClipPrediction, StepPrediction, VideoPrediction, WeightsIdentity
from quovadis.runs.ordered import map_ordered
from quovadis.video import Clip, CountedFrames, Dense, Frame, Sampling, SourceReader, Video, sampled_clips
from quovadis.video.sampling import nothing_in_span


def predict_video(
    engine: Engine,
    weights: WeightsIdentity,
    labels: tuple[str, ...],
    reader: SourceReader,
    sampling: Sampling,
    *,
    on_start: Callable[[int | None], None] | None = None,
    on_clip: Callable[[ClipPrediction], None] | None = None,
) -> VideoPrediction:
    """Return the predictions of a video, in memory that does not grow with its length.

    Args:
        engine: the network.
        weights: which the engine has.
        labels: names of the classes, in output order.
        reader: of the video.
        sampling: which frames become clips.
        on_start: called with the number of clips to expect, None if unknown.
        on_clip: called with each clip's prediction as it is made.

    Raises:
        VideoError: the video cannot be read, is cut off, or exceeds the limits.
        EngineError: the device failed.
    """
    mean = _Mean()
    notes: list[str] = []
    clips: list[ClipPrediction] = []
    with reader.open(fps=sampling.fps, span=sampling.span) as video:
        if on_start is not None:
            on_start(sampling.expected(video))
        if isinstance(sampling.clips, Dense):
            predictions = _dense_predictions(engine, labels, video.frames_ahead(), sampling.clips, mean)
        else:
            sampled = sampled_clips(reader, video, sampling)
            predictions = map_ordered(partial(_predict, engine, labels), sampled, engine.max_concurrent_clips)
        try:
            for clip in predictions:
                clips.append(clip)
                if on_clip is not None:
                    on_clip(clip)
        except KeyboardInterrupt:
            # A live source has no end of its own: stopping it is how its user asks for the result.
            if not (video.live and clips):
                raise
            notes.append("stopped by the user")
    if not clips:
        raise nothing_in_span(video.name)
    if video.dropped_frames:
        notes.append(f"left out, because frames came too fast: {counted(video.dropped_frames, 'frame')}")
    if clips[-1].looped:
        notes.append(_looped_note(clips, sampling))
    return VideoPrediction(
        source=video.name,
        clips=tuple(clips),
        weights=weights,
        engine=engine.description,
        incomplete=reader.incomplete,
        mean_logits=mean.value(),
        notes=(*reader.notes, *notes),
        labels=labels,
    )


def predict_steps(engine: Engine, labels: tuple[str, ...], video: Video, dense: Dense) -> Iterator[StepPrediction]:
    """Yield a prediction every 8 frames of a video, which is closed at the end, in constant memory.

    Args:
        engine: the network.
        labels: names of the classes, in output order.
        video: not yet read.
        dense: how many steps are averaged, and how many frames go through the network in one call.

    Raises:
        VideoError: the video cannot be read, is cut off, exceeds the limits, or ends before the part to be read.
        EngineError: the device failed.
    """
    clock = _CaptureClock()
    recent: deque[NDArray[np.float32]] = deque(maxlen=dense.window_steps)
    with video:
        frames = video.frames_ahead()
        watched = clock.watch(frames) if video.live else frames
        for step in dense_steps(engine, watched, chunk_frames=dense.chunk_frames):
            recent.append(step.logits)
            yield StepPrediction(
                index=step.index,
                start_seconds=step.start_seconds,
                end_seconds=step.end_seconds,
                step_logits=step.logits,
                logits=np.mean(recent, axis=0, dtype=np.float32),
                delay_seconds=clock.delay(step.end_seconds) if video.live else None,
                labels=labels,
            )
    if not recent and not video.live:
        raise nothing_in_span(video.name)


def _dense_predictions(
    engine: Engine, labels: tuple[str, ...], frames: Iterator[Frame], dense: Dense, mean: _Mean
) -> Iterator[ClipPrediction]:
    counter = CountedFrames(frames)
    steps = mean.watch(dense_steps(engine, counter, chunk_frames=dense.chunk_frames))
    for step, logits in smooth(steps, dense.window_steps):
        yield ClipPrediction(
            index=step.index,
            start_seconds=step.start_seconds,
            end_seconds=step.end_seconds,
            frames=min(counter.count, TEMPORAL_STRIDE),
            looped=counter.count < SHORTEST_FRAMES,
            logits=logits,
            features=step.features,
            labels=labels,
        )


def _predict(engine: Engine, labels: tuple[str, ...], clip: Clip) -> ClipPrediction:
    output = engine.run(clip.pixels[np.newaxis])
    return ClipPrediction(
        index=clip.index,
        start_seconds=clip.start_seconds,
        end_seconds=clip.end_seconds,
        frames=clip.frames,
        looped=clip.looped,
        logits=output.logits[0],
        features=output.features[0].mean(axis=0, dtype=np.float32),
        labels=labels,
    )


class _Mean:
    """The mean logits of all steps, taken while they pass."""

    def __init__(self) -> None:
        self._sum: NDArray[np.float64] | None = None
        self._count = 0

    def watch(self, steps: Iterable[TimeStep]) -> Iterator[TimeStep]:
        for step in steps:
            logits = step.logits.astype(np.float64)
            self._sum = logits if self._sum is None else self._sum + logits
            self._count += 1
            yield step

    def value(self) -> NDArray[np.float32] | None:
        return None if self._sum is None else (self._sum / self._count).astype(np.float32)


class _CaptureClock:
    """How long ago a live source's frame was captured: its time against that of the promptest frame so far."""

    def __init__(self) -> None:
        self._start = math.inf

    def watch(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        for frame in frames:
            self._start = min(self._start, time.monotonic() - frame.pts_seconds - frame.duration_seconds)
            yield frame

    def delay(self, seconds: float) -> float:
        return time.monotonic() - self._start - seconds


def _looped_note(clips: Sequence[ClipPrediction], sampling: Sampling) -> str:
    real = "1 frame was" if clips[-1].frames == 1 else f"{clips[-1].frames} frames were"
    if isinstance(sampling.clips, Dense):
        return f"shorter than {SHORTEST_FRAMES} frames, which make one step: looped"
    which = "shorter than a clip" if len(clips) == 1 else "the last clip is not full"
    return f"{which}: its {real} looped to {sampling.clips.clip_frames}"
