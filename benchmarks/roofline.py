"""What the machine can do at best: float32 products of large matrices, and bytes moved in memory."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from quovadis.architecture import flops
from quovadis.openvino_runtime import opset13, ov

ROUNDS = 9
SIZE = 2048


def measure(threads: int) -> dict[str, float]:
    """Return GFLOP/s of OpenVINO's matrix product, GB/s of NumPy's copy, and the network's GFLOP for one clip."""
    source = np.zeros(64 << 20, np.float32)
    target = np.ones_like(source)
    copy = _least_seconds(lambda: np.copyto(target, source))
    return {
        "matrix_gflops": 2 * SIZE**3 / _least_seconds(_matrix_product(threads)) / 1e9,
        "copy_gigabytes": 2 * source.nbytes / copy / 1e9,
        "clip_gflop": flops() / 1e9,
    }


def _matrix_product(threads: int) -> Callable[[], object]:
    # Of the libraries at hand the fastest at it: OpenBLAS and MKL reach half on this project's machine.
    random = np.random.default_rng(0)
    a, b = random.random((2, SIZE, SIZE), np.float32)
    parameter = opset13.parameter([SIZE, SIZE], np.float32)
    product = opset13.matmul(parameter, opset13.constant(b), transpose_a=False, transpose_b=False)
    config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    request = ov.Core().compile_model(ov.Model([product], [parameter]), "CPU", config).create_infer_request()
    return lambda: request.infer({0: a}, share_inputs=True, share_outputs=True)


def _least_seconds(action: Callable[[], object]) -> float:
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
