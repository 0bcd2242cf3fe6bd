"""safetensors: the 230 tensors by their original names, and where they are from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from safetensors import __version__ as safetensors_version
from safetensors.numpy import save

from quovadis.export import weights_only
from quovadis.export.exporter import RunResult, provenance
from quovadis.export.options import ExportOptions
from quovadis.labels import labels_to_json
from quovadis.weights import Weights
from quovadis.weights.safetensors_file import LABELS_KEY


def write(weights: Weights, path: Path, options: ExportOptions) -> None:
    """Write one file; its metadata names the weights, their SHA-256, the file they came from, and their classes."""
    save_weights(weights, path, weights.known_labels)


def save_weights(
    weights: Weights, path: Path, labels: Sequence[str] | None, notes: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Write one file with the class names that are given, and with notes beside what every file's metadata holds."""
    classes = {} if labels is None else {LABELS_KEY: labels_to_json(labels)}
    path.write_bytes(save(dict(weights.tensors), {"format": "np", **provenance(weights), **notes, **classes}))


def run(path: Path, clips: NDArray[np.uint8], options: ExportOptions) -> RunResult:
    """Read the file with safetensors and run what was read on the default engine."""
    return weights_only.run(path, clips, f"read by safetensors {safetensors_version}")
