"""Frames a second of dense mode and of windows that slide by 8 frames, in turn on the same threads.

Both make a prediction every 8 frames. Dense mode runs each frame once; sliding windows run each about ten times.

    python benchmarks/dense.py [--seconds 60] [--precision f32] [--chunk 16] [--threads 2] [--engine auto]
"""

from __future__ import annotations

import argparse
import os
import time
from statistics import median

import numpy as np
from footage import RATE, sample_frames
from machine import describe

from quovadis import Dense, Sampling, load
from quovadis.samples import sample_clip


def measure(
    frames: np.ndarray, *, precision: str, threads: int, rounds: int, chunk: int = 16, engine: str = "auto"
) -> dict[str, float | str]:
    """Return medians: frames a second of both, and how many times as fast dense mode is, round by round.

    Args:
        frames: uint8, shape frames, 224, 224, 3, with 79 frames or more.
        precision: `f32` or `int8`.
        threads: that compute.
        rounds: how many times both run over all frames.
        chunk: frames that go through the network in one call of dense mode.
        engine: name of the engine.
    """
    model = load("rgb-scratch", threads=threads, precision=precision, engine=engine, calibration_fallback=[frames])
    sampling = Sampling(clips=Dense(chunk_frames=chunk))
    windows = [frames[start : start + 79] for start in range(0, len(frames) - 78, 8)]
    for _ in model.stream(frames[:200], sampling):
        pass
    model.run(windows[0][np.newaxis])
    dense, sliding = [], []
    for _ in range(rounds):
        start = time.perf_counter()
        steps = sum(1 for _ in model.stream(frames, sampling))
        dense.append(8 * steps / (time.perf_counter() - start))
        start = time.perf_counter()
        for window in windows:
            model.run(window[np.newaxis])
        sliding.append(8 * len(windows) / (time.perf_counter() - start))
    ratios = np.array(dense) / sliding
    return {
        "precision": precision,
        "engine": model.engine.description["engine"],
        "dense": median(dense),
        "sliding": median(sliding),
        "ratio": median(ratios),
        "least": min(ratios),
        "greatest": max(ratios),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--precision", choices=("f32", "int8"), default="f32")
    parser.add_argument("--chunk", type=int, default=16)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--engine", default="auto")
    arguments = parser.parse_args()
    print(describe(arguments.threads))
    found = measure(
        sample_frames(sample_clip(), round(RATE * arguments.seconds)),
        precision=arguments.precision,
        threads=arguments.threads,
        rounds=arguments.rounds,
        chunk=arguments.chunk,
        engine=arguments.engine,
    )
    print(f"dense {found['dense']:.0f} frames/s, sliding {found['sliding']:.1f} frames/s")
    print(f"dense is {found['ratio']:.2f} times as fast ({found['least']:.2f} to {found['greatest']:.2f})")


if __name__ == "__main__":
    main()
