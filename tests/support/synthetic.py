"""Videos made for tests, through PyAV: known colours, moving patterns, every odd format."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

COLOURS = {
    "red": (200, 30, 40),
    "green": (30, 180, 60),
    "blue": (40, 50, 210),
    "gray": (128, 128, 128),
}


PRINT_PEAK = """
import re
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""
"""Prints the peak of a process's own memory in KiB. `getrusage` would count the parent's at the time of the fork."""


def quadrants(width: int, height: int) -> NDArray[np.uint8]:
    """Four fields of known colours: red and green above, blue and gray below. Tells every orientation."""
    picture = np.empty((height, width, 3), np.uint8)
    middle_row, middle_column = height // 2, width // 2
    picture[:middle_row, :middle_column] = COLOURS["red"]
    picture[:middle_row, middle_column:] = COLOURS["green"]
    picture[middle_row:, :middle_column] = COLOURS["blue"]
    picture[middle_row:, middle_column:] = COLOURS["gray"]
    return picture


def moving_squares(frames: int, width: int = 320, height: int = 240) -> Iterable[NDArray[np.uint8]]:
    """A square that wanders over a ramp."""
    ramp = np.linspace(0, 200, width, dtype=np.uint8)
    for number in range(frames):
        picture = np.repeat(np.repeat(ramp[None, :, None], height, 0), 3, 2)
        left, top = (7 * number) % (width - 40), (5 * number) % (height - 40)
        picture[top : top + 40, left : left + 40] = (250, 40, 90)
        yield picture


def write_video(
    path: Path,
    pictures: Iterable[NDArray[np.uint8]],
    *,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    rate: int | Fraction = 25,
    timestamps: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    full_range: bool = False,
    colorspace: int | None = None,
    aspect_ratio: Fraction | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    container_format: str | None = None,
) -> Path:
    """Encode RGB pictures of one size; with `timestamps` their times are these multiples of `time_base`."""
    with av.open(str(path), "w", format=container_format, options=container_options or {}) as container:
        stream = None
        for number, picture in enumerate(pictures):
            if stream is None:
                stream = container.add_stream(codec, rate=rate, options=options or {})
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = pixel_format
                if time_base is not None:
                    stream.codec_context.time_base = time_base
                if full_range:
                    stream.codec_context.color_range = 2
                if colorspace is not None:
                    stream.codec_context.colorspace = colorspace
                if aspect_ratio is not None:
                    stream.codec_context.sample_aspect_ratio = aspect_ratio
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame = frame.reformat(
                format=pixel_format,
                dst_color_range="JPEG" if full_range else "MPEG",
                dst_colorspace=colorspace,
            )
            if timestamps is not None and time_base is not None:
                frame.pts, frame.time_base = timestamps[number], time_base
            else:
                frame.pts, frame.time_base = number, 1 / Fraction(rate)
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode())
    return path


def write_sound(path: Path, seconds: float = 0.5) -> Path:
    """Encode silence."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        samples = np.zeros((1, 1024), np.float32)
        for _ in range(int(seconds * 44100 / 1024)):
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate = 44100
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


# The four numbers a, b, c, d of the display matrix for each way to turn and mirror a picture.
ORIENTATIONS: dict[str, tuple[int, int, int, int]] = {
    "upright": (1, 0, 0, 1),
    "mirrored": (-1, 0, 0, 1),
    "half turn": (-1, 0, 0, -1),
    "upside down mirrored": (1, 0, 0, -1),
    "quarter turn right": (0, 1, -1, 0),
    "quarter turn left": (0, -1, 1, 0),
    "transposed": (0, 1, 1, 0),
    "transposed on the other diagonal": (0, -1, -1, 0),
}


def as_stored(picture: NDArray[np.uint8], orientation: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """Return the stored picture that, shown at (a x + c y, b x + d y), is `picture`: pixel by pixel, by definition."""
    a, b, c, d = orientation
    height, width = picture.shape[:2]
    stored_height, stored_width = (width, height) if a == 0 else (height, width)
    rows, columns = np.mgrid[:stored_height, :stored_width]
    shown_x, shown_y = a * columns + c * rows, b * columns + d * rows
    return np.ascontiguousarray(picture[shown_y - shown_y.min(), shown_x - shown_x.min()])


def set_display_matrix(path: Path, orientation: tuple[int, int, int, int]) -> None:
    """Write the matrix into the track header of an mp4 (ISO/IEC 14496-12, 8.3.2)."""
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd")
    # Version 0: four bytes of version and flags, then 36 bytes up to the matrix.
    start = place + 4 + 4 + 36
    a, b, c, d = (value << 16 for value in orientation)
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
