"""What frames may come from: one type for each kind of source, which says what may be opened."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Any, TextIO, TypeAlias, Unpack

import numpy as np
from numpy.typing import NDArray

from quovadis.errors import VideoError
from quovadis.escape import escaped, shortened
from quovadis.limits import VideoLimits
from quovadis.video.animations import FrameSource, open_animation
from quovadis.video.array import ArrayFrames, is_picture, is_tensor
from quovadis.video.base_source import BaseSource, VideoSource
from quovadis.video.decoder import Decoder
from quovadis.video.file_decoder import FileDecoder
from quovadis.video.fingerprints import path_fingerprint
from quovadis.video.frame_folders import extracted_frames, select_frames
from quovadis.video.images import IMAGE_SUFFIXES, ImageSequence
from quovadis.video.reader import OpenOptions, Video
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
    public_name,
)
from quovadis.video.spool import BinaryFile, SpooledFile

SourceLike: TypeAlias = "VideoSource | str | os.PathLike[str] | bytes | BinaryFile | NDArray[np.uint8] | Iterable[Any]"
"""What a user may give: a `VideoSource`; a string, which names a file, a folder of images, an address, `camera:0`, or
standard input as `-`; a path, which is a local file or folder; the content of a file, as bytes or as an open binary
file; or frames: an array or a tensor, uint8 RGB of shape frames, height, width, 3 (of a tensor also frames, 3, height,
width), or any iterable of such frames or of pictures of Pillow."""


_MAX_PATH_BYTES = 4096


@dataclass(frozen=True)
class _LocalSource(BaseSource):
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

    _is_file = True

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
        return FileDecoder(name, file_instructions(path), limits, allow_partial=allow_partial, threads=threads)


@dataclass(eq=False)
class FileObject(BaseSource):
    """A video that is no file of its own: bytes, or an open binary file, such as a pipe, or a member of an archive.

    An open file is read from where it stands to its end, need not be seekable, and is not closed. All is copied into a
    temporary file when it is first opened, within the limit `max_spooled_bytes`; that file is removed with this object.
    """

    _is_file = True
    content: bytes | bytearray | memoryview | BinaryFile = field(repr=False)
    """The bytes, or what they are read from."""
    name: str = ""
    """What errors call the video; empty: the open file's own name."""

    def __post_init__(self) -> None:
        super().__post_init__()
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
            if _is_path(self.content):
                raise VideoError(
                    f"{shortened(self.content)}: the name of a file in place of its content; give the name as text: "
                    "os.fsdecode(name)"
                )
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
            raise VideoError(
                f"{self.name}: no images in this folder; give a video, or a folder of images "
                "(discover_videos lists the videos of a folder)"
            )
        return series


@dataclass(frozen=True)
class Address(BaseSource):
    """A video that comes over the network; whatever it leads to, no local file is read."""

    address: str
    """Such as `https://…` or `rtsp://…`; a password in it opens the video and is shown nowhere."""

    @property
    def name(self) -> str:
        """What errors and results call the video: its address without the password."""
        return public_name(self.address)

    def __repr__(self) -> str:
        return f"Address({self.name!r})"

    def fingerprint(self) -> str:
        """Return the address without its password: what lies there cannot be told without fetching it."""
        return escaped(self.name)

    def _decoder(self, limits: VideoLimits, *, allow_partial: bool, threads: int) -> FrameSource:
        instructions = network_instructions(self.address)
        return Decoder(self.name, instructions, limits, allow_partial=allow_partial, threads=threads)


@dataclass(frozen=True)
class Camera(BaseSource):
    """A camera of this machine, which has no end of its own."""

    device: str
    """Its number, as text, or what the system calls it, such as `/dev/video3`."""

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


def video_source(given: SourceLike) -> VideoSource:
    """Return the source that a user names: the only place where a string may become a camera or an address.

    Raises:
        VideoError: the name is empty, or it is nothing that frames could come from.
    """
    if isinstance(given, str):
        if given == STANDARD_INPUT:
            return standard_input()
        if given.startswith(CAMERA_PREFIX):
            return Camera(given.removeprefix(CAMERA_PREFIX))
        return Address(given) if is_address(given) else _local(local_path(given), given)
    if isinstance(given, os.PathLike):
        # The paths of a folder that was listed by bytes are bytes.
        return _local(Path(os.fsdecode(given)), os.fsdecode(given))
    if isinstance(given, np.ndarray) or is_tensor(given):
        return ArrayFrames(given)
    if isinstance(given, VideoSource) and not isinstance(given, type):
        return given
    if isinstance(given, bytes | bytearray | memoryview | BinaryFile):
        return FileObject(given)
    if isinstance(given, Iterable) and not isinstance(given, Mapping | Set):
        return ArrayFrames(given, name="<frames>")
    if is_picture(given):
        raise VideoError("a single picture is no video: give a list of pictures")
    raise VideoError(
        f"{type(given).__name__} is no video: give a path, an address, bytes, an open binary file, a VideoSource, or "
        "frames: an array or a tensor of uint8, or an iterable of arrays, tensors or PIL pictures"
    )


def source_name(given: SourceLike) -> str:
    """Return what errors call the source that a user names, whether it is one or not."""
    if isinstance(given, str | os.PathLike):
        return public_name(os.fsdecode(given))
    try:
        return video_source(given).name
    except VideoError:
        return f"<{type(given).__name__}>"


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


def _is_path(content: bytes | bytearray | memoryview) -> bool:
    """Tell whether bytes are the name of something that is there, which no content of a video is."""
    name = bytes(content[:_MAX_PATH_BYTES])
    return 0 < len(name) < _MAX_PATH_BYTES and b"\0" not in name and os.path.lexists(name)


def _check_file(path: Path, name: str) -> None:
    try:
        with path.open("rb") as file:
            if not file.read(1) and path.is_file():
                raise VideoError(f"{name}: empty file")
    except FileNotFoundError as error:
        looks_like_address = re.match(r"[A-Za-z][\w+.-]+:[/\\](?![/\\])", name)
        advice = (
            "; an address needs two slashes after its colon (pathlib.Path removes one)" if looks_like_address else ""
        )
        raise VideoError(f"{name}: no such file{advice}") from error
    except (OSError, ValueError) as error:
        raise VideoError(f"{name}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
