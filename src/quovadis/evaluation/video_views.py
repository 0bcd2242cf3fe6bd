"""The views of a video as the ledger of a run keeps them."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from quovadis.evaluation.protocols import View

_LARGEST = 2**31
"""More than the frames of any video."""


@dataclass(frozen=True, eq=False)
class VideoViews:
    """All that the network said of one video."""

    frames: int
    """Of the video, at the protocol's frame rate."""
    views: tuple[View, ...]
    """In order of clip and crop, at least one."""
    partial: bool = False
    """Whether the video is damaged or cut off, and only what is there of it was looked at."""
    notes: tuple[str, ...] = ()
    """What was unusual about the video, in plain sentences."""


@dataclass(frozen=True)
class VideoViewsCodec:
    """A line of JSON with all but the logits, then all logits."""

    classes: int
    """How many logits a view has."""

    def encode(self, video: VideoViews) -> bytes:
        """Return the views as bytes."""
        views = [(view.clip, view.crop, view.start_frame) for view in video.views]
        logits = np.stack([view.logits for view in video.views]).astype("<f4")
        return json.dumps([video.frames, views, video.partial, video.notes]).encode() + b"\n" + logits.tobytes()

    def decode(self, content: bytes) -> VideoViews:
        """Read what `encode` wrote.

        Raises:
            ValueError: it is something else, or not whole.
        """
        line, _, values = content.partition(b"\n")
        try:
            frames, positions, partial, notes = json.loads(line)
            logits = np.frombuffer(values, np.dtype("<f4")).reshape(len(positions), self.classes).astype(np.float32)
            views = tuple(
                View(int(clip), int(crop), int(start), row)
                for (clip, crop, start), row in zip(positions, logits, strict=True)
            )
            found = VideoViews(int(frames), views, bool(partial), tuple(map(str, notes)))
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise ValueError(f"a result that is damaged: {error}") from error
        numbers = [found.frames, *(number for view in views for number in (view.clip, view.crop, view.start_frame))]
        if not views or not np.isfinite(logits).all():
            raise ValueError("a result without views, or with logits that are no numbers")
        if min(numbers) < 0 or max(numbers) > _LARGEST or len({(view.clip, view.crop) for view in views}) < len(views):
            raise ValueError("a result of frames, clips or crops that cannot be")
        return found
