"""The public object: weights, class names and an engine, ready to say what happens in a video."""

from __future__ import annotations

import logging
import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import SHORTEST_FRAMES, TEMPORAL_STRIDE
from quovadis.engines import CompiledGraphCache, Engine, EngineOutput, open_engine
from quovadis.engines.base import Pixels
from quovadis.engines.choice import runs_on_torch, why_slower
from quovadis.environment import compiled_graphs_folder
from quovadis.errors import VideoError
from quovadis.inference.dense import TimeStep, dense_steps, smooth
from quovadis.inference.feature_options import FeatureOptions
from quovadis.inference.feature_rows import VideoFeatures, video_features
from quovadis.labels import LABELS_NAME, class_names, labels_origin, numbered_classes
from quovadis.notices import notify_once
from quovadis.options import ModelOptions
from quovadis.precision import quantization_for
from quovadis.progress import DownloadProgress, Notify, ignore_download_progress
from quovadis.results import ClipPrediction, StepPrediction, VideoPrediction, WeightsIdentity
from quovadis.runs.ordered import map_ordered
from quovadis.version import __version__
from quovadis.video import (
    Clip,
    CountedFrames,
    Dense,
    Frame,
    Sampling,
    SourceLike,
    SourceReader,
    VideoLimits,
    VideoSource,
    iterated_video,
    open_video,
    sampled_clips,
    video_source,
)
from quovadis.video.spool import BinaryFile
from quovadis.weights import Weights, load_weights

MAKER_NAMES = ("engine", "version", "device", "calibration", "quovadis")
"""What `Recognizer.maker` has: results of other makers are the same but for rounding."""
_logger = logging.getLogger("quovadis")


