"""What frames may come from: one type for each kind of source, which says what may be opened."""

from __future__ import annotations

import os
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Protocol, TextIO, TypeAlias, Unpack, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import FRAMES_PER_SECOND
from quovadis.errors import VideoError
from quovadis.escape import escaped
from quovadis.limits import VideoLimits
from quovadis.video.animations import FrameSource, open_animation
from quovadis.video.array import ArrayDecoder, check_array
from quovadis.video.decoder import Decoder
from quovadis.video.fingerprints import array_fingerprint, path_fingerprint
from quovadis.video.frame_folders import extracted_frames, select_frames
from quovadis.video.geometry import FrameConverter
from quovadis.video.images import IMAGE_SUFFIXES, ImageSequence
from quovadis.video.reader import Access, OpenOptions, Video
from quovadis.video.sampling import WHOLE_VIDEO, FrameRate
from quovadis.video.series import FrameSeries, frame_series
from quovadis.video.signatures import animation_kind, is_video_content
from quovadis.video.source import (
    CAMERA_PREFIX,
    STANDARD_INPUT,
    camera_instructions,
    file_instructions,
    is_address,
    local_path,
    network_instructions,
)
from quovadis.video.spool import BinaryFile, SpooledFile


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


SourceLike: TypeAlias = "VideoSource | str | os.PathLike[str] | bytes | BinaryFile | NDArray[np.uint8]"
"""What a user may give: a `VideoSource`; a string, which names a file, a folder of images, an address, `camera:0`, or
standard input as `-`; a path, which is a local file or folder; the content of a file, as bytes or as an open binary
file; or frames in memory, uint8 RGB of shape frames, height, width, 3."""


class _Source(VideoSource, ABC):
    """What all sources have in common; each says which decoder reads it."""

    @abstractmethod
    def _decoder(self, limits: VideoLimits, *, allow_partial: bool, threads: int) -> FrameSource:
        """Return what gives the source's decoded frames."""

    def open(self, **options: Unpack[OpenOptions]) -> Video:
        """Open the source, as `VideoSource.open` says."""
        limits = options.get("limits") or VideoLimits()
        allow_partial, threads = options.get("allow_partial", False), options.get("threads", 0)
        decoder = self._decoder(limits, allow_partial=allow_partial, threads=threads)
        video = Video(self.name, decoder, is_file=isinstance(self, LocalFile | FileObject), **options)
        video.source = self
        return video

    def count_frames(self, fps: FrameRate = "native", **access: Unpack[Access]) -> int:
        """Return the number of frames at a rate, as `VideoSource.count_frames` says."""
        with self.open(fps=fps, **access) as video:
            return video.count_frames()


@dataclass(frozen=True)
class _LocalSource(_Source):
    path: str | os.PathLike[str]
    """Where it lies; whatever it looks like, no camera and no address."""
    written: str | None = None
    """How the user wrote the path, for messages; None: as it is."""

    @property
    def name(self) -> str:
        """What errors call the source."""
        return os.fspath(self.path) if self.written is None else self.written

    def _checked_path(self) -> Path:
        if not os.fspath(self.path):
            # A `Path` would take it for the current folder.
            raise VideoError(f"{self.name!r}: an empty name; give a video or a folder (is a variable not set?)")
        if "\0" in os.fspath(self.path):
            raise VideoError(f"{self.name}: cannot be read: embedded null byte")
        path = Path(self.path)
        if path.exists() and not path.is_file() and not path.is_dir():
            # Reading it might wait for ever, and gives its content only once.
            raise VideoError(f"{self.name}: a pipe or a device, not a file; open it, and give the open file instead")
        return path

    def fingerprint(self) -> str:
        """Return a digest of the content; of a folder, of the names and contents of its files.

        Raises:
            VideoError: it cannot be read.
        """
        try:
            return path_fingerprint(self._checked_path())
        except OSError as error:
            raise VideoError(f"{error.filename or self.name}: cannot be read: {error.strerror}") from error


@dataclass(frozen=True)
class LocalFile(_LocalSource):
    """A file of this machine: a video, an animation, or an image; never a playlist, which could read other files."""

    def _decoder(self, limits: VideoLimits, *, allow_partial: bool, threads: int) -> FrameSource:
        path, name = self._checked_path(), self.name
        if path.is_dir():
            raise VideoError(f"{name}: a folder, not a file; give the videos in it, or open it as a folder of frames")
        if path.is_file():
            kind = animation_kind(path)
            if kind is not None:
                return open_animation(kind, name, path, limits, allow_partial=allow_partial, threads=threads)
            if path.suffix.lower() in IMAGE_SUFFIXES and not is_video_content(path):
                return ImageSequence(name, [path], limits, allow_partial=allow_partial)
        _check_file(path, name)
        return Decoder(name, file_instructions(path), limits, allow_partial=allow_partial, threads=threads)


