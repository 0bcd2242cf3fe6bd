"""Videos that only motion tells apart: for tests of training, and of whether a network looks at time at all.

One light shape on a dark ground moves across, changes its size and turns. In each class one of the three goes one way
from beginning to end, and the two others go up and down again through the same values. So the frames of a video,
without their order, tell next to nothing of its class, and the two classes of a pair are each other played backwards.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from math import cos, pi, sin
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from quovadis.architecture import FRAMES_PER_SECOND
from quovadis.errors import DatasetError
from quovadis.fields import check_path, check_value

MOTION_CLASSES = (
    *("moving left", "moving right"),
    *("growing", "shrinking"),
    *("turning clockwise", "turning counter-clockwise"),
)
"""Names of the classes, in pairs that are each other played backwards."""
_SHAPES = (
    ((-1.0, -0.35), (1.0, -0.35), (1.0, 0.35), (-1.0, 0.35)),
    ((-0.6, -0.45), (1.2, 0.0), (-0.6, 0.45)),
)
"""A bar and an arrow, neither of which looks the same after a quarter turn; a radius of about 1. They are long, since
which way a compact shape turns is hard to see in frames of 32 pixels."""
_FINER = 4
"""Frames are drawn so many times as large, for smooth edges."""


class _Look(NamedTuple):
    """What a video shows, beside how it moves: everything is a share of the frame's side."""

    shape: tuple[tuple[float, float], ...]
    colour: tuple[int, int, int]
    background: tuple[int, int, int]
    centre: tuple[float, float]
    travel: float
    """From one end of the way to the other."""
    radius: float
    growth: float
    """Greatest size over least."""
    angle: float
    turn: float
    """In radians, from one end to the other."""


def write_motion_dataset(
    folder: str | os.PathLike[str],
    *,
    videos_per_class: int,
    frames: int = 64,
    size: int = 256,
    distractors: bool = True,
    seed: int = 0,
) -> Path:
    """Write a folder of videos for each of the six `MOTION_CLASSES`: MP4 files of H.264, 25 frames a second.

    The same arguments give the same frames. Clips should have all frames of a video, since parts of what goes up and
    down go one way; and they should not be mirrored, which makes left of right. 16 frames of 32 pixels are enough to
    learn from, as `scripts/soak_training.py` does.

    Args:
        folder: to write to; made if it is not there.
        videos_per_class: 1 or more.
        frames: of each video, 2 or more.
        size: width and height in pixels, even, 16 or more.
        distractors: whether the two changes that do not tell the class go up and down; if not, there are none, which is
            easier to learn, and frames without their order tell the pair.
        seed: of everything random, 0 or more.

    Returns:
        The folder, which `read_dataset` reads.

    Raises:
        DatasetError: a number that is out of range, or the folder cannot be written.
    """
    folder = check_path("folder", folder, DatasetError)
    check_value("videos_per_class", videos_per_class, int, DatasetError)
    check_value("frames", frames, int, DatasetError)
    check_value("size", size, int, DatasetError)
    check_value("seed", seed, int, DatasetError, at_least=0)
    if videos_per_class < 1 or frames < 2 or size < 16 or size % 2:
        raise DatasetError(
            f"{videos_per_class} videos of {frames} frames of {size} pixels cannot be made: give 1 or more videos of 2 "
            "or more frames, of an even size from 16"
        )
    try:
        for number, name in enumerate(MOTION_CLASSES):
            own = folder / name
            own.mkdir(parents=True, exist_ok=True)
            for video in range(videos_per_class):
                random = np.random.default_rng([seed, number, video])
                _write(
                    own / f"{video:04d}.mp4",
                    motion_frames(number, random, frames=frames, size=size, distractors=distractors),
                )
    except OSError as error:
        raise DatasetError(f"{error.filename or folder}: cannot be written: {error.strerror or error}") from error
    return folder


def motion_frames(
    label: int, random: np.random.Generator, *, frames: int = 64, size: int = 256, distractors: bool = True
) -> Iterator[NDArray[np.uint8]]:
    """Yield the frames of a video, RGB, uint8, shape size, size, 3.

    Args:
        label: index into `MOTION_CLASSES`.
        random: decides everything but the class.
        frames: how many.
        size: width and height in pixels.
        distractors: whether what does not tell the class changes too.

    Raises:
        DatasetError: there is no such class.
    """
    if not 0 <= check_value("label", label, int, DatasetError) < len(MOTION_CLASSES):
        raise DatasetError(f"label must be from 0 to {len(MOTION_CLASSES) - 1}, not {label}", option="label")
    look = _random_look(random)
    ways = [_there_and_back(frames, random) if distractors else np.full(frames, random.random()) for _ in range(3)]
    ramp = np.linspace(0, 1, frames)
    ways[label // 2] = ramp[::-1] if label in (0, 3, 5) else ramp
    for across, growth, turn in zip(*ways, strict=True):
        yield _draw(look, float(across), float(growth), float(turn), size)


def _there_and_back(frames: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Return the values of a ramp, each once, in an order that goes up and down: every other one on the way back."""
    there = np.arange(0, frames, 2)
    back = np.arange(1, frames, 2)[::-1]
    order = np.roll(np.concatenate([there, back]), random.integers(frames))
    return (order[::-1] if random.random() < 0.5 else order) / (frames - 1)


def _random_look(random: np.random.Generator) -> _Look:
    background, colour = random.integers(0, 60, 3), random.integers(160, 256, 3)
    return _Look(
        shape=_SHAPES[random.integers(len(_SHAPES))],
        colour=tuple(colour.tolist()),
        background=tuple(background.tolist()),
        centre=(random.uniform(0.47, 0.53), random.uniform(0.45, 0.55)),
        travel=random.uniform(0.25, 0.32),
        radius=random.uniform(0.24, 0.27),
        growth=random.uniform(1.5, 1.9),
        angle=random.uniform(0, 2 * pi),
        turn=random.uniform(0.8, 1.2) * pi,
    )


def _draw(look: _Look, across: float, growth: float, turn: float, size: int) -> NDArray[np.uint8]:
    side = size * _FINER
    x, y = look.centre[0] + look.travel * (across - 0.5), look.centre[1]
    radius = look.radius * look.growth ** (growth - 0.5)
    angle = look.angle + look.turn * turn
    points = [
        (
            (x + radius * (u * cos(angle) - v * sin(angle))) * side,
            (y + radius * (u * sin(angle) + v * cos(angle))) * side,
        )
        for u, v in look.shape
    ]
    picture = Image.new("RGB", (side, side), look.background)
    ImageDraw.Draw(picture).polygon(points, fill=look.colour)
    return np.asarray(picture.reduce(_FINER))


def _write(path: Path, frames: Iterator[NDArray[np.uint8]]) -> None:
    # One thread, no notes of the encoder's, and none of its looks ahead, which differ from run to run in small frames:
    # the same frames make the same file.
    options = {"crf": "10", "preset": "veryfast", "x264-params": "mbtree=0:weightp=0", "g": "16", "flags": "+bitexact"}
    with av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=round(FRAMES_PER_SECOND), options=options)
        for number, pixels in enumerate(frames):
            if not number:
                stream.height, stream.width = pixels.shape[:2]
                stream.pix_fmt, stream.codec_context.thread_count = "yuv420p", 1
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, round(FRAMES_PER_SECOND))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