class Recognizer:
    """I3D with its weights and class names on an engine; make one with `quovadis.load`."""

    def __init__(self, engine: Engine, weights: WeightsIdentity, labels: tuple[str, ...]) -> None:
        self.engine = engine
        self.weights = weights
        self.labels = labels

    def __repr__(self) -> str:
        described = ", ".join(f"{key}={value}" for key, value in self.engine.description.items())
        return f"Recognizer(weights={self.weights.name}, classes={len(self.labels)}, {described})"

    @property
    def result_settings(self) -> dict[str, str]:
        """What decides results, by name: weights and precision, and in int8 the calibration."""
        description = self.engine.description.items()
        return {"weights_sha256": self.weights.sha256} | {k: v for k, v in description if k not in MAKER_NAMES}

    @property
    def maker(self) -> dict[str, str]:
        """What makes results and does not decide them, by name: engine, its version, device, version of quovadis."""
        description = self.engine.description.items()
        return {k: v for k, v in description if k in MAKER_NAMES} | {"quovadis": __version__}

    def run(self, clips: Pixels, endpoints: Sequence[str] = ()) -> EngineOutput:
        """Run the network on clips as they are: logits by step and by clip, softmax, features, feature maps.

        Args:
            clips: RGB, 0..255, uint8 or float32, shape batch, frames, height, width, 3, with at least 9 frames.
            endpoints: names out of `quovadis.ENDPOINTS` whose feature maps are wanted too.

        Raises:
            ArchitectureError: a shape or dtype that the network cannot take, or an unknown endpoint.
            EngineError: the device failed.
        """
        return self.engine.run(clips, endpoints)

    def classify(
        self,
        source: SourceLike,
        sampling: Sampling | None = None,
        *,
        limits: VideoLimits | None = None,
        allow_partial: bool = False,
        on_start: Callable[[int | None], None] | None = None,
        on_clip: Callable[[ClipPrediction], None] | None = None,
    ) -> VideoPrediction:
        """Say what happens in a video, in memory that does not grow with its length.

        Args:
            source: file, folder of images, address, `camera:0`, or an array: uint8 RGB, shape frames, height, width, 3.
                An array's frames are taken to be at the rate that the sampling asks for. A string may name any of
                these; a `LocalFile` or another `VideoSource` opens no more than its type says.
            sampling: which frames become clips; None: adjoining clips of 79 frames at 25 frames a second.
            limits: the most pixels, frames and seconds to accept; None: the defaults of `VideoLimits`.
            allow_partial: classify what is there of a damaged or cut-off video, instead of refusing it.
            on_start: called with the number of clips to expect, None if unknown.
            on_clip: called with each clip's prediction as it is made.

        Raises:
            VideoError: the video cannot be read, is cut off, or exceeds the limits.
            EngineError: the device failed.
        """
        sampling = sampling or Sampling()
        reader = SourceReader(video_source(source), limits, allow_partial=allow_partial)
        mean = _Mean()
        notes: list[str] = []
        clips: list[ClipPrediction] = []
        with reader.open(fps=sampling.fps, span=sampling.span) as video:
            if on_start is not None:
                on_start(sampling.expected(video))
            if isinstance(sampling.clips, Dense):
                predictions = self._dense_predictions(video.frames_ahead(), sampling.clips, mean)
            else:
                sampled = sampled_clips(reader, video, sampling)
                predictions = map_ordered(self._predict, sampled, self.engine.max_concurrent_clips)
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
            raise VideoError(f"{video.name}: no frame lies in the part of the video that was asked for")
        if video.dropped_frames:
            notes.append(f"{video.dropped_frames} frames came faster than they could be used, and were left out")
        if clips[-1].looped:
            notes.append(_looped_note(clips, sampling))
        return VideoPrediction(
            source=video.name,
            clips=tuple(clips),
            weights=self.weights,
            engine=self.engine.description,
            incomplete=reader.incomplete,
            mean_logits=mean.value(),
            notes=(*reader.notes, *notes),
            labels=self.labels,
        )

    def features(
        self,
        source: SourceLike,
        options: FeatureOptions | None = None,
        *,
        limits: VideoLimits | None = None,
        allow_partial: bool = False,
    ) -> VideoFeatures:
        """Return what the network knows of a video before it names a class: 1024 values for each window, or others.

        Args:
            source: as for `classify`.
            options: which features of which frames; None: `Mixed_5c` pooled over adjoining windows of 79 frames at 25 a
                second.
            limits: the most pixels, frames and seconds to accept; None: the defaults of `VideoLimits`.
            allow_partial: take what is there of a damaged or cut-off video.

        Raises:
            VideoError: the video cannot be read, or is shorter than what the options need.
            EngineError: the device failed.
        """
        return video_features(self.engine, source, options, limits=limits, allow_partial=allow_partial)

    def stream(
        self,
        source: SourceLike | Iterable[NDArray[np.uint8]],
        sampling: Sampling | None = None,
        *,
        limits: VideoLimits | None = None,
        allow_partial: bool = False,
    ) -> Iterator[StepPrediction]:
        """Yield a prediction every 8 frames of a video that may never end, in constant memory.

        Each frame goes through the network once. A step's prediction is known 56 frames after the step's centre, 2.24 s
        at 25 frames a second, and up to `chunk_frames - 8` frames later. Of a live source that comes faster than it can
        be used, the oldest waiting 8 frames are left out whenever 64 wait.

        Args:
            source: as for `classify`, or an iterable of frames: uint8 RGB, shape height, width, 3.
            sampling: rate, part, and a `Dense` of windows and chunks; None: 25 frames a second. Without a `Dense`,
                windows are of 9 steps (79 frames), and chunks of 8 frames.
            limits: the most pixels, frames and seconds to accept; None: the defaults of `VideoLimits`.
            allow_partial: take what is there of a damaged or cut-off video.

        Raises:
            VideoError: the video cannot be read, is cut off, or exceeds the limits.
            EngineError: the device failed.
        """
        sampling = sampling or Sampling()
        dense = sampling.clips if isinstance(sampling.clips, Dense) else Dense(chunk_frames=TEMPORAL_STRIDE)
        if isinstance(source, str | os.PathLike | np.ndarray | VideoSource | bytes | BinaryFile):
            video = open_video(source, fps=sampling.fps, span=sampling.span, limits=limits, allow_partial=allow_partial)
            frames = video.frames_ahead()
        else:
            video = iterated_video(source, sampling.fps)
            frames = iter(video)
        clock = _CaptureClock()
        recent: deque[NDArray[np.float32]] = deque(maxlen=dense.window_steps)
        with video:
            watched = clock.watch(frames) if video.live else frames
            for step in dense_steps(self.engine, watched, chunk_frames=dense.chunk_frames):
                recent.append(step.logits)
                yield StepPrediction(
                    index=step.index,
                    start_seconds=step.start_seconds,
                    end_seconds=step.end_seconds,
                    step_logits=step.logits,
                    logits=np.mean(recent, axis=0, dtype=np.float32),
                    delay_seconds=clock.delay(step.end_seconds) if video.live else None,
                    labels=self.labels,
                )

    def _dense_predictions(self, frames: Iterator[Frame], dense: Dense, mean: _Mean) -> Iterator[ClipPrediction]:
        counter = CountedFrames(frames)
        steps = mean.watch(dense_steps(self.engine, counter, chunk_frames=dense.chunk_frames))
        for step, logits in smooth(steps, dense.window_steps):
            yield ClipPrediction(
                index=step.index,
                start_seconds=step.start_seconds,
                end_seconds=step.end_seconds,
                frames=min(counter.count, TEMPORAL_STRIDE),
                looped=counter.count < SHORTEST_FRAMES,
                logits=logits,
                features=step.features,
                labels=self.labels,
            )

    def _predict(self, clip: Clip) -> ClipPrediction:
        output = self.engine.run(clip.pixels[np.newaxis])
        return ClipPrediction(
            index=clip.index,
            start_seconds=clip.start_seconds,
            end_seconds=clip.end_seconds,
            frames=clip.frames,
            looped=clip.looped,
            logits=output.logits[0],
            features=output.features[0].mean(axis=0, dtype=np.float32),
            labels=self.labels,
        )


