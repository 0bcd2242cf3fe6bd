"""Which precision the network computes in, and the calibration that 8-bit integers need once for given weights."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import CLIP_FRAMES
from quovadis.engines.quantization import CALIBRATION_CLIPS, Quantization
from quovadis.environment import quantization_folder
from quovadis.errors import EngineError
from quovadis.options import Precision
from quovadis.progress import Notify
from quovadis.runs.executor import video_error
from quovadis.video import SlidingWindows, SourceLike, discover_videos, sliding_clips, video_source
from quovadis.weights import Weights


def quantization_for(
    weights: Weights,
    precision: Precision,
    calibration: Sequence[SourceLike] | None,
    fallback: Sequence[SourceLike],
    notify: Notify,
) -> Quantization | None:
    """Return what int8 needs, from the cache or found now; None where it computes in floating point.

    Args:
        weights: what is quantised.
        precision: `int8`, `f32`, `f16`, or `auto`: int8 if the cache has it.
        calibration: sources to calibrate on again; None: what is cached.
        fallback: sources to calibrate on if nothing is cached and int8 is wanted.
        notify: called with a line when calibration begins, and for each source that cannot be used.

    Raises:
        EngineError: another precision, or int8 with nothing to calibrate on.
        MissingDependencyError: NNCF is needed and not installed.
        CacheError: the calibration cannot be kept.
    """
    if precision not in get_args(Precision):
        raise EngineError(
            f'no precision is called "{precision}"; there are {", ".join(get_args(Precision))}', option="precision"
        )
    if precision in ("f32", "f16"):
        return None
    path = quantization_folder() / f"{weights.sha256}.npz"
    cached = None if calibration else Quantization.load(path)
    if cached is not None or precision == "auto":
        return cached
    sources = calibration or fallback
    if not sources:
        raise EngineError(
            "int8 has to be calibrated on real clips once: name some as calibration", option="calibration"
        )
    notify("calibrating 8-bit integers on these videos; it is kept for the next time")
    # Imported late: only calibration needs OpenVINO and NNCF.
    from quovadis.engines.calibration import calibrate
    from quovadis.engines.openvino_graph import build_graph

    clips = list(islice(calibration_clips(sources, notify), CALIBRATION_CLIPS))
    found = calibrate(weights.tensors, build_graph, clips)
    found.save(path)
    return found


def calibration_clips(sources: Sequence[SourceLike], notify: Notify) -> Iterator[NDArray[np.uint8]]:
    """Yield clips of 79 frames of each source in turn, as many of each as make 12 together.

    Sources that cannot be read are passed over with a line, live ones without.

    Raises:
        EngineError: there is no source.
    """
    videos: list[SourceLike] = []
    for source in sources:
        try:
            videos.extend(discover_videos(source) if isinstance(source, str) else [source])
        except Exception as error:
            notify(f"not used for calibration: {video_error(_name(source), error)}")
    if not videos:
        raise EngineError("int8 has to be calibrated once on real clips, but no video is there; give one")
    each = -(-CALIBRATION_CLIPS // len(videos))
    for video in videos:
        try:
            with video_source(video).open() as opened:
                if not opened.live:
                    clips = sliding_clips(opened.frames_ahead(), SlidingWindows())
                    yield from (clip.pixels[:CLIP_FRAMES] for clip in islice(clips, each))
        except Exception as error:
            notify(f"not used for calibration: {video_error(_name(video), error)}")


def _name(source: SourceLike) -> str:
    return os.fspath(source) if isinstance(source, str | os.PathLike) else video_source(source).name
