"""Open Model Zoo's definition for this model: three clips of 79 frames, scored one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from quovadis.architecture import CLIP_FRAMES
from quovadis.engines import Engine
from quovadis.errors import VideoError
from quovadis.escape import counted_are
from quovadis.evaluation.protocols.protocol import View
from quovadis.video import SourceReader, clips_at
from quovadis.video.converters import OpenModelZooConverter

CLIPS = 3
"""Of a video; `clips_per_video` of the dataset `kinetics-400-frames-79-400`."""


class OpenModelZooProtocol:
    """Three clips of 79 neighbouring frames as found, whose longer side becomes 256, each counted for itself.

    After the accuracy checker of Open Model Zoo: `annotation_converters/action_recognition.py` for the clips,
    `models/public/i3d-rgb-tf/accuracy-check.yml` for the pictures and metrics.
    """

    name = "omz"
    in_order_of_keys = True

    @property
    def settings(self) -> Mapping[str, int | float | str]:
        """Everything that results depend on."""
        return {"protocol": self.name, "clips": CLIPS, "clip_frames": CLIP_FRAMES, "fps": "native"}

    def views(self, video: SourceReader, engine: Engine) -> Iterator[View]:
        """Yield three views."""
        windows = clip_windows(video.count_frames())
        if not windows:
            raise VideoError(
                f"{video.name}: {counted_are(video.frames, 'frame')} too few for the protocol omz, whose third clip "
                "begins with the third frame; leave the video out"
            )
        for clip in clips_at(video, windows, fps="native", converter=OpenModelZooConverter):
            yield View(clip.index, 0, windows[clip.index][0], engine.run(clip.pixels[np.newaxis]).logits[0])


def clip_windows(frames: int) -> list[list[int]]:
    """Return the frames of each clip of a video, by their numbers from 0 (the original counts from 1).

    Clip i begins at i * step with step = max(1, (frames - 79) // 2) and has 79 neighbouring frames; what the video's
    end cuts off is doubled until it is long enough. A video of one or two frames has none at all.
    """
    step = max(1, (frames - CLIP_FRAMES) // (CLIPS - 1))
    windows = []
    for start in range(0, CLIPS * step, step):
        window = list(range(start, min(start + CLIP_FRAMES, frames)))
        if not window:
            return []
        while len(window) < CLIP_FRAMES:
            window = (window * 2)[:CLIP_FRAMES]
        windows.append(window)
    return windows
