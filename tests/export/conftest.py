"""Every format, written once by the product from the official weights and verified by it."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from numpy.typing import NDArray

from quovadis import convert
from quovadis.engines import OpenVINOEngine
from quovadis.export.formats import FORMATS
from quovadis.weights import Weights, read_weights
from support.conversions import Written

NAMES = {"tensorflow-checkpoint": "model.ckpt", "tensorflow-graph": "i3d-rgb.frozen.pb", "openvino": "i3d-rgb.xml"}
SUFFIXES = {"onnx": ".onnx", "safetensors": ".safetensors", "torch-program": ".pt2"}


@pytest.fixture(scope="session")
def official(rgb_scratch_path: Path) -> Weights:
    return read_weights(rgb_scratch_path)


@pytest.fixture(scope="session")
def written(official: Weights, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Written]:
    """By format; made once, whichever of several test processes asks first."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "written"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / ".lock"):
        kept = folder / "written.pickle"
        if not kept.exists():
            done = {}
            for name in FORMATS:
                path = folder / NAMES.get(name, name + SUFFIXES.get(name, ".pth"))
                done[name] = Written(path, convert("rgb-scratch", path, to=name))
            kept.write_bytes(pickle.dumps(done))
        found: dict[str, Written] = pickle.loads(kept.read_bytes())
        return found


@pytest.fixture(scope="session")
def oracle_logits(assets: Path) -> NDArray[np.float32]:
    logits: NDArray[np.float32] = np.load(assets / "oracle" / "cricket_rgb_scratch.npz")["logits"].reshape(1, -1)
    return logits


@pytest.fixture(scope="session")
def engine(official: Weights) -> OpenVINOEngine:
    return OpenVINOEngine(official.tensors)
