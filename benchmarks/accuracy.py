"""How far our logits are from those of DeepMind's own graph, for each length that the oracle holds.

    python benchmarks/accuracy.py

Needs the folder of reference outputs: QUOVADIS_ASSETS, or ../shared.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

import quovadis
from quovadis.video import open_video

ROOT = Path(__file__).resolve().parents[1]
ASSETS = Path(os.environ.get("QUOVADIS_ASSETS", ROOT.parent / "shared"))


def main() -> None:
    with open_video(ASSETS / "assets" / "v_CricketShot_g04_c01_rgb.gif") as video:
        frames = np.stack([frame.pixels for frame in video])
    model = quovadis.load("rgb-scratch")
    print("frames  greatest difference of a logit")
    for count in (16, 64, 79, 87, 159):
        name = "cricket_rgb_scratch" if count == 79 else f"cricket_T{count}_rgb_scratch"
        oracle = np.load(ASSETS / "oracle" / f"{name}.npz")
        output = model.run(frames[np.newaxis, np.arange(count) % len(frames)])
        print(f"{count:6}  {np.abs(output.logits[0] - oracle['logits']).max():.1e}")


if __name__ == "__main__":
    main()
