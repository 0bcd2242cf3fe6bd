"""The videos of a set, whether they are files, folders of frames or arrays."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quovadis.errors import MetricError, VideoError
from quovadis.escape import abbreviated
from quovadis.faults import unexpected
from quovadis.fields import check_value
from quovadis.video import ArrayFrames, SourceReader, VideoLimits, VideoSource, discover_videos, video_source
from quovadis.video.folders import walk_folders
from quovadis.video.images import natural_key
from quovadis.video.source import STANDARD_INPUT, is_address, local_path

SetInput: TypeAlias = "str | NDArray[Any]"
"""A path, or what a `.npy` file may hold."""
IN_MEMORY = "<array>"


@dataclass(frozen=True)
class SetVideo:
    """One video of a set."""

    name: str
    """Its path in the set, which with the seed decides where random clips start."""
    source: VideoSource
    limits: VideoLimits = field(default_factory=VideoLimits)
    """The most pixels, frames and seconds to accept."""
    allow_partial: bool = False
    """Whether to take what is there of a damaged or cut-off video."""

    def reader(self, check: Callable[[], None] = lambda: None) -> SourceReader:
        """Return what reads the video; `check` is called for every frame, and ends the reading by raising."""
        return SourceReader(self.source, self.limits, allow_partial=self.allow_partial, check=check)


def list_videos(
    source: SetInput | os.PathLike[str], limits: VideoLimits | None = None, *, allow_partial: bool = False
) -> list[SetVideo] | NDArray[np.floating[Any]]:
    """Return the videos that `source` names, or the features that it holds.

    A folder is searched through all its levels for videos, folders of frames, and `.npy` files of videos; a `.npy` file
    holds videos, uint8 of shape N,T,H,W,3 or T,H,W,3, or features, floats of shape N,D. Hidden files and folders do not
    count, nor pictures that lie beside videos or `.npy` files.

    Args:
        source: a path, or an array as a `.npy` file holds it.
        limits: the most pixels, frames and seconds to accept of a video; None: the defaults.
        allow_partial: take what is there of damaged or cut-off videos.

    Returns:
        Videos in natural order of their paths in the folder, or features.

    Raises:
        MetricError: nothing is there, a folder cannot be read, or an array is of another dtype or shape.
    """
    if isinstance(source, np.ndarray):
        return _videos_or_features(IN_MEMORY, IN_MEMORY, source)
    check_value("source", source, str | os.PathLike, MetricError)
    source = os.fspath(source)
    if not source:
        raise MetricError("'': an empty name; give a file or a folder")
    if source == STANDARD_INPUT:
        raise MetricError("-: standard input is no set of videos; give a folder or a file (one of this name is ./-)")
    path = local_path(source)
    if not is_address(source) and not path.exists():
        raise MetricError(f"{source}: no such file or folder")
    if _is_array_file(path):
        return _videos_or_features(path, path.name, _array(path))
    if not path.is_dir():
        return [SetVideo(path.name, video_source(source), limits or VideoLimits(), allow_partial)]
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
            message = f"{error}; give a folder of videos, of folders of frames, or of .npy files"
            raise error.restated(message, MetricError) from error
        videos = []
    except Exception as error:
        raise unexpected(source, error) from error
    beside_arrays = {file.parent for file in arrays}
    for video in videos:
        if video not in beside_arrays:
            name = path.name if video == path else video.relative_to(path).as_posix()
            found[video] = [SetVideo(name, video_source(video), limits or VideoLimits(), allow_partial)]
    return [member for file in sorted(found, key=natural_key) for member in found[file]]


def _videos_or_features(path: Path | str, name: str, array: NDArray[Any]) -> list[SetVideo] | NDArray[np.floating[Any]]:
    if array.ndim == 2 and array.dtype.kind == "f" and array.size:
        return np.array(array)
    return list(_array_members(path, name, array))


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
        reason = abbreviated(str(error), 200)
        raise MetricError(f"{path}: not an array that numpy reads without pickle ({reason})") from error
    return array


def _array_members(path: Path | str, name: str, array: NDArray[Any]) -> Iterator[SetVideo]:
    if array.dtype != np.uint8 or array.ndim not in (4, 5) or array.shape[-1] != 3 or 0 in array.shape:
        raise MetricError(
            f"{path}: an array of {array.dtype} and shape {array.shape}; wanted are videos, uint8 RGB of shape "
            "N,T,H,W,3 or T,H,W,3, or features, floats of shape N,D"
        )
    if array.ndim == 4:
        yield SetVideo(name, ArrayFrames(array, name=str(path)))
        return
    for index, frames in enumerate(array):
        yield SetVideo(f"{name}[{index}]", ArrayFrames(frames, name=f"{path}[{index}]"))