@dataclass(eq=False)
class FileObject(_Source):
    """A video that is no file of its own: bytes, or an open binary file, such as a pipe, or a member of an archive.

    An open file is read from where it stands to its end, need not be seekable, and is not closed. All is copied into a
    temporary file when it is first opened, within the limit `max_spooled_bytes`; that file is removed with this object.
    """

    content: bytes | bytearray | memoryview | BinaryFile = field(repr=False)
    """The bytes, or what they are read from."""
    name: str = ""
    """What errors call the video; empty: the open file's own name."""

    def __post_init__(self) -> None:
        own = getattr(self.content, "name", None)
        is_bytes = isinstance(self.content, bytes | bytearray | memoryview)
        self.name = self.name or ("<bytes>" if is_bytes else own if isinstance(own, str) and own else "<file object>")
        self._lock = Lock()
        self._spooled: SpooledFile | None = None
        self._is_begun = False

    def fingerprint(self, limits: VideoLimits | None = None) -> str:
        """Return a digest of the content, as of a file that holds it.

        Args:
            limits: the most bytes to accept, where it has not been opened before; None: the default.

        Raises:
            VideoError: it cannot be read.
            VideoLimitError: it holds more than the limit.
        """
        return self._file(limits or VideoLimits()).fingerprint()

    def _decoder(self, limits: VideoLimits, *, allow_partial: bool, threads: int) -> FrameSource:
        return self._file(limits)._decoder(limits, allow_partial=allow_partial, threads=threads)

    def _file(self, limits: VideoLimits) -> LocalFile:
        with self._lock:
            if self._spooled is None:
                self._spooled = self._copy(limits)
            return LocalFile(self._spooled.path, self.name)

    def _copy(self, limits: VideoLimits) -> SpooledFile:
        if isinstance(self.content, bytes | bytearray | memoryview):
            return SpooledFile(self.name, BytesIO(self.content), limits)
        if self._is_begun:
            raise VideoError(f"{self.name}: was read in part before an error; open it again, and give that")
        self._is_begun = True
        return SpooledFile(self.name, self.content, limits)


@dataclass(frozen=True)
class FrameFolder(_LocalSource):
    """A folder of this machine whose images are a video of 25 frames a second."""

    frames: range | None = None
    """Which of its frames are the video, from 0, one after the other; None: all."""
    extracted: bool = False
    """Whether `n_frames` and the names `image_00001.jpg` and on decide which images count (`extracted_frames`), as in
    the data sets of Open Model Zoo; if not, the series that the names make does (`frame_series`)."""

    def fingerprint(self) -> str:
        """Return what tells the folder from others, and which of its frames are the video."""
        found = super().fingerprint()
        return found if self.frames is None else f"{found} {self.frames.start}:{self.frames.stop}"

    def _decoder(self, limits: VideoLimits, *, allow_partial: bool, threads: int) -> FrameSource:
        folder = self._checked_path()
        if self.extracted:
            series = extracted_frames(folder, limits, allow_partial=allow_partial)
        else:
            series = self._series(folder)
        paths = series.paths
        if self.frames is not None:
            paths = select_frames(folder, paths, self.frames, limits, allow_partial=allow_partial)
        return ImageSequence(
            self.name, paths, limits, allow_partial=allow_partial, notes=series.notes, is_counted=self.extracted
        )

    def _series(self, folder: Path) -> FrameSeries:
        try:
            series = frame_series(folder)
        except OSError as error:
            raise VideoError(f"{error.filename or self.name}: cannot be read: {error.strerror}") from error
        if not series.paths:
            raise VideoError(f"{self.name}: no images in this folder; give a video, or a folder of images or videos")
        return series


@dataclass(frozen=True)
class Address(_Source):
    """A video that comes over the network; whatever it leads to, no local file is read."""

    address: str
    """Such as `https://…` or `rtsp://…`."""

    @property
    def name(self) -> str:
        """What errors call the video."""
        return self.address

    def fingerprint(self) -> str:
        """Return the address: what lies there cannot be told without fetching it."""
        return escaped(self.address)

    def _decoder(self, limits: VideoLimits, *, allow_partial: bool, threads: int) -> FrameSource:
        instructions = network_instructions(self.address)
        return Decoder(self.name, instructions, limits, allow_partial=allow_partial, threads=threads)


@dataclass(frozen=True)
class Camera(_Source):
    """A camera of this machine, which has no end of its own."""

    device: str
    """Its number, or what the system calls it, such as `/dev/video3`."""

    @property
    def name(self) -> str:
        """What errors call the camera."""
        return f"{CAMERA_PREFIX}{self.device}"

    def fingerprint(self) -> str:
        """Return the camera's name: what it shows is never the same."""
        return escaped(self.name)

    def _decoder(self, limits: VideoLimits, *, allow_partial: bool, threads: int) -> FrameSource:
        instructions = camera_instructions(self.device)
        return Decoder(self.name, instructions, limits, allow_partial=allow_partial, threads=threads)


