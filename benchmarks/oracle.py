"""What DeepMind's own graph computes on the original's sample clip, looped to several lengths."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from quovadis.video import open_video

ROOT = Path(__file__).resolve().parents[1]
ASSETS = Path(os.environ.get("QUOVADIS_ASSETS", ROOT.parent / "shared"))
"""The folder of reference outputs."""

LENGTHS = (16, 64, 79, 87, 159)
"""The numbers of frames for which the oracle holds logits."""


def clip(frames: int = 79) -> np.ndarray:
    """Return the sample looped to so many frames: uint8, shape 1, frames, 224, 224, 3."""
    with open_video(ASSETS / "assets" / "v_CricketShot_g04_c01_rgb.gif") as video:
        pixels = np.stack([frame.pixels for frame in video])
    return pixels[np.newaxis, np.arange(frames) % len(pixels)]


def logits(frames: int = 79) -> np.ndarray:
    """Return the logits of `clip(frames)`, shape 400, with the weights `rgb-scratch`."""
    name = "cricket_rgb_scratch" if frames == 79 else f"cricket_T{frames}_rgb_scratch"
    return np.load(ASSETS / "oracle" / f"{name}.npz")["logits"]
