"""From frames to features, one row at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import tee
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import SHORTEST_FRAMES
from quovadis.engines import Engine, EngineOutput
from quovadis.errors import VideoError
from quovadis.escape import abbreviated, counted_are, shortened
from quovadis.extras import import_extra
from quovadis.inference.dense import TimeStep, dense_steps
from quovadis.inference.feature_options import LAST_ENDPOINT, FeatureOptions
from quovadis.notebook import html_table
from quovadis.values import ArrayValue
from quovadis.video import CountedFrames, Dense, Frame, SourceLike, Video, VideoLimits, open_video, sliding_clips
from quovadis.video.crops import CROPS, Crop, CropConverter
from quovadis.video.geometry import Converter, FrameConverter
from quovadis.video.sampling import nothing_in_span

MAX_HTML_ROWS = 10


@dataclass(frozen=True, eq=False)
class FeatureRow:
    """Features of one window, or of one step in dense mode."""

    start_seconds: float
    end_seconds: float
    values: NDArray[np.float32]
    """Shape channels, or steps or time, channels, or time, height, width, channels, as the pool has it; with an axis of
    crops before these, if there are several."""
    looped: bool = False
    """Whether frames were repeated to fill the window, or in dense mode the step."""


@dataclass(frozen=True, eq=False, repr=False)
class VideoFeatures(ArrayValue):
    """Features of one video."""

    source: str
    values: NDArray[np.float32]
    """Shape windows and that of a row."""
    start_seconds: NDArray[np.float64]
    """Of each window."""
    end_seconds: NDArray[np.float64]
    """Of each window: the time of the frame after it."""
    frames_per_second: float
    """Rate of the frames that windows are counted in; not a number where nothing tells."""
    axes: tuple[str, ...] = ()
    """Names of the axes of `values`, such as windows, crops, channels."""
    notes: tuple[str, ...] = ()
    """Plain sentences on what was unusual."""

    def to_pandas(self) -> Any:
        """Return a pandas `DataFrame` with a row for each window, named by its times, and a column for each value.

        Columns are numbered from 0; where a row has several axes, such as crops and channels, along each of them.

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        pandas = import_extra("pandas", "a table of features")
        rows = pandas.MultiIndex.from_arrays(
            [self.start_seconds, self.end_seconds], names=["start_seconds", "end_seconds"]
        )
        sizes, names = self.values.shape[1:], self.axes[1:] or None
        columns = pandas.MultiIndex.from_product([range(size) for size in sizes], names=names)
        if len(sizes) == 1:
            columns = columns.get_level_values(0)
        return pandas.DataFrame(self.values.reshape(len(self.values), -1), index=rows, columns=columns)

    def _shape(self) -> str:
        named = zip(self.values.shape, self.axes, strict=False)
        return " x ".join(f"{size} {name.removesuffix('s') if size == 1 else name}" for size, name in named)

    def _span(self) -> str:
        return f"{self.start_seconds[0]:.2f}-{self.end_seconds[-1]:.2f} s"

    def __repr__(self) -> str:
        return f"VideoFeatures({shortened(self.source)}: {self._shape() or self.values.shape}, {self._span()})"

    def _repr_html_(self) -> str:
        shown = [
            (f"{start:.2f}", f"{end:.2f}", f"{values.mean():.4g}", f"{values.max():.4g}")
            for start, end, values in zip(
                self.start_seconds[:MAX_HTML_ROWS], self.end_seconds, self.values, strict=False
            )
        ]
        more = len(self.values) - len(shown)
        notes = (*self.notes, *((f"{more} more",) if more else ()))
        return html_table(
            f"{abbreviated(self.source)}: {self._shape()}", ("from (s)", "to (s)", "mean", "largest"), shown, notes
        )


def video_features(
    engine: Engine,
    source: SourceLike,
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
            source=stream.video.name,
            values=np.stack([row.values for row in rows]),
            start_seconds=np.array([row.start_seconds for row in rows]),
            end_seconds=np.array([row.end_seconds for row in rows]),
            frames_per_second=frame_rate(stream.video, options),
            axes=tuple(options.axis_labels()["axes"]),
            notes=(*stream.video.report.notes, *notes),
        )


class FeatureStream(AbstractContextManager["FeatureStream"]):
    """The features of one video, made as they are asked for; iterable once, inside a `with`."""

    def __init__(self, engine: Engine, video: Video, options: FeatureOptions) -> None:
        self.video = video
        """What is read."""
        self.expected = options.sampling.expected(video)
        """How many rows there will be, as far as the header tells; None where it does not."""
        self._rows = feature_rows(engine, video.frames_ahead(), options, name=video.name)

    def __iter__(self) -> Iterator[FeatureRow]:
        return self._rows

    def __exit__(self, *exception: object) -> None:
        self.video.__exit__(None, None, None)


