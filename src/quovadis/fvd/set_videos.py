"""The videos of a set, whether they are files, folders of frames or arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quovadis.errors import MetricError, VideoError
from quovadis.faults import unexpected
from quovadis.video import Video, VideoLimits, discover_videos, open_video
from quovadis.video.bilinear import CoordinateMode
from quovadis.video.converters import StretchConverter
from quovadis.video.folders import walk_folders
from quovadis.video.images import natural_key
from quovadis.video.source import is_address, local_path
from quovadis.video.windows import required_frames, select_windows

Clips: TypeAlias = "Iterator[tuple[int, NDArray[np.float32]]]"
"""Numbers of the clips that were asked for, and their pixels: RGB, 0..255, shape frames, 224, 224, 3."""


class SetVideo(Protocol):
    """One video of a set."""

    @property
    def name(self) -> str:
        """What errors and seeds call it: its path in the set."""
        ...

    def count(self) -> int:
        """Return the number of frames."""
        ...

    def clips(self, windows: Sequence[Sequence[int]], centres: CoordinateMode) -> Clips:
        """Yield clips, given by the numbers of their frames; those that the video is too short for are left out."""
        ...


@dataclass(frozen=True)
class FileMember:
    """A video file, or a folder of frames."""

    path: str
    name: str
    limits: VideoLimits = field(default_factory=VideoLimits)
    allow_partial: bool = False

    def count(self) -> int:
        """Return the number of frames, which only decoding tells."""
        with self._open(StretchConverter) as video:
            return sum(1 for _ in video.resampled())

    def clips(self, windows: Sequence[Sequence[int]], centres: CoordinateMode) -> Clips:
        """Yield clips of the video's own frames, stretched."""
        wanted = set(required_frames(windows))
        converter = StretchConverter(centres)
        with self._open(lambda: converter) as video:
            frames = video.frames_where(wanted.__contains__)
            for number, window in select_windows(frames, windows):
                yield number, np.stack([frame.pixels for frame in window])

    def _open(self, converter: Callable[[], StretchConverter]) -> Video:
        return open_video(
            self.path, fps="native", limits=self.limits, allow_partial=self.allow_partial, converter=converter
        )


@dataclass(frozen=True)
class ArrayMember:
    """A video in memory or in a file mapped to it."""

    name: str
    frames: NDArray[np.uint8]
    """RGB, 0..255, shape frames, height, width, 3."""

    def count(self) -> int:
        """Return the number of frames."""
        return len(self.frames)

    def clips(self, windows: Sequence[Sequence[int]], centres: CoordinateMode) -> Clips:
        """Yield clips, stretched."""
        converter = StretchConverter(centres)
        for number, window in enumerate(windows):
            if max(window) < len(self.frames):
                yield number, np.stack([converter.stretch(self.frames[place]) for place in window])


def list_videos(
    source: str, limits: VideoLimits | None = None, *, allow_partial: bool = False
) -> list[SetVideo] | NDArray[np.floating[Any]]:
    """Return the videos that `source` names, or the features that it holds.

    A folder is searched through all its levels for videos, folders of frames, and `.npy` files of videos; a `.npy` file
    holds videos, uint8 of shape N,T,H,W,3 or T,H,W,3, or features, floats of shape N,D. Hidden files and folders do not
    count, nor pictures that lie beside videos or `.npy` files.

    Args:
        source: a path.
        limits: the most pixels, frames and seconds to accept of a video; None: the defaults.
        allow_partial: take what is there of damaged or cut-off videos.

    Returns:
        Videos in natural order of their paths in the folder, or features.

    Raises:
        MetricError: nothing is there, a folder cannot be read, or an array is of another dtype or shape.
    """
    if not source:
        raise MetricError("'': an empty name; give a file or a folder")
    path = local_path(source)
    if not is_address(source) and not path.exists():
        raise MetricError(f"{source}: no such file or folder")
    if _is_array_file(path):
        array = _array(path)
        if array.ndim == 2 and array.dtype.kind == "f" and array.size:
            return np.array(array)
        return list(_array_members(path, path.name, array))
    if not path.is_dir():
        return [FileMember(source, path.name, limits or VideoLimits(), allow_partial)]
    try:
        arrays = list(_array_files(path))
    except OSError as error:
        raise MetricError(f"{error.filename or source}: cannot be read: {error.strerror}") from error
    found: dict[Path, Iterable[SetVideo]] = {
        file: list(_array_members(file, file.relative_to(path).as_posix(), _array(file))) for file in arrays
    }
    try:
        videos = [Path(video) for video in discover_videos(source)]
    except VideoError as error:
        if not found:
            raise MetricError(f"{error}; give a folder of videos, of folders of frames, or of .npy files") from error
        videos = []
    except Exception as error:
        raise unexpected(source, error) from error
    beside_arrays = {file.parent for file in arrays}
    for video in videos:
        if video not in beside_arrays:
            name = path.name if video == path else video.relative_to(path).as_posix()
            found[video] = [FileMember(str(video), name, limits or VideoLimits(), allow_partial)]
    return [member for file in sorted(found, key=natural_key) for member in found[file]]


def _is_array_file(path: Path) -> bool:
    return path.suffix.lower() == ".npy" and path.is_file()


def _array_files(folder: Path) -> Iterator[Path]:
    for here, names in walk_folders(folder):
        yield from (here / name for name in names if _is_array_file(here / name))


def _array(path: Path) -> NDArray[Any]:
    try:
        # Not `np.load`, which would read a `.npz` too, whatever it is called.
        array: NDArray[Any] = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise MetricError(f"{path}: not an array that numpy reads without pickle ({error})") from error
    return array


def _array_members(path: Path, name: str, array: NDArray[Any]) -> Iterator[SetVideo]:
    if array.dtype != np.uint8 or array.ndim not in (4, 5) or array.shape[-1] != 3 or 0 in array.shape:
        raise MetricError(
            f"{path}: an array of {array.dtype} and shape {array.shape}; wanted are videos, uint8 RGB of shape "
            "N,T,H,W,3 or T,H,W,3, or features, floats of shape N,D"
        )
    if array.ndim == 4:
        yield ArrayMember(name, array)
        return
    for place, frames in enumerate(array):
        yield ArrayMember(f"{name}[{place}]", frames)
