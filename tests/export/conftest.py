"""Every format, written once by the product from the official weights and verified by it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
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
    """By format."""
    folder = tmp_path_factory.mktemp("written")
    done = {}
    for name in FORMATS:
        path = folder / NAMES.get(name, name + SUFFIXES.get(name, ".pth"))
        done[name] = Written(path, convert("rgb-scratch", path, to=name))
    return done


@pytest.fixture(scope="session")
def oracle_logits(assets: Path) -> NDArray[np.float32]:
    logits: NDArray[np.float32] = np.load(assets / "oracle" / "cricket_rgb_scratch.npz")["logits"].reshape(1, -1)
    return logits


@pytest.fixture(scope="session")
def engine(official: Weights) -> OpenVINOEngine:
    return OpenVINOEngine(official.tensors)