@dataclass(frozen=True, eq=False)
class ArrayFrames(_Source):
    """Frames in memory, or in a file that is mapped to it."""

    frames: NDArray[np.uint8] = field(repr=False)
    """RGB, 0..255, shape frames, height, width, 3."""
    rate: float | None = None
    """Frames a second; None: the rate that is asked for, or 25."""
    name: str = "<array>"
    """What errors call them."""

    def open(self, **options: Unpack[OpenOptions]) -> Video:
        """Open the frames, to which limits do not apply, since they are in memory already.

        Raises:
            VideoError: the array has another dtype or shape, or is empty.
        """
        check_array(self.frames)
        fps, span = options.get("fps", FRAMES_PER_SECOND), options.get("span", WHOLE_VIDEO)
        rate = self.rate or (FRAMES_PER_SECOND if fps == "native" else fps)
        if fps not in ("native", rate):
            return Video(self.name, ArrayDecoder(self.frames, rate), **options)
        first = round(span.start_seconds * rate)
        last = None if span.duration_seconds is None else first + round(span.duration_seconds * rate)
        converter = options.get("converter", FrameConverter)
        is_usual = converter is FrameConverter
        decoder = ArrayDecoder(self.frames[first:last], rate, first, share_memory=is_usual)
        return Video(self.name, decoder, fps="native", converter=converter)

    def fingerprint(self) -> str:
        """Return a digest of the frames."""
        return array_fingerprint(self.frames)

    def _decoder(self, limits: VideoLimits, *, allow_partial: bool, threads: int) -> FrameSource:
        return ArrayDecoder(self.frames, self.rate or FRAMES_PER_SECOND)


def video_source(given: SourceLike) -> VideoSource:
    """Return the source that a user names: the only place where a string may become a camera or an address.

    Raises:
        VideoError: the name is empty.
    """
    if isinstance(given, bytes | bytearray | memoryview | BinaryFile):
        return FileObject(given)
    if isinstance(given, np.ndarray):
        return ArrayFrames(given)
    if not isinstance(given, str):
        return _local(Path(given), os.fspath(given)) if isinstance(given, os.PathLike) else given
    if given == STANDARD_INPUT:
        return standard_input()
    if given.startswith(CAMERA_PREFIX):
        return Camera(given.removeprefix(CAMERA_PREFIX))
    return Address(given) if is_address(given) else _local(local_path(given), given)


def _local(path: Path, written: str) -> LocalFile | FrameFolder:
    return FrameFolder(path, written) if path.is_dir() else LocalFile(path, written)


def standard_input() -> FileObject:
    """Return what is piped into this process: one source, however often it is asked for, since it can be read once.

    Raises:
        VideoError: nothing is: it is a terminal, or closed.
    """
    global _standard_input
    stream = sys.stdin
    if stream is None or stream.closed or stream.isatty():
        raise VideoError("stdin: no video is piped in; give one, as in: quovadis classify - < clip.mp4")
    if _standard_input is None or _standard_input[0] is not stream:
        _standard_input = stream, FileObject(stream.buffer, "stdin")
    return _standard_input[1]


_standard_input: tuple[TextIO, FileObject] | None = None


def open_video(source: SourceLike, **options: Unpack[OpenOptions]) -> Video:
    """Open what a user names, as `video_source` and `VideoSource.open` say."""
    return video_source(source).open(**options)


def iterated_video(images: Iterable[NDArray[np.uint8]], fps: FrameRate) -> Video:
    """Return the frames of an iterable as a video, each taken as it is asked for.

    Args:
        images: uint8 RGB, each of shape height, width, 3; reading raises a VideoError where one is not.
        fps: frames a second, for their times; `native`: 25.
    """
    rate = FRAMES_PER_SECOND if fps == "native" else fps
    return Video("<frames>", ArrayDecoder(images, rate, share_memory=True), fps="native")


def _check_file(path: Path, name: str) -> None:
    try:
        with path.open("rb") as file:
            if not file.read(1) and path.is_file():
                raise VideoError(f"{name}: empty file")
    except FileNotFoundError as error:
        looks_like_address = re.match(r"[A-Za-z][\w+.-]+:[/\\](?![/\\])", name)
        advice = "; an address has two slashes after its colon, of which a Path keeps one" if looks_like_address else ""
        raise VideoError(f"{name}: no such file{advice}") from error
    except (OSError, ValueError) as error:
        raise VideoError(f"{name}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
