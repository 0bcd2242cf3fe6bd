"""Training on one GPU: how fast is a step, what memory does it take, and does it learn? Needs no network.

A step of the full network on 8 clips of 64 x 224 x 224: eager float32 beside bf16, channels last, compiled, and with
activations computed again; clips a second, memory, share of the card's peak, and how far loss and gradients are from
float32's. What memory a step needs by count of its tensors, without a GPU. The same through `Trainer`, with its
options; whether it goes on as it would have; what it says when memory is short. The command: killed and resumed, by
torchrun, too large. Two minutes of training on generated videos that only motion tells apart. Clips a second that the
loader decodes. Parts that fail are reported and the rest go on; figures go to a JSON file after every part. It takes
about twelve minutes; `--only` chooses parts.

    python benchmarks/training_gpu.py [--device cuda] [--output training_gpu.json] [--only PART …] [--small]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import count, islice
from pathlib import Path
from typing import Any

import torch
from gpu_case import Bench, Record, machine, seconds_of
from gpu_parts import run_parts
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.mem_tracker import MemTracker
from torch.nn import functional
from training_gpu_commands import commands
from training_gpu_trainer import CLASSES, resumed, short_of_memory, trainer_speed, training

from quovadis.architecture import summarize
from quovadis.datasets import read_dataset
from quovadis.torch import I3D, normalize
from quovadis.training.clips import ClipDataset, ClipSampling
from quovadis.training.loader import ClipLoader
from quovadis.training.model_weights import prepare_model
from quovadis.training.options import TrainingOptions
from quovadis.training.synthetic import MOTION_CLASSES, write_motion_dataset

FRAMES, SIDE, BATCH = 64, 224, 8
GRADIENT_FACTOR = 3
"""The gradients by a convolution's input and by its kernel cost what the convolution costs, each."""
PEAK_TFLOPS = {
    "H100": {"f32": 67, "tf32": 494, "bf16": 989},
    "H200": {"f32": 67, "tf32": 494, "bf16": 989},
    "A100": {"f32": 19.5, "tf32": 156, "bf16": 312},
}
"""Without sparsity, of the SXM cards, from NVIDIA's data sheets."""


@dataclass(frozen=True)
class Step:
    """How a training step is done."""

    name: str
    amp: str = "none"
    channels_last: bool = False
    compile: bool = False
    checkpoint: bool = False
    tf32: bool = False


STEPS = (
    Step("eager float32"),
    Step("eager float32, TF32", tf32=True),
    Step("eager bf16", "bf16"),
    Step("eager bf16, channels last", "bf16", channels_last=True),
    Step("compiled bf16, channels last", "bf16", channels_last=True, compile=True),
    Step("eager bf16, channels last, activations again", "bf16", channels_last=True, checkpoint=True),
    Step("compiled bf16, channels last, activations again", "bf16", channels_last=True, compile=True, checkpoint=True),
)


def shape(bench: Bench) -> tuple[int, int]:
    """Return clips and frames of a step."""
    return (1, 16) if bench.small else (BATCH, FRAMES)


def step_times(bench: Bench) -> list[Record]:
    """Time a step of each kind: forward, backward, SGD with momentum."""
    torch.backends.cudnn.benchmark = True
    batch, frames = shape(bench)
    flops = GRADIENT_FACTOR * batch * sum(stage.flops for stage in summarize(frames, SIDE, SIDE, num_classes=CLASSES))
    rows: list[Record] = []
    first: _First | None = None
    # Compiling for a CPU takes longer than a trial of the script may.
    for step in STEPS if bench.is_cuda else [one for one in STEPS if not one.compile]:
        row: Record = {"step": step.name, "batch": batch, "frames": frames}
        rows.append(row)
        torch.backends.cudnn.allow_tf32 = step.tf32
        try:
            take = _step(bench, step, batch, frames)
            if bench.is_cuda:
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
            start = time.perf_counter()
            found = take()
            bench.synchronize()
            row["first_seconds"] = time.perf_counter() - start
            first = first or found
            row |= found.compared(first)
            timed = seconds_of(bench, take, budget=2.0)
            tflops = flops / timed["seconds"] / 1e12
            row |= {**timed, "clips_a_second": batch / timed["seconds"], "tflops": tflops}
            peak = peak_tflops(step) if bench.is_cuda else None
            row["share_of_peak"] = None if peak is None else tflops / peak
            if bench.is_cuda:
                row["peak_gibibytes"] = torch.cuda.max_memory_allocated() / 2**30
                row["reserved_gibibytes"] = torch.cuda.max_memory_reserved() / 2**30
        except RuntimeError as error:
            row["error"] = str(error).partition("\n")[0]
        torch.compiler.reset()
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = False
    return rows


@dataclass(frozen=True)
class _First:
    """What a step found."""

    loss: float
    gradients: torch.Tensor
    """All of them, one after the other."""
    averages: torch.Tensor
    """Batch norm's moving means and variances, likewise."""

    @classmethod
    def of(cls, loss: torch.Tensor, model: torch.nn.Module) -> _First:
        gradients = torch.cat([one.grad.flatten().float() for one in model.parameters() if one.grad is not None])
        averages = [value.flatten() for name, value in model.named_buffers() if "running" in name]
        return cls(float(loss.detach()), gradients, torch.cat(averages).clone())

    def compared(self, reference: _First) -> Record:
        """Return the loss, and how far gradients and averages are from others', relative to their length."""
        return {
            "loss": self.loss,
            "gradients_off": float((self.gradients - reference.gradients).norm() / reference.gradients.norm()),
            "averages_off": float((self.averages - reference.averages).norm() / reference.averages.norm()),
        }


