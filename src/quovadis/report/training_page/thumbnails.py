"""A small picture of a video, for who looks for what is wrong with it."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from quovadis.datasets import example_source
from quovadis.errors import QuovadisError
from quovadis.video import TimeSpan

SIDE = 112
"""Pixels of a thumbnail, half the network's crop."""
_QUALITY = 80
_SECONDS = 1.0
"""Into the video: the first frame of many is black."""


def thumbnail(path: str) -> bytes | None:
    """Return a frame from the first second of a video as the network sees it, as JPEG of 112 x 112 pixels.

    Args:
        path: of a video or a folder of frames.

    Returns:
        None if there is no path, or the video cannot be read: the report names it all the same.
    """
    if not path:
        return None
    pixels = None
    try:
        span = TimeSpan(duration_seconds=_SECONDS)
        with example_source(Path(path)).open(span=span, allow_partial=True) as video:
            for frame in video:
                pixels = frame.pixels
    except QuovadisError:
        # What came before the damage is a picture too.
        pass
    if pixels is None:
        return None
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BOX).save(buffer, "jpeg", quality=_QUALITY)
    return buffer.getvalue()
