"""How far int8 is from float32: every window of a folder of videos, calibrated on every third of them.

python benchmarks/int8_agreement.py FOLDER [--stride 40]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from quovadis import Recognizer, Sampling, VideoLimits, load
from quovadis.errors import VideoError
from quovadis.sampling import open_clips


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--stride", type=int, default=40)
    arguments = parser.parse_args()
    windows = _windows(arguments.folder, arguments.stride)
    exact = load("rgb-scratch")
    quantized = load("rgb-scratch", precision="int8", calibration=windows[::3])
    a, seconds_exact = _run(exact, windows)
    b, seconds_quantized = _run(quantized, windows)
    top = a.argmax(axis=1)
    change = np.abs(a.max(axis=1) - b[np.arange(len(b)), top])
    divergence = (a * np.log(np.maximum(a, 1e-12) / np.maximum(b, 1e-12))).sum(axis=1)
    print(f"{len(windows)} windows of 79 frames")
    print(f"top-1 agreement {100 * np.mean(top == b.argmax(axis=1)):.1f} %")
    print(f"top-1 probability: mean change {change.mean():.4f}, worst {change.max():.4f}")
    print(f"KL divergence: mean {divergence.mean():.4f}, worst {divergence.max():.4f}")
    print(f"a clip: f32 {seconds_exact:.3f} s, int8 {seconds_quantized:.3f} s (medians)")


def _windows(folder: Path, stride: int) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    for path in sorted(folder.iterdir()):
        try:
            with open_clips(path, Sampling(stride=stride), VideoLimits()) as clips:
                found += [clip.pixels[:79] for clip in clips]
        except VideoError as error:
            print(f"left out: {error}")
    return found


def _run(model: Recognizer, windows: list[np.ndarray]) -> tuple[np.ndarray, float]:
    probabilities, seconds = [], []
    for window in windows:
        start = time.perf_counter()
        probabilities.append(model.run(window[np.newaxis]).probabilities[0])
        seconds.append(time.perf_counter() - start)
    return np.stack(probabilities).astype(np.float64), float(np.median(seconds))


if __name__ == "__main__":
    main()