def peak_tflops(step: Step) -> float | None:
    """Return what the card can do at most, in 10^12 operations a second; None: it is not in the list."""
    precision = "bf16" if step.amp == "bf16" else "tf32" if step.tf32 else "f32"
    name = torch.cuda.get_device_name()
    return next((peaks[precision] for card, peaks in PEAK_TFLOPS.items() if card in name), None)


def _step(bench: Bench, step: Step, batch: int, frames: int) -> Callable[[], _First]:
    """Return what takes a step: always from the same weights at first, on the same clips."""
    options = TrainingOptions(
        stage="full",
        batch=batch,
        device=bench.device if bench.is_cuda else "CPU",
        amp=step.amp,
        channels_last=step.channels_last,
        checkpoint_activations=step.checkpoint,
        dropout=0.0,
    )
    torch.manual_seed(0)
    device = torch.device(bench.device)
    model = prepare_model(I3D(CLASSES), options, device).train()
    forward = torch.compile(model) if step.compile else model
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    # Smooth ones: of noise, gradients of random weights have little in common after any rounding.
    coarse = torch.rand(batch, 3, frames // 8, 7, 7)
    smooth = functional.interpolate(coarse, size=(frames, SIDE, SIDE), mode="trilinear").mul(255).to(torch.uint8)
    clips = smooth.permute(0, 2, 3, 4, 1).contiguous().to(device)
    targets = torch.randint(0, CLASSES, (batch,)).to(device)
    layout = torch.channels_last_3d if step.channels_last else torch.contiguous_format

    found: _First | None = None

    def take() -> _First:
        nonlocal found
        optimiser.zero_grad(set_to_none=True)
        x = normalize(clips).contiguous(memory_format=layout)
        with torch.autocast(device.type, torch.bfloat16, enabled=step.amp == "bf16"):
            logits = forward(x)
        loss = functional.cross_entropy(logits.float(), targets)
        loss.backward()
        found = found or _First.of(loss, model)
        optimiser.step()
        return found

    return take


def counted_memory(_: Bench) -> list[Record]:
    """Count the bytes of all tensors that live at once in a step, with tensors that have shapes and no content.

    It is not measured on a GPU: CUDA's context, cuDNN's workspace and the gaps between blocks come on top.
    """
    rows = []
    for amp in ("none", "bf16"):
        for checkpoint in (False, True):
            record = _counted(BATCH, FRAMES, amp=amp, checkpoint=checkpoint)
            rows.append({"amp": amp, "activations_again": checkpoint, "batch": BATCH, "frames": FRAMES, **record})
    return rows


def _counted(batch: int, frames: int, *, amp: str, checkpoint: bool) -> Record:
    model = I3D(CLASSES).to("meta")
    with FakeTensorMode(allow_non_fake_inputs=True):
        model = model.to_empty(device="cpu").train()
        model.checkpoint_activations = checkpoint
        clips = torch.empty((batch, frames, SIDE, SIDE, 3), dtype=torch.uint8)
        tracker = MemTracker()
        tracker.track_external(model, clips)
        with tracker:
            with torch.autocast("cpu", torch.bfloat16, enabled=amp == "bf16"):
                logits = model(normalize(clips))
            functional.cross_entropy(logits.float(), torch.zeros(batch, dtype=torch.long)).backward()
        (peak,) = tracker.get_tracker_snapshot("peak").values()
        # SGD's momentum is made by the first step, and is there in the peak of all others.
        momentum = sum(one.numel() * one.element_size() for one in model.parameters())
    return {"gibibytes": (peak["Total"] + momentum) / 2**30}


@cache
def _videos(small: bool) -> Path:
    """Return a folder of generated videos, which goes with the process."""
    folder = tempfile.TemporaryDirectory(prefix="quovadis-training-")
    _KEPT.append(folder)
    size, frames, videos = (64, 16, 4) if small else (SIDE, 64, 8)
    return write_motion_dataset(Path(folder.name), videos_per_class=videos, frames=frames, size=size)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def _sampling(small: bool) -> ClipSampling:
    frames, side = (16, 64) if small else (64, SIDE)
    return ClipSampling(frames=frames, short_side=side, crop=side, flip=False)


def loading(bench: Bench) -> list[Record]:
    """Clips a second that the loader decodes from video files, by worker processes."""
    folder = _videos(bench.small)
    clips = ClipDataset(read_dataset(folder, MOTION_CLASSES), _sampling(bench.small))
    rows = []
    cores = len(os.sched_getaffinity(0))
    for workers in (1, 2) if bench.small else sorted({1, cores}):
        with ClipLoader(clips, batch=4, workers=workers) as loader:
            epochs = (batch for epoch in count() for batch in loader.epoch(epoch))
            # The first batches wait for the workers to start.
            for _ in islice(epochs, 2):
                pass
            start, done = time.perf_counter(), 0
            for batch in epochs:
                done += len(batch.clips)
                if time.perf_counter() - start > (2 if bench.small else 6):
                    break
            rate = done / (time.perf_counter() - start)
        rows.append({"workers": workers, "clips_a_second": rate, "for_each_worker": rate / workers})
    return rows


PARTS: dict[str, Callable[[Bench], Any]] = {
    "machine": machine,
    "counted_memory": counted_memory,
    "steps": step_times,
    "trainer": trainer_speed,
    "resumed": resumed,
    "short_of_memory": short_of_memory,
    "commands": commands,
    "training": training,
    "loading": loading,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    run_parts(parser, PARTS, Path("training_gpu.json"))


if __name__ == "__main__":
    main()
