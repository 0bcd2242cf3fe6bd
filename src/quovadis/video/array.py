"""Frames in memory, or made one by one, treated as a video's."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from typing import Any, Unpack, cast

import av
import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import FRAME_SIZE, FRAMES_PER_SECOND
from quovadis.errors import VideoError
from quovadis.faults import mark_as_users
from quovadis.limits import VideoLimits
from quovadis.video.animations import FiniteFrames, FrameSource
from quovadis.video.base_source import BaseSource
from quovadis.video.decoder import VideoReport
from quovadis.video.fingerprints import array_fingerprint
from quovadis.video.frames import DecodedFrame
from quovadis.video.geometry import FrameConverter
from quovadis.video.orientation import UPRIGHT
from quovadis.video.reader import OpenOptions, Video, checked_view

_ARRAY, _FRAME = "frames, height, width, 3", "height, width, 3"


@dataclass(eq=False)
class ArrayFrames(BaseSource):
    """Frames in memory, in a file that is mapped to it, or made one by one.

    Frames are uint8 RGB, 0..255, of any size: of shape height, width, 3 each, or pictures of Pillow. Tensors of PyTorch
    may have their channels first.
    """

    frames: Any = field(repr=False)
    """An array or a tensor of all frames, shape frames, height, width, 3; a list of frames; or any iterable of them. An
    iterator, such as a generator, can be opened only once."""
    rate: float | None = None
    """Frames a second; None: the rate that is asked for, or 25."""
    name: str = "<array>"
    """What errors call them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rate is not None and not 0 < self.rate <= 1000:
            raise VideoError(
                f"{self.rate} frames per second is out of range: give a rate above 0, up to 1000", option="rate"
            )
        self._is_read = False

    def open(self, **options: Unpack[OpenOptions]) -> Video:
        """Open the frames. Limits apply to those of a generator alone, since others are in memory already.

        Raises:
            VideoError: an array has another dtype or shape, or is empty; or a generator was opened before. Reading
                raises one where an item is no frame.
        """
        view = checked_view(options)
        fps, span = view.fps, view.span
        frames = self._opened()
        rate = self.rate or (FRAMES_PER_SECOND if fps == "native" else fps)
        is_once = isinstance(frames, Iterator)
        count = len(frames) if isinstance(frames, Sized) else None
        if fps not in ("native", rate):
            video = Video(self.name, ArrayDecoder(frames, rate, count=count), **options)
        else:
            first = round(span.start_seconds * rate)
            last = None if span.duration_seconds is None else first + round(span.duration_seconds * rate)
            part = frames[first:last] if isinstance(frames, np.ndarray) else islice(frames, first, last)
            if count is not None:
                count = len(range(count)[first:last])
            converter = options.get("converter", FrameConverter)
            # What makes frames one by one may make each in the same memory.
            shares = converter is FrameConverter and not is_once
            decoder = ArrayDecoder(part, rate, first, count=count, share_memory=shares)
            # What is in memory already is not limited; a generator may never end.
            limits = options.get("limits") if is_once else None
            video = Video(self.name, decoder, fps="native", converter=converter, limits=limits)
        # A generator runs in the thread of its user, and no further than its frames are needed.
        video.reads_ahead = not is_once
        return video

    def fingerprint(self) -> str:
        """Return a digest of the frames.

        Raises:
            VideoError: they are no frames, or can be read only once.
        """
        if isinstance(self.frames, Iterator):
            raise VideoError(f"{self.name}: its frames can be read only once, and have no fingerprint; give a list")
        frames = self._opened()
        return array_fingerprint(frames if isinstance(frames, np.ndarray) else np.stack([*map(to_frame, frames)]))

    def _opened(self) -> Iterable[Any]:
        if isinstance(self.frames, np.ndarray) or is_tensor(self.frames):
            return to_frames(self.frames)
        if isinstance(self.frames, Iterator):
            if self._is_read:
                raise VideoError(f"{self.name}: its frames can be read only once; give a list, or open a video file")
            self._is_read = True
            return self._first_and_rest(self.frames)
        if isinstance(self.frames, Sized) and not len(self.frames):
            raise VideoError(f"{self.name}: no frames: the {type(self.frames).__name__} is empty")
        return cast("Iterable[Any]", self.frames)

    def _first_and_rest(self, frames: Iterator[Any]) -> Iterator[Any]:
        is_empty = True
        for frame in frames:
            is_empty = False
            yield frame
        if is_empty:
            kind = type(frames).__name__
            raise VideoError(
                f"{self.name}: no frames: the {kind} is at its end, perhaps because it was read before; give a new one"
            )

    def _decoder(self, limits: VideoLimits, *, allow_partial: bool, threads: int) -> FrameSource:
        return ArrayDecoder(self._opened(), self.rate or FRAMES_PER_SECOND)


