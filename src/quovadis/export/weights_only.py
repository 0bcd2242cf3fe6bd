"""Files that hold weights and no graph: what was written is read back and run on the default engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quovadis.export.exporter import RunResult
from quovadis.weights import read_weights


def run(path: Path, clips: NDArray[np.uint8], note: str) -> RunResult:
    """Read what was written at `path` and run the network with it; `note` says in the report how it was read."""
    # Imported late, so that writing such files needs no OpenVINO.
    from quovadis.engines.openvino_engine import OpenVINOEngine

    engine = OpenVINOEngine(read_weights(path).tensors)
    output = engine.run(clips)
    return RunResult(output.logits, output.probabilities, f"OpenVINO {engine.description['version']}, {note}")
