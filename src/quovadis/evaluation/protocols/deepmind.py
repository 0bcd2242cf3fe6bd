"""The paper's own protocol: the network over the whole video at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import MINIMUM_FRAMES
from quovadis.dense import SHORTEST_FRAMES, dense_steps
from quovadis.engines import Engine
from quovadis.evaluation.footage import Footage
from quovadis.evaluation.protocols.protocol import Level, View
from quovadis.sampling import FRAMES_PER_SECOND
from quovadis.video import CountedFrames, Frame

WHOLE_FRAMES = 320
"""Frames of the longest video that goes through the network in one piece; Kinetics has 250."""
_CHUNK_FRAMES = 64


class DeepMindProtocol:
    """All frames at 25 a second, short side 256, centre crop, the network applied convolutionally over all of them.

    "At test time the models are applied convolutionally over the whole video taking 224x224 center crops, and the
    predictions are averaged" (paper, section 4.1). Up to 320 frames go through in one piece, padded as TensorFlow pads
    that length; more go through in chunks in dense mode, which is the same where the length is 7 (mod 8), and otherwise
    holds the last frame for up to 7. Under 9 frames are looped to 15.
    """

    name = "deepmind"
    level: Level = "videos"
    in_order_of_keys = False

    @property
    def settings(self) -> Mapping[str, int | float | str]:
        """Everything that results depend on."""
        return {"protocol": self.name, "fps": FRAMES_PER_SECOND, "whole_frames": WHOLE_FRAMES}

    def views(self, footage: Footage, engine: Engine) -> Iterator[View]:
        """Yield one view: the whole video."""
        with footage.open(fps=FRAMES_PER_SECOND) as video:
            frames = footage.watch(video)
            held = list(islice(frames, WHOLE_FRAMES + 1))
            if len(held) <= WHOLE_FRAMES:
                footage.frames = len(held)
                logits = engine.run(_whole(held)[np.newaxis]).logits[0]
            else:
                counted = CountedFrames(chain(held, frames))
                steps = [step.logits for step in dense_steps(engine, counted, chunk_frames=_CHUNK_FRAMES)]
                footage.frames = counted.count
                logits = np.mean(steps, axis=0, dtype=np.float64).astype(np.float32)
        yield View(0, 0, 0, logits)


def _whole(frames: list[Frame]) -> NDArray[np.uint8]:
    count = len(frames) if len(frames) >= MINIMUM_FRAMES else SHORTEST_FRAMES
    return np.stack([frames[place % len(frames)].pixels for place in range(count)])