class ArrayDecoder(FiniteFrames):
    """Frames that need no decoding; offers what `decoder.Decoder` does."""

    def __init__(
        self,
        frames: Iterable[Any],
        fps: float,
        first: int = 0,
        *,
        count: int | None = None,
        share_memory: bool = False,
    ) -> None:
        """Take the frames.

        Args:
            frames: what `to_frame` takes.
            fps: frames a second, for their times.
            first: index of the first frame, for its time.
            count: how many there are; None: not known.
            share_memory: whether frames of 224x224 are not copied; only where a converter leaves these as they are.
        """
        self._frames = frames
        self._rate = Fraction(fps)
        self._first = first
        self._share_memory = share_memory
        self.frame_count = count
        self.report = VideoReport()

    @property
    def duration_seconds(self) -> float | None:
        """When the last frame ends; None where their number is not known."""
        return None if self.frame_count is None else float((self._first + self.frame_count) / self._rate)

    @property
    def frames_per_second(self) -> float:
        """The rate of the frames."""
        return float(self._rate)

    def frames(self) -> Iterator[DecodedFrame]:
        """Yield every frame as it is asked for.

        Raises:
            VideoError: one is no frame, or has another dtype or shape.
            Exception: whatever the user's own iterable raises.
        """
        for index, given in enumerate(self._given(), start=self._first):
            pixels = np.ascontiguousarray(to_frame(given))
            # FFmpeg may read a little past the end of what it scales: that must be memory of its own.
            shares = self._share_memory and pixels.shape[:2] == (FRAME_SIZE, FRAME_SIZE)
            make = av.VideoFrame.from_numpy_buffer if shares else av.VideoFrame.from_ndarray
            frame = make(pixels, format="rgb24")
            self.report.frames_decoded += 1
            yield DecodedFrame(frame, Fraction(1), UPRIGHT, index / self._rate, 1 / self._rate)

    def _given(self) -> Iterator[Any]:
        """Yield what the user gave; what that raises reaches him as it is, marked as his own."""
        try:
            # Not `yield from`, which would close the user's generator with this one.
            for given in self._frames:  # noqa: UP028
                yield given
        except Exception as error:
            mark_as_users(error)
            raise


def is_tensor(given: object) -> bool:
    """Tell whether something is a tensor of PyTorch, which is not imported for that."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(given, torch.Tensor)


def is_picture(given: object) -> bool:
    """Tell whether something is a picture of Pillow, which is not imported for that."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(given, pillow.Image)


def array_of_tensor(tensor: Any) -> NDArray[Any]:
    """Return a tensor of PyTorch, on whatever device, as an array with its channels last.

    Channels are taken to be first, as torchvision and torchcodec have them, if the axis before height and width has 3
    entries and the last one does not: H,W of frames 3,H,W, T,3,H,W or N,T,3,H,W. Of five axes it may also be the
    second, N,3,T,H,W, as networks have it.

    Args:
        tensor: of any shape and dtype; floats that arrays do not have, such as bfloat16, become float32.
    """
    plain = tensor.detach().cpu()
    try:
        array: NDArray[Any] = plain.numpy()
    except TypeError:
        array = plain.float().numpy()
    if array.ndim > 2 and array.shape[-1] != 3:
        axis = 1 if array.ndim == 5 and array.shape[1] == 3 and array.shape[2] != 3 else -3
        if array.shape[axis] == 3:
            array = np.moveaxis(array, axis, -1)
    return array


def to_frames(given: Any) -> NDArray[np.uint8]:
    """Return the frames of a video: uint8 RGB, 0..255, shape frames, height, width, 3.

    Args:
        given: these as an array, or as a tensor, which may have its channels first: frames, 3, height, width.

    Raises:
        VideoError: another dtype or shape, or no frames; with what was given and what is wanted.
    """
    return _rgb(given, _ARRAY)


def to_frame(given: Any) -> NDArray[np.uint8]:
    """Return one frame: uint8 RGB, 0..255, shape height, width, 3.

    Args:
        given: this as an array, as a tensor, which may have its channels first, or as a picture of Pillow.

    Raises:
        VideoError: something else, with what was given and what is wanted.
    """
    if is_picture(given):
        if given.mode.startswith(("I", "F")):
            raise VideoError(f'a picture of the mode "{given.mode}" has no 8-bit values: scale it to 0..255 first')
        return np.asarray(given.convert("RGB"))
    if isinstance(given, str | os.PathLike):
        raise VideoError("a list of paths is several videos, not one: classify_many(paths) classifies each")
    return _rgb(given, _FRAME)


def _rgb(given: Any, layout: str) -> NDArray[np.uint8]:
    wanted = f"frames in memory must be uint8 RGB of shape {layout}"
    if is_tensor(given):
        shape, dtype = tuple(given.shape), str(given.dtype).removeprefix("torch.")
        array = array_of_tensor(given)
    elif hasattr(given, "__array__"):
        array = np.asarray(given)
        shape, dtype = array.shape, str(array.dtype)
    else:
        raise VideoError(f"{wanted}, not {type(given).__name__}")
    if dtype != "uint8" or array.ndim != layout.count(",") + 1 or array.shape[-1] != 3:
        raise VideoError(f"{wanted}, not {dtype} of shape {shape}{_advice(shape, dtype, layout)}")
    if 0 in shape:
        raise VideoError(f"{wanted}; this array, of shape {shape}, is empty")
    return array


def _advice(shape: tuple[int, ...], dtype: str, layout: str) -> str:
    """Return how to make frames of what is nearly these."""
    axes = layout.count(",") + 1
    if dtype != "uint8":
        return ": give values of 0 to 255 as uint8; of floats of 0 to 1, (255 * frames).astype(numpy.uint8)"
    if len(shape) == axes + 1:
        return ": several videos; give each to classify, or all to classify_many"
    if len(shape) == axes and shape[-1] == 1:
        return ": grey, so repeat the channel: frames.repeat(3, -1)"
    if len(shape) == axes and shape[-1] == 4:
        return ": leave alpha out: frames[..., :3]"
    if len(shape) == axes and shape[-3] == 3:
        return f": channels come last: frames.transpose({'0, 2, 3, 1' if axes == 4 else '1, 2, 0'})"
    if len(shape) == axes == 4 and shape[0] == 3:
        return ": channels come last: move the first axis to the end"
    if len(shape) == axes - 1:
        is_picture = axes == 4 and shape[-1] == 3
        return ": a single frame; give frame[None]" if is_picture else ": grey, so give numpy.stack([frames] * 3, -1)"
    return ""
