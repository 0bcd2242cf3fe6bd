"""What benchmarks run on: clips of a sample video, and videos of any length made of it."""

from __future__ import annotations

from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path

import av
import numpy as np

from quovadis import SlidingWindows
from quovadis.errors import VideoError
from quovadis.video import open_video, sliding_clips

RATE = 25
WIDTH, HEIGHT = 340, 256
"""The size at which Kinetics is commonly kept."""


def sample_frames(video: Path, count: int) -> np.ndarray:
    """Return frames as the network takes them, uint8, shape count, 224, 224, 3; the video repeats."""
    with open_video(video) as opened:
        found = np.concatenate([clip.pixels for clip in sliding_clips(opened, SlidingWindows())])
    return np.resize(found, (count, *found.shape[1:]))


def windows(source: Path, stride: int) -> list[np.ndarray]:
    """Return all windows of 79 frames of a video, or of a folder's videos."""
    found: list[np.ndarray] = []
    for path in sorted(source.iterdir()) if source.is_dir() else [source]:
        try:
            with open_video(path) as opened:
                found += [clip.pixels[:79] for clip in sliding_clips(opened, SlidingWindows(stride=stride))]
        except VideoError as error:
            print(f"left out: {error}")
    return found


def write_minute(video: Path, target: Path) -> None:
    """Encode a minute of H.264 of a video that repeats."""
    with open_video(video) as opened:
        # Small at once: 60 seconds of large frames would not fit into memory.
        pictures = [_resized(frame.pixels) for frame in islice(opened, 60 * RATE)]
    with av.open(str(target), "w") as container:
        stream = container.add_stream("libx264", RATE, options={"preset": "veryfast", "g": "50"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index, pixels in enumerate(islice(cycle(pictures), 60 * RATE)):
            frame = av.VideoFrame.from_ndarray(pixels, format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _resized(pixels: np.ndarray) -> np.ndarray:
    return av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(WIDTH, HEIGHT, "yuv420p").to_ndarray()


def repeat(minute: Path, target: Path, times: int) -> None:
    """Copy a minute's packets so many times."""
    with av.open(str(target), "w") as output:
        stream = None
        for turn in range(times):
            with av.open(str(minute)) as source:
                video = source.streams.video[0]
                if stream is None:
                    stream = output.add_stream_from_template(video)
                offset = round(turn * 60 / video.time_base)
                for packet in source.demux(video):
                    if packet.dts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    packet.stream = stream
                    output.mux(packet)
