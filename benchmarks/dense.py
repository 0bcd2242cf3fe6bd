"""Frames a second of dense mode and of windows that slide by 8 frames, in turn on the same threads.

Both make a prediction every 8 frames. Dense mode runs each frame once; sliding windows run each about ten times.

    python benchmarks/dense.py [--seconds 20] [--precision f32] [--chunk 16] [--threads 2]
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from statistics import median

import numpy as np
import openvino as ov

from quovadis import Sampling, load
from quovadis.samples import sample_clip
from quovadis.sampling import open_clips
from quovadis.video import VideoLimits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--precision", choices=("f32", "int8"), default="f32")
    parser.add_argument("--chunk", type=int, default=16)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    frames = _frames(round(25 * arguments.seconds))
    model = load("rgb-scratch", threads=arguments.threads, precision=arguments.precision, calibration_fallback=[frames])
    sampling = Sampling(clip="dense", chunk_frames=arguments.chunk)
    windows = [frames[start : start + 79] for start in range(0, len(frames) - 78, 8)]
    print(f"{platform.processor() or platform.machine()}, {arguments.threads} threads, OpenVINO {ov.get_version()}")
    print(f"{len(frames)} frames, {arguments.precision}, chunks of {arguments.chunk}, {len(windows)} windows")
    list(model.stream(frames[:200], sampling))
    model.run(windows[0][np.newaxis])
    ratios = []
    for _ in range(arguments.rounds):
        start = time.perf_counter()
        steps = sum(1 for _ in model.stream(frames, sampling))
        dense = (time.perf_counter() - start) / steps
        start = time.perf_counter()
        for window in windows[:20]:
            model.run(window[np.newaxis])
        sliding = (time.perf_counter() - start) / len(windows[:20])
        ratios.append(sliding / dense)
        print(f"a prediction: dense {dense:.4f} s ({8 / dense:.0f} frames/s), sliding {sliding:.4f} s", flush=True)
    print(f"dense is {median(ratios):.2f} times as fast ({min(ratios):.2f} to {max(ratios):.2f})")


def _frames(count: int) -> np.ndarray:
    with open_clips(sample_clip(), Sampling(), VideoLimits()) as clips:
        found = np.concatenate([clip.pixels for clip in clips])
    return np.resize(found, (count, *found.shape[1:]))


if __name__ == "__main__":
    main()
