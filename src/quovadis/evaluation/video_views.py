"""The views of a video as the ledger of a run keeps them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quovadis.evaluation.protocols import View
from quovadis.results.codec import pack, readable, unpack

_LARGEST = 2**31
"""More than the frames of any video."""


@dataclass(frozen=True, eq=False)
class VideoViews:
    """All that the network said of one video."""

    frames: int
    """Of the video, at the protocol's frame rate."""
    views: tuple[View, ...]
    """In order of clip and crop, at least one."""
    incomplete: bool = False
    """Whether the video is damaged or cut off, and only what is there of it was looked at."""
    notes: tuple[str, ...] = ()
    """What was unusual about the video, in plain sentences."""


@dataclass(frozen=True)
class VideoViewsCodec:
    """Views, for the ledger of a run."""

    classes: int
    """How many logits a view has."""

    def encode(self, video: VideoViews) -> bytes:
        """Return the views as bytes."""
        views = [(view.clip, view.crop, view.start_frame) for view in video.views]
        logits = np.stack([view.logits for view in video.views])
        return pack([video.frames, views, video.incomplete, video.notes], [logits])

    def decode(self, content: bytes) -> VideoViews:
        """Read what `encode` wrote.

        Raises:
            ValueError: it is something else, or not whole.
        """
        document, arrays = unpack(content)
        with readable():
            frames, positions, incomplete, notes = document
            (logits,) = arrays
            logits = logits.reshape(len(positions), self.classes)
            views = tuple(
                View(int(clip), int(crop), int(start), row)
                for (clip, crop, start), row in zip(positions, logits, strict=True)
            )
            found = VideoViews(int(frames), views, bool(incomplete), tuple(map(str, notes)))
        numbers = [found.frames, *(number for view in views for number in (view.clip, view.crop, view.start_frame))]
        if not views or not np.isfinite(logits).all():
            raise ValueError("a result without views, or with logits that are no numbers")
        if min(numbers) < 0 or max(numbers) > _LARGEST or len({(view.clip, view.crop) for view in views}) < len(views):
            raise ValueError("a result of frames, clips or crops that cannot be")
        return found
