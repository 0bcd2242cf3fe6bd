"""How many clips calibrate int8 well enough, and whether other views of few clips stand in for more.

Videos are divided into halves again and again: the network is calibrated on clips of one half, and compared with
float32 on all windows of the other. Files whose names differ by a number alone count as one video.
Ctrl-C prints what has been measured.

    python benchmarks/calibration.py [--clips FOLDER] [--splits 6] [--sample VIDEO]
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import islice
from pathlib import Path

import machine
import numpy as np
from footage import windows

from quovadis.engines import Engine, open_engine
from quovadis.engines.calibration import ActivationMaxima, Maxima, calibrate
from quovadis.samples import sample_clip
from quovadis.video.augment import augmented
from quovadis.weights import load_weights

ROOT = Path(__file__).resolve().parents[1]
CLIPS = Path(os.environ.get("QUOVADIS_ASSETS", ROOT.parent / "shared")) / "clips"
COUNTS = (1, 2, 4, 8, 12)
VIEWS = 11
"""Other views made of a clip; with the clip itself they are 12."""


class Measured:
    """A window with what float32 says of it."""

    def __init__(self, pixels: np.ndarray, probabilities: np.ndarray, network: ActivationMaxima) -> None:
        self.pixels, self.probabilities, self._network = pixels, probabilities, network

    @cached_property
    def maxima(self) -> Maxima:
        """Its greatest activations."""
        return self._network.of(self.pixels)

    @cached_property
    def views(self) -> list[Maxima]:
        """Its greatest activations, and those of its other views."""
        return [self.maxima, *map(self._network.of, islice(augmented(self.pixels), VIEWS))]


def settings(half: Sequence[list[Measured]], sample: Measured) -> Iterator[tuple[str, list[Maxima]]]:
    """Yield what is calibrated on, in words and as activations, of a half of the videos."""
    in_turn = [video[index] for index in range(max(map(len, half))) for video in half if index < len(video)]
    for count in COUNTS:
        if count <= len(in_turn):
            yield f"{count} of as many videos as there are", [window.maxima for window in in_turn[:count]]
    for count in COUNTS[2:]:
        yield f"1, and {count - 1} other views of it", in_turn[0].views[:count]
    for count in COUNTS[2:]:
        both = [views for pair in zip(in_turn[0].views, in_turn[1].views, strict=True) for views in pair]
        yield f"2 of two videos, and {count - 2} other views of them", both[:count]
    yield "the sample alone", [sample.maxima]
    yield f"the sample, and {VIEWS} other views of it", sample.views
    yield "1, the sample, and 10 other views of both", [*in_turn[0].views[:6], *sample.views[:6]]


def _compare(window: Measured, int8: Engine) -> tuple[bool, float]:
    """Return whether the best class is the same, and by how much its probability differs."""
    a, b = window.probabilities, int8.run(window.pixels[np.newaxis]).probabilities[0]
    top = a.argmax()
    return bool(top == b.argmax()), float(abs(a[top] - b[top]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, default=CLIPS, help="folder of videos")
    parser.add_argument("--splits", type=int, default=6, help="halves to calibrate on")
    parser.add_argument("--sample", type=Path, help="the sample clip; default: the one of quovadis sample")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    weights = load_weights("rgb-scratch")
    network, exact = ActivationMaxima(weights.tensors), open_engine(weights.tensors, threads=arguments.threads)

    def measure(pixels: np.ndarray) -> Measured:
        return Measured(pixels, exact.run(pixels[np.newaxis]).probabilities[0], network)

    names: dict[str, list[Measured]] = {}
    for path in sorted(path for path in arguments.clips.iterdir() if path.is_file()):
        found = windows(path, 40)
        if found:
            names.setdefault(path.stem.rstrip("0123456789"), []).extend(map(measure, found))
    videos = list(names.values())
    sample = measure(windows(arguments.sample or sample_clip(), 79)[0])
    rows: dict[str, list[tuple[bool, float]]] = {}
    done = 0
    with suppress(KeyboardInterrupt):
        for split in range(arguments.splits):
            shuffled = random.Random(split // 2).sample(videos, len(videos))
            halves = shuffled[: len(videos) // 2], shuffled[len(videos) // 2 :]
            half, rest = halves if split % 2 == 0 else halves[::-1]
            compared: dict[str, list[tuple[bool, float]]] = {}
            for name, maxima in settings(half, sample):
                int8 = open_engine(weights.tensors, threads=arguments.threads, quantization=calibrate(maxima))
                compared[name] = [_compare(window, int8) for video in rest for window in video]
            for name, pairs in compared.items():
                rows.setdefault(name, []).extend(pairs)
            done += 1
            print(f"{done} of {arguments.splits} halves", file=sys.stderr)
    for key, value in machine.describe(arguments.threads).items():
        print(f"{key}: {value}")
    print(f"{len(videos)} videos, {sum(map(len, videos))} windows, {done} halves, engine {exact.description}")
    print("| clips | predictions | top-1 agreement | mean change of its probability | worst |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, pairs in rows.items():
        agreements, changes = zip(*pairs, strict=True)
        agreement = f"{100 * np.mean(agreements):.1f} %"
        print(f"| {name} | {len(pairs)} | {agreement} | {np.mean(changes):.4f} | {max(changes):.4f} |")


if __name__ == "__main__":
    main()
