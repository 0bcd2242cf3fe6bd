"""Files that hold weights and no graph: what was written is read back and run on the default engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import variable_shapes
from quovadis.export.exporter import RunResult
from quovadis.weights.model import make_weights

NAMES = tuple(variable_shapes())


def run(tensors: Mapping[str, NDArray[Any]], path: Path, clips: NDArray[np.uint8], note: str) -> RunResult:
    """Run the network with the tensors that were read from `path`; `note` says in the report how they were read."""
    # Imported late, so that writing such files needs no OpenVINO.
    from quovadis.engines.openvino_engine import OpenVINOEngine

    engine = OpenVINOEngine(make_weights(tensors, path, path.stem).tensors)
    output = engine.run(clips)
    return RunResult(output.logits, output.probabilities, f"OpenVINO {engine.description['version']}, {note}")
