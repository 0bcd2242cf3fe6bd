"""Which precision the network computes in, and the calibration that 8-bit integers need once for given weights."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import cycle, islice

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import CLIP_FRAMES, FRAMES_PER_SECOND
from quovadis.engines.quantization import (
    CALIBRATION_CLIPS,
    ENOUGH_VIDEOS,
    CalibrationVideo,
    Provenance,
    Quantization,
)
from quovadis.environment import quantization_folder
from quovadis.errors import EngineError
from quovadis.fields import check_value
from quovadis.options import Precision
from quovadis.progress import Notify
from quovadis.runs.executor import video_error
from quovadis.version import __version__
from quovadis.video import SlidingWindows, SourceLike, discover_videos, sliding_clips, video_source
from quovadis.video.augment import augmented
from quovadis.video.sources import source_name
from quovadis.weights import InputSpecification, Weights
from quovadis.weights.input_specification import UNSPECIFIED


def quantization_for(
    weights: Weights,
    precision: Precision,
    calibration: Sequence[SourceLike] | None,
    fallback: Sequence[SourceLike],
    notify: Notify,
) -> Quantization | None:
    """Return what int8 needs, from the cache or found now; None where it computes in floating point.

    A calibration that is kept never changes by itself, because results depend on it: one that was made of few videos is
    used again, with a line that says so each time.

    Args:
        weights: what is quantised.
        precision: `int8`, `f32`, `f16`, or `auto`: int8 if the cache has it.
        calibration: sources to calibrate on again; None: what is cached.
        fallback: sources to calibrate on if nothing is cached and int8 is wanted.
        notify: called with a line when calibration begins, for each source that cannot be used, and on the calibration
            in use.

    Raises:
        EngineError: another precision, or int8 with nothing to calibrate on.
        CacheError: the calibration cannot be kept.
    """
    check_value("precision", precision, Precision, EngineError)
    if precision in ("f32", "f16"):
        return None
    path = quantization_folder() / f"{weights.sha256}.npz"
    cached = None if calibration else Quantization.load(path)
    if cached is not None or precision == "auto":
        _tell(cached, notify)
        return cached
    sources = calibration or fallback
    if not sources:
        raise EngineError(
            "int8 has to be calibrated on real clips once: name some as calibration", option="calibration"
        )
    videos = calibration_videos(sources, notify, weights.input)
    clips = with_views([clip for video in videos for clip in video.clips])
    made_of = _provenance(weights, videos)
    notify(f"calibrating int8 for {weights.name} on {_counted_clips(made_of)}; it is kept for the next time")
    # Imported late: only calibration needs OpenVINO.
    from quovadis.engines.calibration import ActivationMaxima, calibrate

    network = ActivationMaxima(weights.tensors)
    found = replace(calibrate(network.of(clip) for clip in clips), provenance=made_of)
    found.save(path)
    _tell(found, notify)
    return found


@dataclass(frozen=True, eq=False)
class VideoClips:
    """Clips of one video, on which int8 is calibrated."""

    name: str
    clips: list[NDArray[np.uint8]]


def calibration_videos(
    sources: Sequence[SourceLike], notify: Notify, specified: InputSpecification = UNSPECIFIED
) -> list[VideoClips]:
    """Return clips of the first videos of all sources, as many of each as make 12 together.

    They are such as the weights were trained on, as far as it is specified, else of 79 frames at 25 frames a second.
    Sources that cannot be read are passed over with a line, live ones without.

    Raises:
        EngineError: there is no video, or no clip in any.
    """
    videos: list[SourceLike] = []
    for source in sources:
        try:
            videos.extend(discover_videos(source) if isinstance(source, str) else [source])
        except Exception as error:
            notify(f"not used for calibration: {video_error(source_name(source), error)}")
    clip_frames, rate = specified.clip_frames or CLIP_FRAMES, specified.fps or FRAMES_PER_SECOND
    found: list[VideoClips] = []
    missing = CALIBRATION_CLIPS
    for index, video in enumerate(videos):
        # What a short video lacks the later ones give.
        each = -(-missing // (len(videos) - index))
        if each == 0:
            break
        try:
            with video_source(video).open(fps=rate) as opened:
                if not opened.live:
                    windows = sliding_clips(opened.frames_ahead(), SlidingWindows(clip_frames=clip_frames))
                    clips = [clip.pixels[:clip_frames] for clip in islice(windows, each)]
                    found.append(VideoClips(source_name(video), clips))
                    missing -= len(clips)
        except Exception as error:
            notify(f"not used for calibration: {video_error(source_name(video), error)}")
    if missing == CALIBRATION_CLIPS:
        raise EngineError("int8 has to be calibrated once on real clips, but no video is there; give one")
    return [video for video in found if video.clips]


def with_views(clips: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Return 12 clips: those given, and in turn other views of each. The same clips give the same ones."""
    views = cycle([augmented(clip) for clip in clips])
    return [*clips, *(next(next(views)) for _ in range(CALIBRATION_CLIPS - len(clips)))]


def _provenance(weights: Weights, videos: Sequence[VideoClips]) -> Provenance:
    made_of = [
        CalibrationVideo(video.name, len(video.clips), hashlib.sha256(np.stack(video.clips).data).hexdigest())
        for video in videos
    ]
    views = CALIBRATION_CLIPS - sum(video.clips for video in made_of)
    return Provenance(weights.name, tuple(made_of), views, datetime.now(UTC).date().isoformat(), __version__)


def _counted_clips(made_of: Provenance) -> str:
    given = f" ({CALIBRATION_CLIPS - made_of.views}, and {made_of.views} other views of them)" if made_of.views else ""
    return f"{CALIBRATION_CLIPS} clips{given}"


def _tell(used: Quantization | None, notify: Notify) -> None:
    """Say which calibration is in use, and what would make it better."""
    if used is None or used.provenance is None:
        return
    line = f"int8 is calibrated on {used.provenance}"
    if used.provenance.is_small:
        line += f': {ENOUGH_VIDEOS} videos or more are better; calibrate on them once with `calibration=["SOURCE"]`'
    notify(line)
