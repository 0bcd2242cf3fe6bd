"""What a format's module offers: a way to write a model, and a way to run what was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quovadis.export.options import ExportOptions
from quovadis.version import __version__
from quovadis.weights import Weights
from quovadis.weights.input_specification import INPUT_KEY

INPUT_NAME, OUTPUT_NAME = "Placeholder", "Softmax"
"""The model card's names."""
LOGITS_NAME = "Logits"
"""Tensor that carries the logits inside our own graphs: no output, but found by name."""


@dataclass(frozen=True)
class RunResult:
    """What a written model makes of clips."""

    logits: NDArray[np.float32]
    """Shape B,classes."""
    probabilities: NDArray[np.float32]
    """Shape B,classes."""
    runtime: str
    """What ran it, with its version."""


class Exporter(Protocol):
    """One format."""

    def write(self, weights: Weights, path: Path, options: ExportOptions) -> None:
        """Write a model.

        Args:
            weights: the network's weights.
            path: the main file, or prefix, in a folder that exists; nothing of its name is there yet.
            options: the input's shape and layout, and how the weights are stored.

        Raises:
            MissingDependencyError: the package that writes this format is not installed.
            OutputError: the file cannot be written.
        """
        ...

    def run(self, path: Path, clips: NDArray[np.uint8], options: ExportOptions) -> RunResult:
        """Run a written model in its own runtime.

        Args:
            path: as it was given to `write`.
            clips: RGB, uint8, shape B,D,224,224,3.
            options: as they were given to `write`.

        Raises:
            MissingDependencyError: the runtime is not installed.
            QuovadisError: the runtime refuses the file.
        """
        ...


def provenance(weights: Weights) -> Mapping[str, str]:
    """Return what a written file should tell of its origin and input; of the source only its name, no secret."""
    told = {"weights": weights.name, "sha256": weights.sha256, "source": weights.source.name, "version": __version__}
    return {**told, INPUT_KEY: weights.input.to_json()} if weights.input.to_dict() else told
