"""One source, read as often as a job needs, and what it turned out to hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Unpack

from quovadis.limits import VideoLimits
from quovadis.video.base_source import VideoSource
from quovadis.video.decoder import VideoReport
from quovadis.video.reader import Access, Video, View
from quovadis.video.sampling import FrameRate


class SourceReader:
    """Opens a source under one set of limits and gathers the reports of every reading."""

    def __init__(
        self,
        source: VideoSource,
        limits: VideoLimits | None = None,
        *,
        allow_partial: bool = False,
        threads: int = 0,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Take what is to be read; nothing is opened.

        Args:
            source: of the frames.
            limits: the most pixels, frames and seconds to accept; None: the defaults.
            allow_partial: take what is there of a damaged or cut-off video.
            threads: of the decoder; 0: one for small frames, else as many as FFmpeg sees fit.
            check: called for every frame that is read; ends the reading by raising.
        """
        self.name = source.name
        """What errors call the source."""
        self.frames = 0
        """Frames of the video at the rate that it was last read at; known once they were counted or all read."""
        self._source = source
        self._limits = limits or VideoLimits()
        self._allow_partial = allow_partial
        self._threads = threads
        self._check = check
        self._reports: list[VideoReport] = []

    @property
    def incomplete(self) -> bool:
        """Whether the video turned out damaged or cut off; known once it was all read."""
        return any(report.incomplete for report in self._reports)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was unusual about the video, in plain sentences; known once it was all read."""
        return tuple(dict.fromkeys(note for report in self._reports for note in report.notes))

    def open(self, **view: Unpack[View]) -> Video:
        """Open the source, as `VideoSource.open` says.

        Raises:
            VideoError: it cannot be opened.
        """
        access = Access(limits=self._limits, allow_partial=self._allow_partial)
        if self._threads:
            access["threads"] = self._threads
        video = self._source.open(**view, **access)
        video.check = self._check
        # Filled in while the video is read.
        self._reports.append(video.report)
        return video

    def count_frames(self, fps: FrameRate = "native") -> int:
        """Return the number of frames at a rate, and remember it.

        Raises:
            VideoError: the video cannot be read.
        """
        with self.open(fps=fps) as video:
            self.frames = video.count_frames()
        return self.frames
