"""What the machine can do at best: float32 multiplications of large matrices, and bytes moved in memory."""

from __future__ import annotations

import time

import numpy as np
import torch

from quovadis.architecture import flops

ROUNDS = 9


def measure(threads: int) -> dict[str, float]:
    """Return GFLOP/s of a matrix product in float32, GB/s of a copy, and the network's GFLOP for one clip."""
    torch.set_num_threads(threads)
    a, b = torch.rand(2048, 2048), torch.rand(2048, 2048)
    product = _least_seconds(lambda: torch.mm(a, b))
    source = torch.zeros(64 << 20, dtype=torch.float32)
    target = torch.empty_like(source)
    copy = _least_seconds(lambda: target.copy_(source))
    return {
        "matrix_gflops": 2 * 2048**3 / product / 1e9,
        "copy_gigabytes": 2 * source.numel() * 4 / copy / 1e9,
        "clip_gflop": flops() / 1e9,
    }


def _least_seconds(action: object) -> float:
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        action()  # type: ignore[operator]
        seconds.append(time.perf_counter() - start)
    return float(np.min(seconds))
