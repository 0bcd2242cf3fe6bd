"""OpenVINO IR that Quovadis wrote: batch norm is folded in it, so is what is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.errors import WeightsError
from quovadis.labels import labels_from_json
from quovadis.openvino_runtime import ov
from quovadis.weights.folding import read_folded
from quovadis.weights.foreign import refuse_foreign
from quovadis.weights.input_specification import INPUT_KEY, input_from_json
from quovadis.weights.model import FileContent

MODEL_API_LABELS, EXACT_LABELS = ["model_info", "labels"], ["quovadis", "labels"]
"""Where the class names stand in `rt_info`."""
INPUT_PATH = ["quovadis", INPUT_KEY]
"""Where the input's specification stands there."""


def read_openvino(path: Path) -> FileContent:
    """Read the weights of an IR that Quovadis wrote, with a batch norm that changes nothing, and its `rt_info`.

    Args:
        path: the .xml file; its .bin lies beside it.

    Raises:
        WeightsError: a file is missing or damaged, or the IR is from elsewhere.
    """
    binary = path.with_suffix(".bin")
    if not binary.is_file():
        raise WeightsError(f"{path}: its weights are missing: there is no file {binary.name} beside it")
    refuse_foreign(binary, text_only=True)
    try:
        model = ov.Core().read_model(path)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise WeightsError(f"{path}: not OpenVINO IR, or damaged: {reason}") from error
    nodes = {node.get_friendly_name(): node for node in model.get_ops()}

    def value(name: str) -> NDArray[Any]:
        node = nodes.get(name)
        if node is not None and node.get_type_name() == "Convert":
            # Weights compressed to half precision are widened by a node that takes their name.
            node = node.input_value(0).get_node()
        if node is None or node.get_type_name() != "Constant":
            raise WeightsError(
                f"{path}: an IR without the constant {name}: only models that Quovadis wrote are read back"
            )
        # A copy: the model, whose memory this is, ends here.
        array: NDArray[Any] = np.array(node.get_data(), np.float32)
        return array

    text = model.get_rt_info(INPUT_PATH).astype(str) if model.has_rt_info(INPUT_PATH) else None
    return FileContent(read_folded(value, path), _labels(model), input_from_json(text, path))


def encode_labels(labels: Sequence[str]) -> str:
    """Return class names as Model API reads them from an IR: separated by spaces, with underscores within a name."""
    return " ".join(label.replace(" ", "_") for label in labels)


def decode_labels(text: str) -> tuple[str, ...]:
    """Return the class names that `encode_labels` was given, if none of them has an underscore of its own."""
    return tuple(label.replace("_", " ") for label in text.split())


def _labels(model: ov.Model) -> tuple[str, ...] | None:
    """Return the class names: those that Model API would garble stand a second time, in JSON."""
    if model.has_rt_info(EXACT_LABELS):
        return labels_from_json(model.get_rt_info(EXACT_LABELS).astype(str))
    if model.has_rt_info(MODEL_API_LABELS):
        return decode_labels(model.get_rt_info(MODEL_API_LABELS).astype(str))
    return None