def with_makers(settings: Mapping[str, Any], makers: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Return settings that tell what made results: the one maker's names, or of several the list `makers`."""
    if len(makers) == 1:
        return {**settings, **makers[0]}
    return {**{k: v for k, v in settings.items() if k not in MAKER_NAMES}, "makers": [dict(one) for one in makers]}


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


def load(
    weights: ModelOptions | str | os.PathLike[str] = "auto",
    *,
    loaded: Weights | None = None,
    needs_labels: bool = True,
    calibration: Sequence[SourceLike] | None = None,
    calibration_fallback: Sequence[SourceLike] = (),
    notify: Notify | None = None,
    progress: DownloadProgress | None = None,
    **options: Any,
) -> Recognizer:
    """Load weights, from the cache or over the network, and get the network ready to run.

    `load("rgb-scratch", device="cuda")` and `load(ModelOptions("rgb-scratch", device="cuda"))` are the same.

    Args:
        weights: what `ModelOptions.weights` may be, or all options as one value.
        loaded: weights that are loaded already, to take in place of those.
        needs_labels: whether classes have to be named; features need no names, and then
            the classes are numbered, whatever the weights call them.
        calibration: videos or arrays of people at work, on which int8 is calibrated again; the result is cached. None:
            what is cached.
        calibration_fallback: the same, used only if int8 is wanted and nothing is cached.
        notify: called with a line on choices made for the user; None: a warning of the logger `quovadis`.
        progress: called while weights are downloaded.
        options: fields of `ModelOptions`: `labels`, `device`, `engine`, `hint`, `threads`, `precision`; of options
            given as one value they replace those.

    Raises:
        WeightsError: weights that are unavailable or cannot be read.
        LabelsError: class names that cannot be read or do not fit.
        EngineError: no such engine or device, or int8 without any calibration.
        MissingDependencyError: PyTorch is wanted and is not installed.
    """
    notify = notify or _logger.warning
    chosen = replace(weights, **options) if isinstance(weights, ModelOptions) else ModelOptions(weights, **options)
    names = class_names(chosen.labels)
    if loaded is None:
        loaded = load_weights(chosen.weights, notify=notify, progress=progress or ignore_download_progress)
    if names is None and not needs_labels:
        names = numbered_classes(loaded.num_classes)
    if names is None and loaded.known_labels is None:
        notify(
            f"{loaded.source}: the names of its {loaded.num_classes} classes are unknown, so they are called class 0, "
            f"class 1, …; put their names into {LABELS_NAME} beside it, one a line"
        )
    slower = why_slower(chosen.engine, chosen.device)
    if slower is not None:
        notify_once("kernels", f"running on OpenVINO, which takes up to twice as long: {slower}", notify)
    precision = chosen.precision
    if precision == "auto" and runs_on_torch(chosen.engine, chosen.device):
        precision = None
    opened = open_engine(
        loaded.tensors,
        name=chosen.engine,
        device=chosen.device,
        threads=chosen.threads,
        hint=chosen.hint,
        cache=CompiledGraphCache(compiled_graphs_folder()),
        weights_sha256=loaded.sha256,
        floats="f32" if precision == "f32" else "f16" if precision == "f16" else None,
        quantization=quantization_for(loaded, precision or "f32", calibration, calibration_fallback, notify),
    )
    return Recognizer(
        opened, WeightsIdentity(loaded.name, loaded.sha256), loaded.class_names(names, labels_origin(chosen.labels))
    )
