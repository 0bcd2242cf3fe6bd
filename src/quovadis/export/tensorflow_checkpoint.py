"""TensorFlow V2 checkpoint, written without TensorFlow: of official weights, the original files to the byte.

See `quovadis.weights.tensorflow_checkpoint` for the format (tensorflow/core/protobuf/tensor_bundle.proto).
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import variable_shapes
from quovadis.export import weights_only
from quovadis.export.exporter import RunResult
from quovadis.export.options import ExportOptions
from quovadis.extras import import_extra
from quovadis.weights import Weights
from quovadis.weights.checksum import masked_crc32c
from quovadis.weights.detect import INDEX_SUFFIX
from quovadis.weights.protobuf_wire import encode_content, encode_fixed32, encode_integer
from quovadis.weights.sstable import write_table

_FLOAT = 1
"""`DT_FLOAT`."""
_HEADER = encode_integer(1, 1) + encode_content(3, encode_integer(1, 1))
"""`BundleHeaderProto`: one data file, little-endian, format version 1."""


def write(weights: Weights, path: Path, options: ExportOptions) -> None:
    """Write `PATH.index` and `PATH.data-00000-of-00001`; the tensors lie in order of name."""
    entries, offset = {b"": _HEADER}, 0
    with path.with_name(f"{path.name}.data-00000-of-00001").open("wb") as file:
        for name, tensor in sorted(weights.tensors.items()):
            entries[name.encode()] = _entry(tensor, offset)
            file.write(tensor.data)
            offset += tensor.nbytes
    path.with_name(path.name + INDEX_SUFFIX).write_bytes(write_table(entries))


def _entry(tensor: NDArray[np.float32], offset: int) -> bytes:
    """Return a `BundleEntryProto`."""
    shape = b"".join(encode_content(2, encode_integer(1, size)) for size in tensor.shape)
    position = encode_integer(4, offset) + encode_integer(5, tensor.nbytes)
    checksum = encode_fixed32(6, masked_crc32c(tensor.data.cast("B")))
    return encode_integer(1, _FLOAT) + encode_content(2, shape) + position + checksum


def run(path: Path, clips: NDArray[np.uint8], options: ExportOptions) -> RunResult:
    """Read the checkpoint with TensorFlow, if it is installed, and with our own reader; run what was read.

    With TensorFlow the original graph runs, in it; without it the default engine does.
    """
    if find_spec("tensorflow") is None:
        return weights_only.run(path, clips, "without TensorFlow, which is not installed")
    tf = import_extra("tensorflow", "reading a TensorFlow checkpoint")
    from quovadis.export import tensorflow_graph

    reader = tf.train.load_checkpoint(str(path))
    graph = tensorflow_graph.build_graph({name: reader.get_tensor(name) for name in variable_shapes()}, options)
    return tensorflow_graph.run_graph(graph, clips)
