"""Training clips a second: of one core, by seeking and by reading from the beginning, and of workers. Prints JSON.

    python benchmarks/training_input.py [--videos FOLDER] [--clips 40] [--frames 64] [--workers 2] [--minute]

Videos are those in a folder (default: the real clips in QUOVADIS_ASSETS, or ../shared); with --minute each is repeated
to a minute of 340x256 first, as H.264 with a key frame every 2 seconds. Counts that only decoding tells are known
beforehand, as after a first epoch.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cache, partial
from itertools import count, islice
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from footage import write_minute
from machine import describe
from numpy.typing import NDArray

from quovadis.datasets import Dataset, Example
from quovadis.errors import VideoError
from quovadis.training.clips import ClipDataset, ClipSampling, TrainingClip
from quovadis.training.loader import ClipLoader
from quovadis.video import Video
from quovadis.video.expand import is_video_name

ROOT = Path(__file__).resolve().parents[1]
CLIPS = Path(os.environ.get("QUOVADIS_ASSETS", ROOT.parent / "shared")) / "clips"


def readable(paths: list[Path], sampling: ClipSampling) -> Dataset:
    """Return the videos that can be read, as a dataset of one class."""
    found = []
    for path in paths:
        example = Example(path.name, 0, path)
        try:
            ClipDataset(Dataset(path, "list", (example,), ("any",)), sampling).clip(0, 0)
        except VideoError as error:
            print(f"left out: {error}", flush=True)
        else:
            found.append(example)
    return Dataset(paths[0].parent, "list", tuple(found), ("any",))


@dataclass(frozen=True)
class Ready:
    """A clip that is there already: what is measured is how workers hand it over."""

    frames: int
    training: bool = True

    def __len__(self) -> int:
        return 64

    def key(self, index: int) -> str:
        return str(index)

    def clip(self, epoch: int, index: int) -> TrainingClip:
        return TrainingClip(_pixels(self.frames), 0, self.key(index), index)


@cache
def _pixels(frames: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (frames, 224, 224, 3), np.uint8)


def handed_over(frames: int, workers: int, seconds: float = 5.0) -> float:
    """Return clips a second that workers hand over, apart from the memory for batches, which a GPU's loader keeps."""
    kept: dict[tuple[int, ...], torch.Tensor] = {}

    def zeros(shape: tuple[int, ...], **settings: object) -> torch.Tensor:
        if shape not in kept:
            kept[shape] = torch.zeros(shape, dtype=torch.uint8)
        return kept[shape]

    with ClipLoader(Ready(frames), batch=8, workers=workers) as loader, patch.object(torch, "empty", zeros):
        batches = (batch for epoch in count() for batch in loader.epoch(epoch))
        with closing(batches):
            for _ in islice(batches, 8):
                pass
            began, made = time.perf_counter(), 0
            while time.perf_counter() - began < seconds:
                made += len(next(batches).keys)
            return made / (time.perf_counter() - began)


def per_second(count: int, make: Callable[[int], object]) -> float:
    """Return how often something is made a second of this process's own time on its core."""
    began = time.process_time()
    for number in range(count):
        make(number)
    return count / (time.process_time() - began)


def measure(dataset: Dataset, sampling: ClipSampling, *, clips: int, workers: int) -> dict[str, object]:
    """Return clips a second of each video by both ways, and of workers over all."""
    videos = {}
    for number, example in enumerate(dataset.examples):
        source = ClipDataset(dataset, sampling)
        source.clip(0, number)
        by_seeking = per_second(clips, partial(source.clip, index=number))
        with patch.object(Video, "may_seek", False):
            source.clip(0, number)
            whole = per_second(clips, partial(source.clip, index=number))
        videos[example.key] = {"by seeking": round(by_seeking, 2), "from the beginning": round(whole, 2)}
    with ClipLoader(ClipDataset(dataset, sampling), batch=2, workers=workers) as loader:
        list(loader.epoch(0))
        began, made = time.perf_counter(), 0
        for epoch in range(1, 1 + -(-clips // len(dataset.examples))):
            made += sum(len(batch.keys) for batch in loader.epoch(epoch))
        together = made / (time.perf_counter() - began)
    return {
        "clips a second of one core": videos,
        f"clips a second of {workers} workers, all": round(together, 2),
        f"clips a second that {workers} workers hand over": round(handed_over(sampling.frames, workers), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=Path, default=CLIPS)
    parser.add_argument("--clips", type=int, default=40, help="of each video")
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--minute", action="store_true", help="repeat each video to a minute")
    arguments = parser.parse_args()
    sampling = ClipSampling(frames=arguments.frames)
    with tempfile.TemporaryDirectory() as folder:
        paths = [path for path in sorted(arguments.videos.iterdir()) if is_video_name(path.name)]
        dataset = readable(paths, sampling)
        if arguments.minute:
            made = [path for example in dataset.examples if (path := example.path) is not None]
            for path in made:
                write_minute(path, Path(folder) / f"{path.stem}.mp4")
            dataset = readable(sorted(Path(folder).iterdir()), sampling)
        found = measure(dataset, sampling, clips=arguments.clips, workers=arguments.workers)
    print(json.dumps({**describe(1), "frames": arguments.frames, **found}, indent=2))


if __name__ == "__main__":
    main()
