"""What `gpu.py` measures on: a device, the oracle's frames, engines; and how it tells the time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from machine import describe
from PIL import Image, ImageSequence

from quovadis.engines.torch_engine import TorchEngine
from quovadis.weights import load_weights

ROOT = Path(__file__).resolve().parents[1]
ASSETS = Path(os.environ.get("QUOVADIS_ASSETS", ROOT.parent / "shared"))

Record = dict[str, Any]


@dataclass
class Bench:
    """What every part needs."""

    device: str
    assets: Path
    small: bool
    """A trial of the script itself: short clips, few of them."""

    @cached_property
    def tensors(self) -> Any:
        return load_weights("rgb-scratch").tensors

    @cached_property
    def frames(self) -> np.ndarray:
        """The oracle's frames, shape 79, 224, 224, 3."""
        with Image.open(self.gif) as image:
            return np.stack([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)])

    @property
    def gif(self) -> Path:
        return self.assets / "assets" / "v_CricketShot_g04_c01_rgb.gif"

    @property
    def is_cuda(self) -> bool:
        return self.device.startswith("cuda")

    @property
    def modes(self) -> list[str]:
        return ["f32", "f16"] if self.is_cuda else ["f32"]

    def engine(self, mode: str) -> TorchEngine:
        return TorchEngine(self.tensors, device=self.device, float32=mode == "f32")

    def clips(self, batch: int, frames: int = 79) -> np.ndarray:
        """Return different clips: the frames from different places on."""
        starts = np.arange(batch)[:, None] * 5
        return self.frames[(starts + np.arange(frames)) % len(self.frames)]

    def synchronize(self) -> None:
        if self.is_cuda:
            torch.cuda.synchronize()


def seconds_of(bench: Bench, call: Callable[[], object], *, least: int = 5, budget: float = 0.5) -> Record:
    """Time `call` until the device is done, after three warm-ups: at least `least` times, for `budget` seconds."""
    if bench.small:
        least, budget = 2, 0.0
    for _ in range(1 if bench.small else 3):
        call()
    bench.synchronize()
    found: list[float] = []
    while len(found) < least or (sum(found) < budget and len(found) < 200):
        start = time.perf_counter()
        call()
        bench.synchronize()
        found.append(time.perf_counter() - start)
    return {"seconds": median(found), "least": min(found), "greatest": max(found), "rounds": len(found)}


def machine(bench: Bench) -> Record:
    found: Record = describe(torch.get_num_threads())
    found |= {"torch": torch.__version__, "cudnn": torch.backends.cudnn.version()}
    found |= {
        "tf32_in_convolutions": torch.backends.cudnn.allow_tf32,
        "tf32_in_products": torch.backends.cuda.matmul.allow_tf32,
    }
    if bench.is_cuda:
        properties = torch.cuda.get_device_properties(0)
        found |= {"gpu": properties.name, "gpu_bytes": properties.total_memory, "cuda": torch.version.cuda}
    return found
