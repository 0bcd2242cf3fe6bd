"""The views of a video as the ledger of a run keeps them."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from quovadis.evaluation.protocols import View


@dataclass(frozen=True, eq=False)
class VideoViews:
    """All that the network said of one video."""

    frames: int
    """Of the video, at the protocol's frame rate."""
    views: tuple[View, ...]
    """In order of clip and crop, at least one."""

    def to_bytes(self) -> bytes:
        """Return a line of JSON with the number of frames and the place of each view, then all logits."""
        places = [(view.clip, view.crop, view.start_frame) for view in self.views]
        logits = np.stack([view.logits for view in self.views]).astype("<f4")
        return json.dumps([self.frames, places]).encode() + b"\n" + logits.tobytes()

    @classmethod
    def from_bytes(cls, stored: bytes) -> VideoViews:
        """Read what `to_bytes` wrote."""
        line, _, values = stored.partition(b"\n")
        frames, places = json.loads(line)
        logits = np.frombuffer(values, np.dtype("<f4")).reshape(len(places), -1).astype(np.float32)
        views = (View(clip, crop, start, row) for (clip, crop, start), row in zip(places, logits, strict=True))
        return cls(int(frames), tuple(views))
