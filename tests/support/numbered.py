"""Videos whose frames carry their numbers, and who sees which: this package, and FFmpeg as the reference.

A number is written as bits, bright or dark cells in a grid of 2 rows and 4 columns, the least significant one top
left, so that it survives every codec and every size of the frame.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from quovadis.video import VideoReport, open_video

WIDTH, HEIGHT = 160, 120
ROWS, COLUMNS = 2, 4
BRIGHT, DARK = 230, 25
UNREADABLE = -1
"""Stands for a frame whose cells are neither bright nor dark."""


def numbered_frame(number: int) -> NDArray[np.uint8]:
    """Return a frame that carries `number` (0 to 255): gray, shape 120, 160."""
    bits = [number >> bit & 1 for bit in range(ROWS * COLUMNS)]
    cells = np.where(np.reshape(bits, (ROWS, COLUMNS)), BRIGHT, DARK).astype(np.uint8)
    return np.kron(cells, np.ones((HEIGHT // ROWS, WIDTH // COLUMNS), np.uint8))


def write_numbered_frames(path: Path, numbers: Sequence[int]) -> Path:
    """Write frames one after the other, 8 bits a pixel, as FFmpeg's `rawvideo` reads them."""
    path.write_bytes(b"".join(numbered_frame(number).tobytes() for number in numbers))
    return path


def read_number(gray: NDArray[np.uint8]) -> int:
    """Return the number that a gray frame of any size carries, or `UNREADABLE`."""
    height, width = gray.shape[0] // ROWS, gray.shape[1] // COLUMNS
    number = 0
    for bit in range(ROWS * COLUMNS):
        top, left = bit // COLUMNS * height, bit % COLUMNS * width
        # The middle of the cell: codecs smear its edges.
        cell = gray[top + height // 4 : top + height * 3 // 4, left + width // 4 : left + width * 3 // 4]
        level = float(cell.mean())
        if abs(level - 128) < 32:
            return UNREADABLE
        number |= (level > 128) << bit
    return number


@dataclass(frozen=True)
class Seen:
    """What a reader of a video saw."""

    numbers: list[int]
    """Of the frames, in order."""
    seconds: list[float]
    """Times of the frames, the first at 0."""


@dataclass(frozen=True)
class Reference:
    """What FFmpeg makes of a video."""

    native: Seen
    at_25: list[int]
    """Numbers of the frames at 25 a second."""


def frames_seen(
    path: Path, fps: float | Literal["native"] = "native", *, threads: int = 0, allow_partial: bool = False
) -> tuple[Seen, VideoReport]:
    """Read a video to its end with this package."""
    numbers: list[int] = []
    seconds: list[Fraction] = []
    read: tuple[object, int] | None = None
    with open_video(path, fps=fps, threads=threads, allow_partial=allow_partial) as video:
        for shown in video.resampled():
            frame = shown.decoded
            if read is None or read[0] is not frame:
                read = frame, read_number(frame.frame.to_ndarray(format="gray"))
            numbers.append(read[1])
            seconds.append(frame.pts_seconds if fps == "native" else Fraction(shown.tick) / Fraction(fps))
    return Seen(numbers, _from_first(seconds)), video.report


def ffmpeg_frames(path: Path) -> Reference:
    """Read a video to its end with FFmpeg: every frame, and `-vf fps=25`."""
    outputs = [path.with_name(f"{path.name}.{part}") for part in ("native", "25", "times")]
    size = f"{WIDTH}x{HEIGHT}"
    run_ffmpeg(
        *("-i", path),
        *("-fps_mode", "passthrough", "-s", size, "-pix_fmt", "gray", "-f", "rawvideo", outputs[0]),
        # What the filter gives: else the command repeats the first frame for as long as the sound is alone.
        *("-vf", "fps=25", "-fps_mode", "passthrough", "-s", size, "-pix_fmt", "gray", "-f", "rawvideo", outputs[1]),
        *("-fps_mode", "passthrough", "-enc_time_base", "-1", "-an", "-sn", "-dn", "-s", "16x16"),
        *("-f", "framecrc", outputs[2]),
        must_succeed=False,
    )
    try:
        native, at_25 = (_numbers_in(output) for output in outputs[:2])
        times = _times_in(outputs[2].read_text(encoding="ascii"))
    finally:
        for output in outputs:
            output.unlink(missing_ok=True)
    return Reference(Seen(native, _from_first(times)), at_25)


def _numbers_in(raw: Path) -> list[int]:
    frames = np.fromfile(raw, np.uint8).reshape(-1, HEIGHT, WIDTH)
    return [read_number(frame) for frame in frames]


def _times_in(framecrc: str) -> list[Fraction]:
    # `#tb 0: 1/12800`, then lines of `stream, dts, pts, duration, size, checksum`.
    lines = framecrc.splitlines()
    base = next(Fraction(line.split(":")[1].strip()) for line in lines if line.startswith("#tb"))
    return [int(line.split(",")[2]) * base for line in lines if not line.startswith("#")]


def _from_first(seconds: Sequence[Fraction]) -> list[float]:
    return [float(second - seconds[0]) for second in seconds]


class NotWritten(Exception):  # noqa: N818 - no fault of ours
    """FFmpeg did not write a file; the message is what it said."""


def run_ffmpeg(*arguments: str | Path, output: Path | None = None, must_succeed: bool = True) -> None:
    """Run FFmpeg on one thread.

    Args:
        arguments: of the command.
        output: what standard output goes to, which is no file that FFmpeg could go back in.
        must_succeed: raise when it fails.

    Raises:
        NotWritten: FFmpeg failed.
    """
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-threads", "1", *map(str, arguments)]
    with Path(output or os.devnull).open("wb") as standard_output:
        done = subprocess.run(command, stdout=standard_output, stderr=subprocess.PIPE, check=False)
    if must_succeed and done.returncode:
        raise NotWritten(done.stderr.decode(errors="replace").strip())
