"""From frames to features, one row at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from math import nan

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import MINIMUM_FRAMES
from quovadis.dense import SHORTEST_FRAMES, dense_steps
from quovadis.engines import Engine, EngineOutput
from quovadis.errors import VideoError
from quovadis.features.options import LAST_ENDPOINT, FeatureOptions
from quovadis.sampling import FRAMES_PER_SECOND, Source, SourceStream, open_frames
from quovadis.video import Clip, CountedFrames, Frame, VideoLimits, clips_from_frames
from quovadis.video.geometry import FrameConverter


@dataclass(frozen=True, eq=False)
class FeatureRow:
    """Features of one window, or of one step in dense mode."""

    start_seconds: float
    end_seconds: float
    values: NDArray[np.float32]
    """Shape channels, or steps or time, channels, or time, height, width, channels, as the pool has it."""
    looped: bool = False
    """Whether frames were repeated to fill the window, or in dense mode the step."""


@dataclass(frozen=True, eq=False)
class VideoFeatures:
    """Features of one video."""

    source: str
    values: NDArray[np.float32] = field(repr=False)
    """Shape windows and that of a row."""
    start_seconds: NDArray[np.float64] = field(repr=False)
    """Of each window."""
    end_seconds: NDArray[np.float64] = field(repr=False)
    """Of each window: the time of the frame after it."""
    frames_per_second: float
    """Rate of the frames that windows are counted in; not a number where nothing tells."""
    notes: tuple[str, ...] = ()
    """Plain sentences on what was unusual."""


def video_features(
    engine: Engine,
    source: Source,
    options: FeatureOptions | None = None,
    *,
    limits: VideoLimits | None = None,
    allow_partial: bool = False,
) -> VideoFeatures:
    """Return the features of a video.

    Args:
        engine: the network.
        source: file, folder of images, address, or frames in memory: uint8 RGB, shape frames, height, width, 3.
        options: which features; None: `Mixed_5c` pooled over adjoining windows of 79 frames at 25 a second.
        limits: the most pixels, frames and seconds to accept; None: the defaults.
        allow_partial: take what is there of a damaged or cut-off video.

    Raises:
        VideoError: the video cannot be read, or is shorter than what the options need.
        EngineError: the device failed.
    """
    options = options or FeatureOptions()
    with open_rows(engine, source, options, limits=limits, allow_partial=allow_partial) as stream:
        rows = list(stream)
        notes = (looped_note(len(rows), options),) if rows[-1].looped else ()
        return VideoFeatures(
            source=stream.name,
            values=np.stack([row.values for row in rows]),
            start_seconds=np.array([row.start_seconds for row in rows]),
            end_seconds=np.array([row.end_seconds for row in rows]),
            frames_per_second=frame_rate(stream, options),
            notes=(*stream.report.notes, *notes),
        )


def open_rows(
    engine: Engine,
    source: Source,
    options: FeatureOptions,
    *,
    limits: VideoLimits | None = None,
    allow_partial: bool = False,
) -> SourceStream[FeatureRow]:
    """Open a video for its features, which are made as they are asked for.

    Args:
        engine: the network.
        source: as for `video_features`.
        options: which features.
        limits: the most pixels, frames and seconds to accept; None: the defaults.
        allow_partial: take what is there of a damaged or cut-off video.

    Raises:
        VideoError: the video cannot be opened, or is an array of another dtype or shape. Taking rows raises what
            `feature_rows` does, and a VideoError where the video is damaged, cut off, or exceeds the limits.
    """
    frames = open_frames(
        source,
        options.sampling,
        limits or VideoLimits(),
        allow_partial=allow_partial,
        converter=lambda: FrameConverter(options.geometry),
    )
    return frames.mapped(feature_rows(engine, frames, options, name=frames.name))


def feature_rows(
    engine: Engine, frames: Iterable[Frame], options: FeatureOptions, *, name: str = "<frames>"
) -> Iterator[FeatureRow]:
    """Yield the features of a video in order of time, at least one row, in memory that does not grow.

    Args:
        engine: the network.
        frames: of one video, in order.
        options: which features.
        name: what errors call the video.

    Raises:
        VideoError: the video is shorter than what the options need.
        EngineError: the device failed.
    """
    counted = CountedFrames(frames)
    made = 0
    for row in _dense_rows(engine, counted, options) if options.is_dense else _window_rows(engine, counted, options):
        yield row
        made += 1
    if not made:
        raise VideoError(
            f"{name}: {counted.count} frames are too few: features need {options.shortest_frames}; "
            "take shorter windows, or leave the video out"
        )


def _dense_rows(engine: Engine, frames: CountedFrames, options: FeatureOptions) -> Iterator[FeatureRow]:
    for step in dense_steps(engine, frames, chunk_frames=options.sampling.chunk_frames):
        # Of a longer video, more frames than that have come before the first step is known.
        looped = frames.count < SHORTEST_FRAMES
        yield FeatureRow(step.start_seconds, step.end_seconds, step.features, looped)


def _window_rows(engine: Engine, frames: Iterable[Frame], options: FeatureOptions) -> Iterator[FeatureRow]:
    sampling = options.sampling
    if options.full_windows:
        clips = full_windows(
            frames,
            clip_frames=sampling.clip_frames,
            stride=sampling.frames_between_clips,
            lookahead_frames=options.lookahead_frames,
        )
    else:
        clips = _clips(frames, options)
    wanted = () if options.endpoint == LAST_ENDPOINT and options.pool != "none" else (options.endpoint,)
    for clip in clips:
        output = engine.run(clip.pixels[np.newaxis], wanted)
        yield FeatureRow(clip.start_seconds, clip.end_seconds, _pooled(output, options), clip.looped)


def _clips(frames: Iterable[Frame], options: FeatureOptions) -> Iterator[Clip]:
    """Yield clips as `classify` takes them; all of one length where the length shows in the features' shape."""
    size = options.sampling.clip_frames
    ends: deque[float] = deque(maxlen=MINIMUM_FRAMES)

    def watched() -> Iterator[Frame]:
        for frame in frames:
            ends.append(frame.seconds + frame.duration_seconds)
            yield frame

    for clip in clips_from_frames(watched(), clip_frames=size, stride=options.sampling.frames_between_clips):
        rest = clip.frames - size
        if rest > 0 and options.pool != "all":
            # Only of the last clip, so that the ends are those of the video's last frames.
            yield replace(clip, pixels=clip.pixels[:size], end_seconds=ends[-1 - rest], frames=size)
        else:
            yield clip


