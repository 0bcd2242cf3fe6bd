"""One example's pictures: a video, or a folder of extracted frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal, TypeVar

from quovadis.evaluation.extracted import extracted_frames
from quovadis.evaluation.frame_span import select_frames
from quovadis.video import Video, VideoLimits, VideoReport, open_video
from quovadis.video.geometry import Converter, FrameConverter
from quovadis.video.reader import open_images
from quovadis.video.series import FrameSeries

Item = TypeVar("Item")


class Footage:
    """A video that can be opened several times."""

    def __init__(
        self,
        path: Path,
        limits: VideoLimits | None = None,
        check: Callable[[], None] = lambda: None,
        *,
        allow_partial: bool = False,
        span: range | None = None,
    ) -> None:
        """Take where it is; nothing is opened.

        Args:
            path: a video, or a folder of frames: `image_00001.jpg` on, as many as a file `n_frames` says or as there
                are; without such names, the series of frames that their names tell.
            limits: the most pixels, frames and seconds to accept; None: the defaults.
            check: called while a long video is read; ends it by raising.
            allow_partial: take what is there of a damaged or cut-off video.
            span: which frames of a folder of frames, from 0; None: all.
        """
        self.name = str(path)
        """What errors call the video."""
        self._path = path
        self._limits = limits or VideoLimits()
        self._check = check
        self._allow_partial = allow_partial
        self._span = span
        self.frames = 0
        """Frames of the video at the rate it was last opened at; known once they were counted or all read."""
        self._reports: list[VideoReport] = []

    @property
    def partial(self) -> bool:
        """Whether the video turned out damaged or cut off; known once it was all read."""
        return any(report.partial for report in self._reports)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was unusual about the video, in plain sentences; known once it was all read."""
        return tuple(dict.fromkeys(note for report in self._reports for note in report.notes))

    def open(self, *, fps: float | Literal["native"], converter: Callable[[], Converter] = FrameConverter) -> Video:
        """Open the video; extracted frames carry no time and are all kept.

        Raises:
            VideoError: it cannot be opened.
        """
        if self._path.is_dir():
            series = self._series()
            video = open_images(
                self.name,
                series.paths,
                limits=self._limits,
                allow_partial=self._allow_partial,
                converter=converter,
                notes=series.notes,
            )
        else:
            video = open_video(
                self._path, fps=fps, limits=self._limits, allow_partial=self._allow_partial, converter=converter
            )
        # Filled in while the video is read.
        self._reports.append(video.report)
        return video

    def count(self, fps: float | Literal["native"]) -> int:
        """Return the number of frames, which of a video only decoding tells.

        Raises:
            VideoError: the video cannot be read.
        """
        if self._path.is_dir() and not self._allow_partial:
            self.frames = len(self._series().paths)
        else:
            with self.open(fps=fps) as video:
                self.frames = sum(1 for _ in self.watch(video.resampled()))
        return self.frames

    def _series(self) -> FrameSeries:
        series = extracted_frames(self._path, self._limits, allow_partial=self._allow_partial)
        if self._span is None:
            return series
        paths = select_frames(self._path, series.paths, self._span, self._limits, allow_partial=self._allow_partial)
        return series._replace(paths=paths)

    def watch(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield what is read of the video, with a look now and then at whether to go on."""
        for item in items:
            self._check()
            yield item
