"""What a source of frames offers, and what all of them have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Protocol, Unpack, runtime_checkable

from quovadis.errors import VideoError
from quovadis.fields import check_fields, check_values
from quovadis.limits import VideoLimits
from quovadis.video.animations import FrameSource
from quovadis.video.reader import Access, OpenOptions, Video, checked_view
from quovadis.video.sampling import FrameRate


@runtime_checkable
class VideoSource(Protocol):
    """Something that frames come from; it can be opened several times, and opens no more than its type says."""

    @property
    def name(self) -> str:
        """What errors call the source."""
        ...

    def open(self, **options: Unpack[OpenOptions]) -> Video:
        """Open the source for its frames.

        Raises:
            VideoError: the source cannot be opened, or has no frames.
            VideoLimitError: its header declares more than the limits admit.
        """
        ...

    def count_frames(self, fps: FrameRate = "native", **access: Unpack[Access]) -> int:
        """Return the number of frames at a rate, which as a rule only decoding tells.

        Raises:
            VideoError: the source cannot be read.
        """
        ...

    def fingerprint(self) -> str:
        """Return a line that is the same for the same content, wherever it lies."""
        ...


class BaseSource(VideoSource, ABC):
    """What all sources have in common; each says which decoder reads it."""

    _is_file: ClassVar = False
    """Whether it is a file, which may turn out to hold no more than one frame."""

    def __post_init__(self) -> None:
        check_fields(self, VideoError)

    @abstractmethod
    def _decoder(self, limits: VideoLimits, *, allow_partial: bool, threads: int) -> FrameSource:
        """Return what gives the source's decoded frames."""

    def open(self, **options: Unpack[OpenOptions]) -> Video:
        """Open the source, as `VideoSource.open` says."""
        limits = options.get("limits") or VideoLimits()
        allow_partial, threads = options.get("allow_partial", False), options.get("threads", 0)
        check_values(bool, VideoError, allow_partial=allow_partial)
        check_values(VideoLimits, VideoError, limits=limits)
        checked_view(options)
        decoder = self._decoder(limits, allow_partial=allow_partial, threads=threads)
        video = Video(self.name, decoder, is_file=self._is_file, **options)
        video.source = self
        return video

    def count_frames(self, fps: FrameRate = "native", **access: Unpack[Access]) -> int:
        """Return the number of frames at a rate, as `VideoSource.count_frames` says."""
        with self.open(fps=fps, **access) as video:
            return video.count_frames()
