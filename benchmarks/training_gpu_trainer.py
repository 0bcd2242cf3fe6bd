"""How `Trainer` fares on a GPU: parts of `training_gpu.py`.

With which options it is fast, whether it goes on as it would have, what it says when memory is short, and whether the
whole network learns to see motion in two minutes.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from gpu_case import Bench, Record
from torch import nn

from quovadis.datasets import read_dataset
from quovadis.errors import TrainingError
from quovadis.torch import I3D
from quovadis.training.batches import Batch, BatchSource
from quovadis.training.clips import ClipDataset, ClipSampling
from quovadis.training.loader import ClipLoader
from quovadis.training.options import TrainingOptions
from quovadis.training.split import split_videos
from quovadis.training.synthetic import MOTION_CLASSES, write_motion_dataset
from quovadis.training.trainer import StepReport, Trainer
from quovadis.training.transforms import Mixup

CLASSES = 400
LABELS = [str(number) for number in range(CLASSES)]
TRAINING_SECONDS = 120
CAP_GIBIBYTES = 16


@dataclass(frozen=True)
class InMemory:
    """Random clips that are made once: the batches of every epoch are the same."""

    batch: int
    frames: int
    side: int
    count: int
    """Batches of an epoch."""
    pinned: bool
    made: list[Batch] = field(default_factory=list)

    def __post_init__(self) -> None:
        random = torch.Generator().manual_seed(0)
        for _ in range(min(self.count, 2)):
            shape = (self.batch, self.frames, self.side, self.side, 3)
            clips = torch.randint(0, 256, shape, dtype=torch.uint8, generator=random)
            targets = torch.randint(0, CLASSES, (self.batch,), generator=random)
            keys = tuple(f"clip {index}" for index in range(self.batch))
            self.made.append(Batch(clips.pin_memory() if self.pinned else clips, targets, keys))

    def __len__(self) -> int:
        return self.count

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        for number in range(first, self.count):
            yield self.made[number % len(self.made)]


def _options(bench: Bench, **chosen: Any) -> TrainingOptions:
    settings = {"stage": "full", "device": bench.device if bench.is_cuda else "CPU", "dropout": 0.0}
    return TrainingOptions(**(settings | {"save_every": 10_000} | chosen))


def trainer_speed(bench: Bench) -> list[Record]:
    """Clips a second of the Trainer itself, from clips in the computer's memory."""
    batch, frames = (1, 16) if bench.small else (8, 64)
    fast: dict[str, Any] = {"amp": "bf16", "channels_last": True}
    tries = {"cudnn_benchmark": bench.is_cuda}
    cases: dict[str, tuple[dict[str, Any], bool]] = {
        "float32": ({}, True),
        "bf16, channels last, pageable": (fast, False),
        "bf16, channels last": (fast, True),
        "bf16, channels last, cuDNN tries": (fast | tries, True),
        "with EMA, mixup and accumulation": (fast | tries | {"ema_decay": 0.999, "mixup": 0.2, "accumulate": 2}, True),
        "from Mixed_5b on": (fast | tries | {"from_endpoint": "Mixed_5b"}, True),
    }
    if bench.is_cuda:
        cases["fp16, channels last, cuDNN tries"] = (fast | tries | {"amp": "fp16"}, True)
        cases["bf16, channels last, compiled, cuDNN tries"] = (fast | tries | {"compile": True}, True)
    rows: list[Record] = []
    for title, (chosen, pinned) in cases.items():
        options = _options(bench, batch=batch, steps=3 if bench.small else 14, **chosen)
        reports: list[StepReport] = []
        began = time.perf_counter()
        row: Record = {"options": title}
        rows.append(row)
        # cuDNN's choices are kept for the process, by shape and by this switch, which changes nothing else in 16 bits.
        torch.backends.cudnn.allow_tf32 = not options.cudnn_benchmark
        with tempfile.TemporaryDirectory() as folder:
            try:
                if bench.is_cuda:
                    torch.cuda.empty_cache()
                    torch.cuda.reset_peak_memory_stats()
                Trainer(
                    I3D(CLASSES),
                    InMemory(batch, frames, 224, 1000, pinned and bench.is_cuda),
                    options,
                    Path(folder),
                    labels=LABELS,
                    transform=Mixup(options.mixup) if options.mixup else None,
                    on_step=reports.append,
                ).fit()
            except (RuntimeError, TrainingError) as error:
                row["error"] = str(error).partition("\n")[0]
                continue
        rates = sorted(report.clips_per_second for report in reports[len(reports) // 2 :])
        row |= {
            "first_step_seconds": batch * options.accumulate / reports[0].clips_per_second,
            "clips_a_second": rates[len(rates) // 2],
            "gibibytes": reports[-1].memory_bytes / 2**30,
            "first_loss": reports[0].loss,
            "last_loss": reports[-1].loss,
            "seconds": time.perf_counter() - began,
        }
    torch.backends.cudnn.allow_tf32 = True
    return rows


def resumed(bench: Bench) -> list[Record]:
    """Weights of trainings that were stopped, beside those of undisturbed ones, and of those beside each other.

    On CUDA cuDNN adds in another order every time, so that even two undisturbed trainings differ.
    """
    rows = []
    for amp in ("none", "bf16", "fp16") if bench.is_cuda else ("none", "bf16"):
        options = _options(bench, batch=2, steps=6, amp=amp, ema_decay=0.9, head_rate=0.01, backbone_rate=0.01)
        with tempfile.TemporaryDirectory() as folder:
            whole, again = (_weights(Path(folder, name), options, stops=()) for name in ("whole", "again"))
            stopped = _weights(Path(folder, "stopped"), options, stops=(2, 4))
        rows.append(
            {
                "amp": amp,
                "undisturbed_and_again": _distance(whole, again),
                "undisturbed_and_stopped": _distance(whole, stopped),
            }
        )
    return rows


class _StopError(Exception):
    """A training is to stop here."""


def _weights(folder: Path, options: TrainingOptions, stops: tuple[int, ...]) -> dict[str, torch.Tensor]:
    """Train, saving and beginning again in another object after each of the steps, and return the state dict."""
    for stop in stops:
        with suppress(_StopError):
            _trainer(folder, options, stop).fit()
    trainer = _trainer(folder, options, None)
    trainer.fit()
    return {name: value.float().cpu() for name, value in trainer.model.state_dict().items()}


def _trainer(folder: Path, options: TrainingOptions, stop: int | None) -> Trainer:
    def on_step(report: StepReport) -> None:
        if report.step == stop:
            trainer.save()
            raise _StopError

    torch.manual_seed(0)
    batches = InMemory(options.batch, 16, 224, 3, pinned=False)
    trainer = Trainer(I3D(CLASSES), batches, options, folder, labels=LABELS, on_step=on_step)
    return trainer


def _distance(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> float:
    """Return the greatest difference of two networks, each tensor's relative to its greatest value."""
    return max(float((one[name] - other[name]).abs().max() / one[name].abs().max().clamp(min=1e-6)) for name in one)


def short_of_memory(bench: Bench) -> list[Record]:
    """Whether a step of 8 clips runs in 16 GiB, and what is said where it does not."""
    if not bench.is_cuda:
        return []
    total = torch.cuda.get_device_properties(0).total_memory / 2**30
    rows = []
    for gibibytes, batch, chosen in (
        (CAP_GIBIBYTES, 8, {}),
        (CAP_GIBIBYTES, 8, {"amp": "bf16", "channels_last": True}),
        (8, 8, {"checkpoint_activations": True}),
        (CAP_GIBIBYTES, 32, {"amp": "bf16"}),
    ):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        torch.cuda.set_per_process_memory_fraction(min(1.0, gibibytes / total))
        row: Record = {"limit_gibibytes": gibibytes, "batch": batch, "options": str(chosen), "said": "it runs"}
        rows.append(row)
        try:
            with tempfile.TemporaryDirectory() as folder:
                Trainer(
                    I3D(CLASSES),
                    InMemory(batch, 64, 224, 10, pinned=False),
                    _options(bench, batch=batch, steps=3, **chosen),
                    Path(folder),
                    labels=LABELS,
                ).fit()
        except TrainingError as error:
            row["said"] = str(error)
        finally:
            row["reserved_gibibytes"] = torch.cuda.max_memory_reserved() / 2**30
            torch.cuda.set_per_process_memory_fraction(1.0)
    return rows


@dataclass(frozen=True)
class _Shuffled:
    """Batches whose clips have their frames in a random order."""

    batches: BatchSource

    def __len__(self) -> int:
        return len(self.batches)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        random = torch.Generator().manual_seed(epoch)
        for batch in self.batches.epoch(epoch, first):
            orders = torch.rand(batch.clips.shape[:2], generator=random).argsort(1)
            clips = torch.stack([clip[order] for clip, order in zip(batch.clips, orders, strict=True)])
            yield batch._replace(clips=clips)


class _TimeIsUpError(Exception):
    """Two minutes are over."""


def _adam(model: nn.Module, options: TrainingOptions) -> torch.optim.Optimizer:
    """Return what random weights learn with in few steps."""
    return torch.optim.AdamW(model.parameters(), lr=options.backbone_rate, weight_decay=options.weight_decay)


def training(bench: Bench) -> Record:
    """Train the whole network for two minutes, from random weights, on videos that only motion tells apart."""
    small = bench.small
    with tempfile.TemporaryDirectory() as folder:
        videos, run = Path(folder, "videos"), Path(folder, "run")
        began = time.perf_counter()
        write_motion_dataset(videos, videos_per_class=4 if small else 250, frames=16, size=64)
        made = time.perf_counter() - began
        return {"seconds_of_making": made, **_train(bench, videos, run)}


def _train(bench: Bench, videos: Path, run: Path) -> Record:
    small = bench.small
    split = split_videos(read_dataset(videos, MOTION_CLASSES))
    side, rate = 64 if small else 224, 1e-3
    sampling = ClipSampling(frames=16, short_side=side, crop=side, flip=False)
    options = _options(
        bench,
        batch=4 if small else 32,
        steps=4 if small else 1200,
        amp="bf16" if bench.is_cuda else "none",
        channels_last=bench.is_cuda,
        head_rate=rate,
        backbone_rate=rate,
        warmup=2 if small else 100,
        batch_norm_decay=0.9,
        weight_decay=1e-2,
        workers=2 if small else 14,
    )
    torch.manual_seed(0)
    classes = len(MOTION_CLASSES)
    model = I3D(classes, width=1 / 8, pool=(2, 2, 2)) if small else I3D(classes)
    reports: list[StepReport] = []
    scores: list[tuple[int, float]] = []
    start = time.perf_counter()

    def stop_in_time(report: StepReport) -> None:
        reports.append(report)
        if time.perf_counter() - start > TRAINING_SECONDS:
            raise _TimeIsUpError

    common: dict[str, Any] = {
        "batch": options.batch,
        "workers": options.workers,
        "pin_memory": bench.is_cuda,
    }
    with (
        ClipLoader(ClipDataset(split.train, sampling, training=True), **common) as batches,
        ClipLoader(ClipDataset(split.validation, sampling, training=False), **common) as validation,
    ):
        trainer = Trainer(
            model,
            batches,
            options,
            run,
            labels=MOTION_CLASSES,
            validation=validation,
            optimiser=_adam,
            on_step=stop_in_time,
            on_evaluation=lambda step, found: scores.append((step, round(found.score, 3))),
        )
        with suppress(_TimeIsUpError):
            trainer.fit()
        seconds = time.perf_counter() - start
        found = trainer.evaluate()
        trainer.validation = _Shuffled(validation)
        shuffled = trainer.evaluate()
    steady = sorted(report.clips_per_second for report in reports[len(reports) // 4 :])
    return {
        "seconds": seconds,
        "steps": len(reports),
        "clips_a_second_in_all": len(reports) * options.batch / seconds,
        "clips_a_second_of_a_step": steady[len(steady) // 2],
        "first_loss": reports[0].loss,
        "last_loss": reports[-1].loss,
        "validation_videos": len(found.keys),
        **found.figures,
        "video_top1_shuffled": shuffled.figures["video_top1"],
        "evaluations": str(scores),
    }
