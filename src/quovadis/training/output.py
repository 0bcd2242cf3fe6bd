"""The weights that a training leaves: files that every part of Quovadis takes, with all that is to be known of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from quovadis.durable import output_file
from quovadis.labels import labels_to_json
from quovadis.version import __version__
from quovadis.weights import InputSpecification
from quovadis.weights.input_specification import INPUT_KEY
from quovadis.weights.safetensors_file import LABELS_KEY

BEST_NAME, LAST_NAME = "best.safetensors", "last.safetensors"
"""In the folder of a run: the weights of the best evaluation, and those of the end."""
PREDICTIONS_NAME = "predictions.jsonl"
"""In the folder of a run: what the best weights make of each validation video."""
TRAINING_KEY = "training"
"""Where the metadata hold, as JSON, how the network was trained."""


def write_weights(
    path: Path,
    tensors: Mapping[str, NDArray[np.float32]],
    labels: Sequence[str],
    input_specification: InputSpecification,
    provenance: Mapping[str, Any],
) -> None:
    """Write weights with the names of their classes and where they are from.

    Args:
        path: of the file, whose older content is replaced once the new one is on disk.
        tensors: by original variable name; of a network that is no whole I3D, by the names of its state dict.
        labels: the class names, in output order.
        input_specification: what clips the network was trained on.
        provenance: how the weights were made, in JSON's types.

    Raises:
        OutputError: the file cannot be written.
    """
    metadata = {
        "format": "np",
        "version": __version__,
        LABELS_KEY: labels_to_json(labels),
        INPUT_KEY: input_specification.to_json(),
        TRAINING_KEY: json.dumps(dict(provenance), ensure_ascii=False),
    }
    content = save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, metadata)
    with output_file(path) as temporary:
        temporary.write_bytes(content)


def training_told(path: Path) -> dict[str, Any]:
    """Return what a file of weights says about its training; empty if there is no such file, or it says nothing."""
    try:
        with safe_open(path, "np") as file:
            told = json.loads((file.metadata() or {}).get(TRAINING_KEY, "{}"))
    except (OSError, SafetensorError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def write_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write records, one line of JSON each.

    Raises:
        OutputError: the file cannot be written.
    """
    _write_text(path, "".join(json.dumps(dict(record), ensure_ascii=False) + "\n" for record in records))


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write values by name as indented JSON.

    Raises:
        OutputError: the file cannot be written.
    """
    _write_text(path, json.dumps(dict(values), indent=1, ensure_ascii=False))


def _write_text(path: Path, text: str) -> None:
    with output_file(path) as temporary:
        # Bytes of file names that are no text become JSON's own escapes, which read back as they were.
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
