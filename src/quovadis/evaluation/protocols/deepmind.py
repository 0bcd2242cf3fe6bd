"""The paper's own protocol: the network over the whole video at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import FRAMES_PER_SECOND, MINIMUM_FRAMES, SHORTEST_FRAMES, TEMPORAL_STRIDE
from quovadis.engines import Engine
from quovadis.evaluation.protocols.protocol import View
from quovadis.video import Frame, SourceReader, clips_at
from quovadis.video.sampling import FrameRate

CHUNK_FRAMES = 320
"""Frames of the longest video that goes through the network in one piece; Kinetics has 250."""
_MARGIN = 7
"""Positions in time, of 8 frames, after which what lies before a piece, or after it, is seen no more: position p of the
last layer sees frames 8 p - 47 to 8 p + 54 at most."""


class DeepMindProtocol:
    """All frames at 25 a second, short side 256, centre crop, the network applied convolutionally over all of them.

    "At test time the models are applied convolutionally over the whole video taking 224x224 center crops, and the
    predictions are averaged" (paper, section 4.1). Up to 320 frames go through in one piece, padded as TensorFlow pads
    that length; more go through in pieces that overlap, of which those time steps are taken that the whole video would
    have given. Under 9 frames are looped to 15.
    """

    name = "deepmind"
    in_order_of_keys = False

    def __init__(self, fps: FrameRate = FRAMES_PER_SECOND) -> None:
        """Choose frames a second: other than 25 only for weights that were trained on another rate."""
        self._fps = fps

    @property
    def settings(self) -> Mapping[str, int | float | str]:
        """Everything that results depend on."""
        return {"protocol": self.name, "fps": self._fps, "chunk_frames": CHUNK_FRAMES}

    def views(self, video: SourceReader, engine: Engine) -> Iterator[View]:
        """Yield one view: the whole video."""
        with video.open(fps=self._fps) as frames:
            held = list(islice(frames, CHUNK_FRAMES + 1))
        if len(held) <= CHUNK_FRAMES:
            video.frames = len(held)
            logits = engine.run(_whole(held)[np.newaxis]).logits[0]
        else:
            del held
            logits = _in_pieces(video, engine, self._fps)
        yield View(0, 0, 0, logits)


class Chunk(NamedTuple):
    """A part of a long video."""

    frames: range
    steps: slice
    """Time steps of the piece that are as the whole video would have them, and in no other piece."""


def chunks(frames: int) -> list[Chunk]:
    """Cut a video of more than 320 frames into pieces.

    How TensorFlow pads a layer depends on whether its input is even, so that each piece is as long as the video but for
    a multiple of 8 frames, and begins at one.
    """
    size = CHUNK_FRAMES - (CHUNK_FRAMES - frames) % TEMPORAL_STRIDE
    positions, last = -(-size // TEMPORAL_STRIDE), (frames - size) // TEMPORAL_STRIDE
    result: list[Chunk] = []
    # A step is of two positions.
    done, total = 0, last + positions - 1
    while done < total:
        first = min(max(done - _MARGIN, 0), last)
        end = total if first == last else first + positions - 1 - _MARGIN
        start = first * TEMPORAL_STRIDE
        result.append(Chunk(range(start, start + size), slice(done - first, end - first)))
        done = end
    return result


def _in_pieces(video: SourceReader, engine: Engine, fps: FrameRate) -> NDArray[np.float32]:
    cut = chunks(video.count_frames(fps))
    clips = clips_at(video, [chunk.frames for chunk in cut], fps=fps)
    steps = [
        engine.run(clip.pixels[np.newaxis]).step_logits[0, chunk.steps] for clip, chunk in zip(clips, cut, strict=True)
    ]
    mean: NDArray[np.float32] = np.concatenate(steps).mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean


def _whole(frames: list[Frame]) -> NDArray[np.uint8]:
    count = len(frames) if len(frames) >= MINIMUM_FRAMES else SHORTEST_FRAMES
    return np.stack([frames[index % len(frames)].pixels for index in range(count)])
