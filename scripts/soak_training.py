"""Train a small network on videos that only motion tells apart: it must see time, and be lost where time is shuffled.

    python scripts/soak_training.py [--minutes 6] [--seeds 0 1]

Each seed makes other videos and another network. Ends with an error unless, of each, validation top-1 is 0.9 or more
within the minutes, and 0.35 or less with each clip's frames in a random order. `make soak` runs it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import torch
from torch import nn

from quovadis.diagnostics import diagnose
from quovadis.torch import I3D
from quovadis.training import (
    Batch,
    ClipDataset,
    ClipLoader,
    ClipSampling,
    Evaluation,
    StepReport,
    Trainer,
    TrainingOptions,
    read_splits,
)
from quovadis.training.synthetic import write_motion_dataset

FRAMES, SIDE, WIDTH, POOL = 16, 32, 1 / 8, (2, 1, 1)
VIDEOS_PER_CLASS, EPOCHS, BATCH, RATE = 320, 6, 16, 4e-3
LEAST, MOST_SHUFFLED = 0.9, 0.35


@dataclass(frozen=True)
class Kept:
    """Clips in memory: those of a video, which has no more frames than a clip, are always the same."""

    clips: torch.Tensor
    targets: torch.Tensor
    keys: tuple[str, ...]
    seed: int
    is_shuffled: bool = False
    """Whether the frames of each clip come in a random order."""

    @classmethod
    def of(cls, loader: ClipLoader, seed: int) -> Kept:
        batches = list(loader.epoch(0))
        keys = tuple(key for batch in batches for key in batch.keys)
        return cls(torch.cat([one.clips for one in batches]), torch.cat([one.targets for one in batches]), keys, seed)

    def __len__(self) -> int:
        return ceil(len(self.keys) / BATCH)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        random = torch.Generator().manual_seed(1000 * self.seed + epoch)
        order = torch.randperm(len(self.keys), generator=random).split(BATCH)
        for chosen in order[first:]:
            clips = self.clips[chosen]
            if self.is_shuffled:
                frames = torch.rand(clips.shape[:2], generator=random).argsort(1)
                clips = torch.stack([clip[own] for clip, own in zip(clips, frames, strict=True)])
            yield Batch(clips, self.targets[chosen], tuple(self.keys[index] for index in chosen.tolist()))


def adam(model: nn.Module, options: TrainingOptions) -> torch.optim.Optimizer:
    """Return what random weights learn with in few steps; fine-tuning takes gradient descent with momentum."""
    return torch.optim.AdamW(model.parameters(), lr=options.backbone_rate, weight_decay=options.weight_decay)


def train(folder: Path, seed: int, began: float) -> tuple[float, float]:
    """Return top-1 on videos that were not trained on, and the same with frames in a random order."""
    write_motion_dataset(folder / "videos", videos_per_class=VIDEOS_PER_CLASS, frames=FRAMES, size=SIDE, seed=seed)
    split = read_splits(folder / "videos", seed=seed)
    sampling = ClipSampling(frames=FRAMES, short_side=SIDE, crop=SIDE, flip=False)
    parts = []
    for part in (split.train, split.validation):
        with ClipLoader(ClipDataset(part, sampling, training=False), batch=BATCH, workers=0) as loader:
            parts.append(Kept.of(loader, seed))
    training, validation = parts
    print(f"{time.monotonic() - began:.0f} s: {len(training.keys)} videos to train on", flush=True)
    torch.manual_seed(seed)
    # The layers are so small that two threads would wait for each other most of the time.
    torch.set_num_threads(1)
    network = I3D(len(split.train.labels), width=WIDTH, pool=POOL)
    options = TrainingOptions(
        stage="full",
        seed=seed,
        epochs=EPOCHS,
        batch=BATCH,
        head_rate=RATE,
        backbone_rate=RATE,
        dropout=0.0,
        warmup=30,
        batch_norm_decay=0.9,
        weight_decay=1e-2,
        save_every=10_000,
    )

    def on_step(report: StepReport) -> None:
        if report.step % 30 == 0:
            print(
                f"{time.monotonic() - began:.0f} s: step {report.step}/{report.steps}, loss {report.loss:.3f}",
                flush=True,
            )

    def on_evaluation(step: int, found: Evaluation) -> None:
        print(f"step {step}: top-1 {found.score:.3f}", flush=True)

    trainer = Trainer(
        network,
        training,
        options,
        folder / "run",
        labels=split.train.labels,
        validation=validation,
        optimiser=adam,
        on_step=on_step,
        on_evaluation=on_evaluation,
    )
    trainer.fit()
    scores = [trainer.evaluate().score]
    trainer.validation = Kept(validation.clips, validation.targets, validation.keys, seed, is_shuffled=True)
    scores.append(trainer.evaluate().score)
    return scores[0], scores[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=6.0, help="that each seed may take [default: 6]")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="[default: 0 1]")
    given = parser.parse_args()
    machine = diagnose()["machine"]
    print(f"{machine['usable_cores']} cores, {machine['processor']}, PyTorch {torch.__version__}")
    is_good = True
    for seed in given.seeds:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            ordered, shuffled = train(Path(folder), seed, began)
        took = time.monotonic() - began
        print(f"seed {seed}: top-1 {ordered:.3f}, with frames shuffled {shuffled:.3f}, in {took:.0f} seconds")
        is_good &= ordered >= LEAST and shuffled <= MOST_SHUFFLED and took <= 60 * given.minutes
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