def open_rows(
    engine: Engine,
    source: SourceLike,
    options: FeatureOptions,
    *,
    limits: VideoLimits | None = None,
    allow_partial: bool = False,
) -> FeatureStream:
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
    video = open_video(
        source,
        fps=options.sampling.fps,
        span=options.sampling.span,
        converter=converter_of(options),
        limits=limits,
        allow_partial=allow_partial,
    )
    return FeatureStream(engine, video, options)


def converter_of(options: FeatureOptions) -> Callable[[], Converter]:
    """Return what makes converters of frames: to pixels of shape 224, 224, 3, or of several crops to their regions."""
    several = options.crops > 1
    geometry = replace(options.geometry, crop=None, keep_224=False) if several else options.geometry

    def make() -> Converter:
        whole: Converter
        if options.scaler == "pillow":
            # Imported here: Pillow takes time that most commands have no use for.
            from quovadis.video.pillow import PillowConverter

            whole = PillowConverter(geometry)
        else:
            whole = FrameConverter(geometry)
        return CropConverter(whole, options.crops) if several else whole

    return make


def feature_rows(
    engine: Engine, frames: Iterable[Frame], options: FeatureOptions, *, name: str = "<frames>"
) -> Iterator[FeatureRow]:
    """Yield the features of a video in order of time, at least one row, in memory that does not grow.

    Args:
        engine: the network.
        frames: of one video, in order, as the converter of `converter_of` makes them.
        options: which features.
        name: what errors call the video.

    Raises:
        VideoError: the video is shorter than what the options need.
        EngineError: the device failed.
    """
    counted = CountedFrames(frames)
    made = 0
    dense = options.sampling.clips if isinstance(options.sampling.clips, Dense) else None
    rows = _window_rows(engine, counted, options) if dense is None else _dense_rows(engine, counted, options, dense)
    for row in rows:
        yield row
        made += 1
    if not counted.count:
        raise nothing_in_span(name)
    if not made:
        raise VideoError(
            f"{name}: {counted_are(counted.count, 'frame')} too few: features need {options.shortest_frames}; "
            "take shorter windows, or leave the video out"
        )


def _dense_rows(engine: Engine, frames: CountedFrames, options: FeatureOptions, dense: Dense) -> Iterator[FeatureRow]:
    crops = CROPS[options.crops] if options.crops > 1 else ()
    for steps in _steps_of_crops(engine, frames, crops, dense.chunk_frames):
        # Of a longer video, more frames than that have come before the first step is known.
        looped = frames.count < SHORTEST_FRAMES
        values = np.stack([step.features for step in steps]) if crops else steps[0].features
        yield FeatureRow(steps[0].start_seconds, steps[0].end_seconds, values, looped)


def _steps_of_crops(
    engine: Engine, frames: Iterable[Frame], crops: Sequence[Crop], chunk_frames: int
) -> Iterator[tuple[TimeStep, ...]]:
    """Yield each step of all crops at once; none stands for frames that are not cut into several."""

    def cropped(copy: Iterator[Frame], crop: Crop) -> Iterator[Frame]:
        return (frame._replace(pixels=crop.of(frame.pixels)) for frame in copy)

    # Each crop goes through the network in a stream of its own. They take turns at every step, so that no more frames
    # wait for the last of them than a call takes.
    copies = tee(frames, len(crops)) if crops else ()
    sequences = [cropped(copy, crop) for copy, crop in zip(copies, crops, strict=True)] or [iter(frames)]
    return zip(*(dense_steps(engine, each, chunk_frames=chunk_frames) for each in sequences), strict=True)


def _window_rows(engine: Engine, frames: Iterable[Frame], options: FeatureOptions) -> Iterator[FeatureRow]:
    # All of one length where the length shows in the features' shape.
    clips = sliding_clips(frames, options.windows, equal_lengths=options.pool != "all")
    wanted = () if options.endpoint == LAST_ENDPOINT and options.pool != "none" else (options.endpoint,)
    for clip in clips:
        if options.crops == 1:
            values = _pooled(engine.run(clip.pixels[np.newaxis], wanted), options)
        else:
            # One by one, so that ten take no more memory than one.
            crops = (crop.of(clip.pixels)[np.newaxis] for crop in CROPS[options.crops])
            values = np.stack([_pooled(engine.run(pixels, wanted), options) for pixels in crops])
        yield FeatureRow(clip.start_seconds, clip.end_seconds, values, clip.looped)


def looped_note(rows: int, options: FeatureOptions) -> str:
    """Say why the last of a video's rows was looped."""
    if options.is_dense:
        return f"shorter than {SHORTEST_FRAMES} frames, which make one step: looped"
    if rows == 1:
        return f"shorter than a window: looped to {options.windows.clip_frames} frames"
    return "the last window is not full: its frames were looped"


def frame_rate(video: Video, options: FeatureOptions) -> float:
    """Return the frames a second that windows are counted in, once the video has been read."""
    if options.sampling.fps != "native":
        return float(options.sampling.fps)
    report = video.report
    found = report.frames_decoded / report.seconds_found if report.seconds_found else None
    return video.frames_per_second or found or nan


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
