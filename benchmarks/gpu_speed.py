"""Clips a second and the cost of bringing them to the card: the part of `gpu.py` that is about time."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from gpu_case import Bench, Record, seconds_of

from quovadis.engines.torch_engine import _array, _staged
from quovadis.errors import EngineError
from quovadis.torch import I3D, normalize

MAX_SECONDS = 80
"""After which `speed` begins nothing more: a card or cuDNN that is far slower than others must not cost the rest."""


def speed(bench: Bench) -> list[Record]:
    """Clips a second by batch: ours, and PyTorch's module as people run it.

    `device`: bytes on the card to logits on the card. `whole`: bytes in memory to everything in memory.
    """
    rows: list[Record] = []
    end = time.perf_counter() + MAX_SECONDS
    batches, frames = ((1, 2), 16) if bench.small else ((1, 4, 8, 16), 79)
    for title, make in _networks(bench).items():
        pair = make()
        for batch in batches:
            row: Record = {"network": title, "batch": batch}
            rows.append(row)
            if time.perf_counter() > end:
                row["error"] = "no time left"
                continue
            try:
                clips = bench.clips(batch, frames)
                pixels = torch.tensor(clips).to(bench.device)
                if bench.is_cuda:
                    torch.cuda.empty_cache()
                    torch.cuda.reset_peak_memory_stats()
                for name, network, given in zip(("device", "whole"), pair, (pixels, clips), strict=True):
                    timed = seconds_of(bench, partial(network, given))
                    row[name] = timed | {"clips_a_second": batch / timed["seconds"]}
                if bench.is_cuda:
                    row["peak_megabytes"] = torch.cuda.max_memory_allocated() / 2**20
            except (RuntimeError, EngineError) as error:
                row["error"] = str(error).partition("\n")[0]
        del pair
    return rows


Pair = tuple[Callable[[torch.Tensor], object], Callable[[np.ndarray], object]]


def _networks(bench: Bench) -> dict[str, Callable[[], Pair]]:
    networks = {f"quovadis {mode}": lambda mode=mode: _ours(bench, mode) for mode in bench.modes}
    if not bench.is_cuda:
        return networks | {"module f32": lambda: _module(bench, torch.float32)}
    half = torch.float16
    return networks | {
        "module f32, TF32 off": lambda: _module(bench, torch.float32),
        "module f32, TF32 on": lambda: _module(bench, torch.float32, tf32=True),
        "module f16": lambda: _module(bench, half),
        "module f16, channels last": lambda: _module(bench, half, last=True),
        "module autocast f16": lambda: _module(bench, torch.float32, autocast=True),
        "module autocast f16, channels last": lambda: _module(bench, torch.float32, autocast=True, last=True),
    }


def _ours(bench: Bench, mode: str) -> Pair:
    engine = bench.engine(mode)

    @torch.inference_mode()
    def on_device(pixels: torch.Tensor) -> object:
        with engine._lock, engine._settings():
            return engine._forward(pixels, ())

    return on_device, engine.run


def _module(
    bench: Bench, dtype: torch.dtype, *, last: bool = False, autocast: bool = False, tf32: bool = False
) -> Pair:
    model = I3D.from_pretrained("rgb-scratch").eval().requires_grad_(False).to(bench.device, dtype)
    if last:
        model = model.to(memory_format=torch.channels_last_3d)

    @torch.inference_mode()
    def on_device(pixels: torch.Tensor) -> torch.Tensor:
        x = normalize(pixels).to(dtype)
        x = x if last else x.contiguous()
        cudnn = torch.backends.cudnn.flags(enabled=True, allow_tf32=tf32)
        with cudnn, torch.autocast(torch.device(bench.device).type, torch.float16, enabled=autocast):
            return model(x)

    return on_device, lambda clips: on_device(torch.from_numpy(clips).to(bench.device)).float().cpu().numpy()


def transfers(bench: Bench) -> list[Record]:
    """What it costs to bring a clip to the network, and its answer back."""
    rows = []
    batch = 1 if bench.small else 8
    clips = bench.clips(batch, 16 if bench.small else 79)
    device = torch.device(bench.device)
    engine = bench.engine(bench.modes[-1])
    on_device = torch.tensor(clips).to(device)
    staged = _staged(clips, device)
    steps = torch.zeros(batch, 9, 400, device=device)
    calls: dict[str, Callable[[], object]] = {
        "as it is in memory": lambda: torch.from_numpy(clips).to(device),
        "copied to pinned memory": lambda: _staged(clips, device),
        "from pinned memory": lambda: staged.to(device, non_blocking=True),
        "normalised on the device": lambda: engine._normalized(on_device),
        "normalised in float32 as the module does": lambda: normalize(on_device).to(engine._dtype),
        "normalised by NumPy, float32 to the device": lambda: torch.from_numpy(
            (clips.astype(np.float32) - 127.5) / 127.5
        ).to(device),
        "logits of the steps back": lambda: _array(steps),
    }
    for title, call in calls.items():
        timed = seconds_of(bench, call, budget=0.3)
        rows.append({"step": title, "milliseconds_a_clip": timed["seconds"] * 1e3 / batch})
    return rows
