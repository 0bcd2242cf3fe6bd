"""Train a small network on videos that only motion tells apart: it must see time, and be lost where time is shuffled.

    python scripts/soak_training.py [--minutes 6]

Ends with an error unless validation top-1 is 0.9 or more within the minutes, and 0.35 or less with each clip's frames
in a random order.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from quovadis.torch import I3D
from quovadis.training import TrainingOptions
from quovadis.training.batches import Batch, BatchSource
from quovadis.training.clips import ClipDataset, ClipSampling
from quovadis.training.loader import ClipLoader
from quovadis.training.split import read_splits
from quovadis.training.synthetic import write_motion_dataset
from quovadis.training.trainer import StepReport, Trainer

FRAMES, SIDE, WIDTH = 16, 32, 1 / 8
VIDEOS_PER_CLASS, EPOCHS, BATCH = 60, 25, 12
RATE = 3e-3
LEAST, MOST_SHUFFLED = 0.9, 0.35


@dataclass
class Kept:
    """Batches that are decoded once: the clips of a video are always the same frames."""

    source: BatchSource

    def __post_init__(self) -> None:
        batches = list(self.source.epoch(0))
        self.clips = torch.cat([batch.clips for batch in batches])
        self.targets = torch.cat([batch.targets for batch in batches])
        self.keys = tuple(key for batch in batches for key in batch.keys)

    def __len__(self) -> int:
        return len(self.clips) // BATCH

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        order = torch.randperm(len(self.clips), generator=torch.Generator().manual_seed(epoch))
        for chosen in order.split(BATCH)[first : len(self)]:
            yield Batch(self.clips[chosen], self.targets[chosen], tuple(self.keys[index] for index in chosen))


@dataclass
class Shuffled:
    """The same clips, each with its frames in a random order."""

    source: BatchSource

    def __len__(self) -> int:
        return len(self.source)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(epoch)
        for batch in self.source.epoch(epoch, first):
            order = torch.rand(batch.clips.shape[:2], generator=generator).argsort(1)
            yield batch._replace(clips=torch.stack([clip[own] for clip, own in zip(batch.clips, order, strict=True)]))


def adam(model: nn.Module, options: TrainingOptions) -> torch.optim.Optimizer:
    """Return what random weights learn with in few steps; fine-tuning takes gradient descent with momentum."""
    return torch.optim.AdamW(model.parameters(), lr=options.backbone_rate, weight_decay=options.weight_decay)


def main() -> int:
    """Train, evaluate twice, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=6.0, help="that it may take in all [default: 6]")
    minutes = parser.parse_args().minutes
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_motion_dataset(folder / "videos", videos_per_class=VIDEOS_PER_CLASS, frames=FRAMES, size=SIDE)
        split = read_splits(folder / "videos")
        sampling = ClipSampling(frames=FRAMES, short_side=SIDE, crop=SIDE, flip=False)
        kept = []
        for part, training in ((split.train, True), (split.validation, False)):
            with ClipLoader(ClipDataset(part, sampling, training=training), batch=BATCH, workers=2) as loader:
                kept.append(Kept(loader) if training else loader)
                if not training:
                    kept[-1] = list(loader.epoch(0))
        print(f"{time.monotonic() - began:.0f} s: {len(split.train.examples)} videos to train on", flush=True)
        validation = _Listed(kept[1])
        torch.manual_seed(0)
        network = I3D(len(split.train.labels), width=WIDTH, pool=(2, 1, 1))
        options = TrainingOptions(
            stage="full",
            epochs=EPOCHS,
            batch=BATCH,
            head_rate=RATE,
            backbone_rate=RATE,
            dropout=0.0,
            warmup=20,
            batch_norm_decay=0.9,
            weight_decay=1e-4,
            save_every=10_000,
        )

        def on_step(report: StepReport) -> None:
            if report.step % 24 == 0:
                print(
                    f"{time.monotonic() - began:.0f} s: step {report.step}/{report.steps}, {report.loss:.3f}",
                    flush=True,
                )

        trainer = Trainer(
            network,
            kept[0],
            options,
            folder / "run",
            labels=split.train.labels,
            validation=validation,
            optimiser=adam,
            on_step=on_step,
            on_evaluation=lambda step, found: print(step, found.figures, flush=True),
        )
        trainer.fit()
        ordered = trainer.evaluate().score
        trainer.validation = Shuffled(validation)
        shuffled = trainer.evaluate().score
    took = (time.monotonic() - began) / 60
    print(f"top-1 {ordered:.3f}, with frames shuffled {shuffled:.3f}, in {took:.1f} minutes")
    return 0 if ordered >= LEAST and shuffled <= MOST_SHUFFLED and took <= minutes else 1


@dataclass
class _Listed:
    batches: list[Batch]

    def __len__(self) -> int:
        return len(self.batches)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        yield from self.batches[first:]


if __name__ == "__main__":
    sys.exit(main())
