"""How far the logits of each engine in float32 are from those of DeepMind's own graph, for each length of the oracle.

    python benchmarks/accuracy.py [--threads 2]

Needs the folder of reference outputs: QUOVADIS_ASSETS, or ../shared.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator

import numpy as np
import oracle

from quovadis.engines import Engine, NativeEngine, OpenVINOEngine
from quovadis.engines.native_library import AMX, instruction_sets
from quovadis.engines.torch_engine import TorchEngine
from quovadis.weights import load_weights


def engines(threads: int) -> Iterator[tuple[str, Callable[[], Engine]]]:
    """Yield a name and a maker for every engine that this machine can run."""
    tensors = load_weights("rgb-scratch").tensors
    for name in instruction_sets():
        if name == AMX:
            continue  # In float32 it is AVX-512.
        yield f"native {name}", lambda name=name: NativeEngine(tensors, threads=threads, instruction_set=name)
    yield "openvino", lambda: OpenVINOEngine(tensors, threads=threads)
    yield "torch", lambda: TorchEngine(tensors, device="cpu", threads=threads)


def distances(engine: Engine) -> dict[int, float]:
    """Return the greatest difference of a logit for each number of frames."""
    return {
        frames: float(np.abs(engine.run(oracle.clip(frames)).logits[0] - oracle.logits(frames)).max())
        for frames in oracle.LENGTHS
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    print("greatest difference of a logit, by number of frames")
    print(f"{'engine':<14}" + "".join(f"{frames:>9}" for frames in oracle.LENGTHS) + f"{'greatest':>10}")
    for name, make in engines(arguments.threads):
        found = distances(make())
        cells = "".join(f"{value:>9.1e}" for value in found.values())
        print(f"{name:<14}{cells}{max(found.values()):>10.1e}", flush=True)


if __name__ == "__main__":
    main()