def full_windows(
    frames: Iterable[Frame], *, clip_frames: int, stride: int, lookahead_frames: int = 0
) -> Iterator[Clip]:
    """Yield windows of `clip_frames` frames whose starts lie `stride` frames apart, full ones only.

    Args:
        frames: of one video, in order.
        clip_frames: frames of a window.
        stride: frames from one start to the next.
        lookahead_frames: frames that must follow a window; the first of them tells when the window ends.
    """
    held: deque[Frame] = deque()
    index = skip = 0
    for frame in frames:
        if skip:
            skip -= 1
            continue
        held.append(frame)
        if len(held) < clip_frames + lookahead_frames:
            continue
        pixels = np.stack([held[place].pixels for place in range(clip_frames)])
        last = held[clip_frames - 1]
        end = held[clip_frames].seconds if lookahead_frames else last.seconds + last.duration_seconds
        yield Clip(pixels, index, held[0].seconds, end, clip_frames)
        index += 1
        for _ in range(min(stride, len(held))):
            held.popleft()
        skip = max(stride - clip_frames - lookahead_frames, 0)


def looped_note(rows: int, options: FeatureOptions) -> str:
    """Say why the last of a video's rows was looped."""
    if options.is_dense:
        return f"shorter than {SHORTEST_FRAMES} frames, which make one step: looped"
    if rows == 1:
        return f"shorter than a window: looped to {options.sampling.clip_frames} frames"
    return "the last window is not full: its frames were looped"


def frame_rate(stream: SourceStream[FeatureRow], options: FeatureOptions) -> float:
    """Return the frames a second that windows are counted in, once the video has been read."""
    if options.sampling.fps != "native":
        return float(options.sampling.fps)
    report = stream.report
    found = report.frames_decoded / report.seconds_found if report.seconds_found else None
    return stream.frames_per_second or found or (FRAMES_PER_SECOND if stream.name == "<array>" else nan)


def _pooled(output: EngineOutput, options: FeatureOptions) -> NDArray[np.float32]:
    if options.pool == "none":
        feature_map: NDArray[np.float32] = output.endpoints[options.endpoint][0]
        return feature_map
    if options.endpoint == LAST_ENDPOINT:
        values: NDArray[np.float32] = output.features[0]
    else:
        values = output.endpoints[options.endpoint][0].mean(axis=(1, 2), dtype=np.float32)
    whole: NDArray[np.float32] = values.mean(axis=0, dtype=np.float32)
    return values if options.pool == "space" else whole
