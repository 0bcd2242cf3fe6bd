"""How far int8 is from float32: every window of a folder of videos, and every step of each video in dense mode.

Calibrated on every third window, 12 at most.

    python benchmarks/int8_agreement.py FOLDER [--stride 40] [--engine auto]
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
from footage import windows

from quovadis import Dense, Recognizer, Sampling, load
from quovadis.errors import VideoError


def measure(folder: Path, *, stride: int, threads: int, engine: str = "auto") -> dict[str, dict[str, float]]:
    """Compare int8 with float32 on the same engine, for `clips` and for `dense`."""
    clips = windows(folder, stride)
    exact = load("rgb-scratch", threads=threads, engine=engine)
    quantized = load("rgb-scratch", threads=threads, engine=engine, precision="int8", calibration=clips[::3])
    pairs = {
        "clips": [_clips(model, clips) for model in (exact, quantized)],
        "dense": [_steps(model, folder) for model in (exact, quantized)],
    }
    return {name: _compare(*pair) for name, pair in pairs.items()}


def _clips(model: Recognizer, clips: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([model.run(clip[np.newaxis]).probabilities for clip in clips])


def _steps(model: Recognizer, folder: Path) -> np.ndarray:
    """Return the probabilities of all windows of 9 steps, such as `classify --dense` prints."""
    found = []
    for path in sorted(folder.iterdir()):
        try:
            found += [clip.logits for clip in model.classify(path, Sampling(clips=Dense())).clips]
        except VideoError as error:
            print(f"left out: {error}")
    logits = np.stack(found).astype(np.float64)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def _compare(a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    a, b = a.astype(np.float64), b.astype(np.float64)
    top = a.argmax(axis=1)
    change = np.abs(a.max(axis=1) - b[np.arange(len(b)), top])
    divergence = (a * np.log(np.maximum(a, 1e-12) / np.maximum(b, 1e-12))).sum(axis=1)
    return {
        "predictions": len(a),
        "agreement": float(np.mean(top == b.argmax(axis=1))),
        "mean_change": float(change.mean()),
        "worst_change": float(change.max()),
        "mean_divergence": float(divergence.mean()),
        "worst_divergence": float(divergence.max()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--stride", type=int, default=40)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--engine", default="auto")
    arguments = parser.parse_args()
    found = measure(arguments.folder, stride=arguments.stride, threads=arguments.threads, engine=arguments.engine)
    for name, of in found.items():
        print(f"{name}: {of['predictions']:.0f} predictions, top-1 agreement {100 * of['agreement']:.1f} %")
        print(f"  top-1 probability: mean change {of['mean_change']:.4f}, worst {of['worst_change']:.4f}")
        print(f"  KL divergence: mean {of['mean_divergence']:.5f}, worst {of['worst_divergence']:.4f}")


if __name__ == "__main__":
    main()
