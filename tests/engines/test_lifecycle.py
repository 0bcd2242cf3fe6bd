"""An engine can be closed: its threads and memory are free, and it refuses more work."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from quovadis.engines import Engine, NativeEngine, open_engine
from quovadis.errors import EngineError
from quovadis.weights import load_weights
from support.fake_engine import ColourEngine

CLIP = np.zeros((1, 9, 224, 224, 3), np.uint8)
FIRST = np.zeros((55, 224, 224, 3), np.uint8)


Tensors = Mapping[str, NDArray[np.float32]]


@pytest.fixture(scope="module")
def tensors(rgb_scratch_path: Path) -> Tensors:
    return load_weights(rgb_scratch_path).tensors


@pytest.fixture(params=["native", "openvino", "torch"])
def engine(request: pytest.FixtureRequest, tensors: Tensors) -> Engine:
    return open_engine(tensors, name=request.param, threads=2)


def test_a_closed_engine_refuses_to_run(engine: Engine) -> None:
    engine.run(CLIP)
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.run(CLIP)
    assert engine.description["device"]


def test_the_end_of_a_with_block_closes_the_engine() -> None:
    with ColourEngine() as engine:
        engine.run(CLIP)
    with pytest.raises(EngineError, match="closed"):
        engine.run(CLIP)
    with pytest.raises(EngineError, match="closed"), engine:
        pass


@pytest.mark.parametrize("name", ["native", "openvino"])
def test_streams_of_a_closed_engine_end_too(name: str, tensors: Tensors) -> None:
    engine = open_engine(tensors, name=name, threads=2)  # type: ignore[arg-type]
    stream = engine.open_stream()
    stream.push(FIRST)
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        stream.push(FIRST[:8])
    with pytest.raises(EngineError, match="closed"):
        engine.open_stream()


@pytest.fixture(scope="module")
def closed(rgb_scratch_path: Path) -> dict[str, int]:
    """What closing changes in a process of its own, which holds nothing else: here libraries start threads too."""
    code = (
        "import os, sys, numpy as np, psutil; from pathlib import Path; from quovadis.engines import NativeEngine; "
        "from quovadis.weights import read_weights; tensors = read_weights(Path(sys.argv[1])).tensors; "
        "memory = lambda: psutil.Process().memory_info().rss; "
        "threads = lambda: len(os.listdir('/proc/self/task')); before = threads(); "
        "engine = NativeEngine(tensors, threads=3); del tensors; engine.run(np.zeros((1, 9, 224, 224, 3), np.uint8)); "
        "running, held = threads() - before, memory(); engine.close(); "
        "print(running, threads() - before, held - memory())"
    )
    run = subprocess.run([sys.executable, "-c", code, rgb_scratch_path], capture_output=True, text=True, check=True)
    running, left, freed = map(int, run.stdout.split())
    return {"threads that ran": running, "threads left": left, "bytes freed": freed}


def test_closing_ends_the_threads(closed: dict[str, int]) -> None:
    assert (closed["threads that ran"], closed["threads left"]) == (2, 0)


def test_closing_frees_the_memory(closed: dict[str, int]) -> None:
    # The transformed weights alone are more than 100 MB.
    assert closed["bytes freed"] > 100e6


def test_calls_in_progress_finish(tensors: Tensors, cricket_frames: NDArray[np.uint8]) -> None:
    engine = NativeEngine(tensors, threads=2)
    clip = cricket_frames[np.newaxis, :16]
    expected = engine.run(clip).logits
    found: list[NDArray[np.float32]] = []
    begun = threading.Thread(target=lambda: found.append(engine.run(clip).logits))
    begun.start()
    while engine._free.qsize():
        pass
    engine.close()
    begun.join(60)
    np.testing.assert_array_equal(found[0], expected)
