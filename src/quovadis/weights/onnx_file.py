"""ONNX models that Quovadis wrote: batch norm is folded in them, so is what is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from quovadis.architecture import convolutions
from quovadis.errors import MissingDependencyError, WeightsError
from quovadis.extras import import_extra
from quovadis.labels import labels_from_json
from quovadis.weights.file_sample import read_error
from quovadis.weights.folding import kernel_name, read_folded
from quovadis.weights.input_specification import INPUT_KEY, input_from_json
from quovadis.weights.model import FileContent
from quovadis.weights.protobuf_wire import WireError, content, read_fields

_GRAPH = 7
"""Number of the field of `ModelProto` that holds the graph (onnx.proto)."""
_FIRST_UNIT = next(unit for unit, _ in convolutions())


def read_onnx(path: Path) -> FileContent:
    """Read the weights of an ONNX model that Quovadis wrote, with a batch norm that changes nothing, and its metadata.

    Raises:
        MissingDependencyError: onnx is not installed.
        WeightsError: the file is damaged, or from elsewhere.
    """
    try:
        onnx = import_extra("onnx", "reading ONNX")
    except MissingDependencyError:
        # Not worth an installation for a model that will not be read.
        if _is_foreign(path):
            raise _foreign_error(path, kernel_name(_FIRST_UNIT)) from None
        raise
    try:
        model = onnx.load(path, load_external_data=False)
    except OSError as error:
        raise read_error(path, error) from error
    except Exception as error:
        # protobuf's own exception is not part of onnx's interface.
        raise WeightsError(f"{path}: not an ONNX model, or damaged ({type(error).__name__}); fetch it again") from error
    initializers = {tensor.name: tensor for tensor in model.graph.initializer}

    def value(name: str) -> NDArray[Any]:
        tensor = initializers.get(name)
        if tensor is None:
            raise _foreign_error(path, name)
        try:
            array: NDArray[Any] = onnx.numpy_helper.to_array(tensor)
        except (ValueError, TypeError) as error:
            raise WeightsError(f"{path}: tensor {name} is damaged: {error}") from error
        return array

    metadata = {entry.key: entry.value for entry in model.metadata_props}
    specified = input_from_json(metadata.get(INPUT_KEY), path)
    return FileContent(read_folded(value, path), labels_from_json(metadata.get("labels")), specified)


def _foreign_error(path: Path, name: str) -> WeightsError:
    return WeightsError(
        f"{path}: an ONNX model without the tensor {name}: only models that Quovadis wrote are read back; give the "
        "checkpoint that it was exported from"
    )


def _is_foreign(path: Path) -> bool:
    """Tell whether a file is a `ModelProto` whose graph does not name the network's first kernel."""
    try:
        graph = next((content(field) for number, field in read_fields(path.read_bytes()) if number == _GRAPH), None)
    except (OSError, WireError):
        return False
    return graph is not None and kernel_name(_FIRST_UNIT).encode() not in graph
