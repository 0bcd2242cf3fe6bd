"""Seconds for one 79-frame clip: our graph beside OpenVINO's own conversion of a frozen graph of the same weights.

Both run in one process on the same threads, in turn, so that a drift of the machine's speed touches both alike.

    python benchmarks/single_clip.py [--runs 15] [--threads 2]
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import openvino as ov

from quovadis.engines import OpenVINOEngine
from quovadis.export.formats import FORMATS
from quovadis.weights import Weights, load_weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    weights = load_weights("rgb-scratch")
    clips = np.random.default_rng(0).integers(0, 256, (1, 79, 224, 224, 3), np.uint8)
    engine = OpenVINOEngine(weights.tensors, threads=arguments.threads)
    stock = _stock(weights, arguments.threads)
    normalized = (clips.astype(np.float32) - 127.5) / 127.5
    ours, theirs = engine.run(clips).probabilities, stock(normalized)
    print(f"{platform.processor() or platform.machine()}, {arguments.threads} threads, OpenVINO {ov.get_version()}")
    print(f"greatest difference of a probability: {np.abs(ours - theirs).max():.1e}")
    seconds: dict[str, list[float]] = {"quovadis": [], "OpenVINO, frozen graph": []}
    for _ in range(arguments.runs):
        seconds["quovadis"].append(_time(lambda: engine.run(clips)))
        seconds["OpenVINO, frozen graph"].append(_time(lambda: stock(normalized)))
    for name, values in seconds.items():
        print(f"{name:24} median {median(values):.3f} s   min {min(values):.3f}   max {max(values):.3f}")
    ratios = [a / b for a, b in zip(*seconds.values(), strict=True)]
    print(f"{'ratio, pair by pair':24} median {median(ratios):.3f}     min {min(ratios):.3f}   max {max(ratios):.3f}")


def _stock(weights: Weights, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    # TensorFlow only writes the file; it is imported late because it takes seconds.
    from quovadis.export import tensorflow_graph

    core = ov.Core()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "i3d-rgb.frozen.pb"
        tensorflow_graph.write(weights, path, FORMATS["tensorflow-graph"].defaults)
        model = core.read_model(path)
        config = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
        request = core.compile_model(model, "CPU", config).create_infer_request()
    return lambda x: request.infer({0: x}, share_inputs=True)[0].copy()


def _time(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
