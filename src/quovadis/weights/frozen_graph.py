"""TensorFlow frozen graphs: the constants that a checkpoint's variables became, read without TensorFlow.

A `GraphDef` (tensorflow/core/framework/graph.proto). Freezing replaces each variable's node by a `Const` of the same
name, so that the variables are found again by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import variable_shapes
from quovadis.errors import WeightsError
from quovadis.weights.file_sample import read_whole
from quovadis.weights.protobuf_wire import WireError, content, integer, read_fields, read_shape
from quovadis.weights.variable_names import original_names

_FLOAT, _DOUBLE, _HALF = 1, 2, 19
_DTYPES = {_FLOAT: "<f4", _DOUBLE: "<f8", _HALF: "<f2"}
"""NumPy's names for `DataType` of tensorflow/core/framework/types.proto."""
_MAX_BYTES = 1 << 31
"""A protocol buffer holds no more."""
_MAX_ELEMENTS = 1 << 26


def read_frozen_graph(path: Path) -> dict[str, NDArray[Any]]:
    """Read the network's variables out of a frozen graph, whatever scope it was imported under.

    Raises:
        WeightsError: the file is damaged or no graph, or has not the network's variables as constants.
    """
    data = read_whole(path, _MAX_BYTES, "a frozen graph")
    try:
        wanted = variable_shapes()
        constants = dict(_constants(data))
        names = {name: original for name, original in original_names(constants).items() if original in wanted}
        if not names:
            raise WeightsError(
                f"{path}: a TensorFlow graph without the constant {next(iter(wanted))}: not I3D RGB frozen from its "
                "original variables, or already optimised; freeze it again from the checkpoint, or convert the "
                "checkpoint"
            )
        return {original: _read_tensor(constants[name]) for name, original in names.items()}
    except (WireError, UnicodeDecodeError, ValueError) as error:
        raise WeightsError(f"{path}: not a TensorFlow frozen graph, or damaged: {error}; fetch it again") from error


def _constants(graph: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield name and `TensorProto` of every constant."""
    for number, node in read_fields(graph):
        if number != 1:
            continue
        name, operation, tensor = "", b"", None
        for part, field in read_fields(content(node)):
            if part == 1:
                name = content(field).decode()
            elif part == 2:
                operation = content(field)
            elif part == 5 and operation == b"Const":
                attribute = dict(read_fields(content(field)))
                if attribute.get(1) == b"value":
                    value = dict(read_fields(content(attribute.get(2, b""))))
                    tensor = content(value.get(8, b""))
        if tensor is not None:
            yield name, tensor


def _read_tensor(message: bytes) -> NDArray[Any]:
    """Read a `TensorProto`: packed bytes, or a list of values of which the last one fills the rest."""
    dtype, raw, values = 0, b"", bytearray()
    shape: tuple[int, ...] = ()
    for number, field in read_fields(message):
        match number:
            case 1:
                dtype = integer(field)
            case 2:
                shape = read_shape(content(field))
            case 4:
                raw = content(field)
            case 5 | 6:
                size = 4 if number == 5 else 8
                values += field.to_bytes(size, "little") if isinstance(field, int) else field
            case 13:
                raise WireError("holds half precision as a list of values")
    if dtype not in _DTYPES:
        raise WireError(f"holds the dtype {dtype} where weights belong")
    if prod(shape) > _MAX_ELEMENTS:
        raise WireError("a constant claims more values than any of the network's variables has")
    array: NDArray[Any] = np.frombuffer(raw or bytes(values), _DTYPES[dtype])
    missing = prod(shape) - array.size
    if missing and (raw or not array.size or missing < 0):
        raise WireError("a constant's values do not fill its shape")
    return np.pad(array, (0, missing), mode="edge").reshape(shape) if missing else array.reshape(shape)
