"""safetensors: the 230 tensors by their original names, and where they are from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import __version__ as safetensors_version
from safetensors.numpy import save

from quovadis.export import weights_only
from quovadis.export.exporter import RunResult, provenance
from quovadis.export.options import ExportOptions
from quovadis.weights import Weights
from quovadis.weights.safetensors_file import read_safetensors


def write(weights: Weights, path: Path, options: ExportOptions) -> None:
    """Write one file; its metadata names the weights, their SHA-256, and the file they came from."""
    path.write_bytes(save(dict(weights.tensors), {"format": "np", **provenance(weights)}))


def run(path: Path, clips: NDArray[np.uint8], options: ExportOptions) -> RunResult:
    """Read the file with safetensors and run what was read on the default engine."""
    return weights_only.run(read_safetensors(path), path, clips, f"read by safetensors {safetensors_version}")
