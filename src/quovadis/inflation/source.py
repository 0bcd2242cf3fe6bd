"""The tensors in a file of a network for images, whatever format it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from quovadis.errors import WeightsError
from quovadis.inflation.image_networks import refuse_other_image_network
from quovadis.weights import TensorFlowCheckpoint
from quovadis.weights.detect import WeightsFormat, is_checkpoint_part, is_there, weights_format
from quovadis.weights.foreign import refuse_foreign
from quovadis.weights.safetensors_file import load_safetensors
from quovadis.weights.tensorflow_v1_checkpoint import TensorFlowV1Checkpoint, refuse_shard


@dataclass(frozen=True)
class SourceTensors:
    """Named tensors, of which each is read when it is asked for."""

    path: Path
    shapes: Mapping[str, tuple[int, ...]]
    read: Callable[[str], NDArray[Any]]


def read_source(path: Path) -> SourceTensors:
    """Open a checkpoint of TensorFlow, V1 or V2, or a state dict in a file of PyTorch or safetensors.

    Raises:
        WeightsError: the file is missing, damaged, of another format, or of another network.
        MissingDependencyError: a file of PyTorch, which is not installed.
    """
    if not is_there(path):
        refuse_shard(path)
        raise WeightsError(f"{path}: no such file; give a checkpoint of TensorFlow or a state dict of PyTorch")
    if path.is_file() and not is_checkpoint_part(path):
        refuse_foreign(path)
    source = _open(path, weights_format(path))
    refuse_other_image_network(source.shapes, path)
    return source


def _open(path: Path, file_format: WeightsFormat) -> SourceTensors:
    match file_format:
        case WeightsFormat.TENSORFLOW_V1_CHECKPOINT:
            file = TensorFlowV1Checkpoint(path)
            return SourceTensors(path, file.shapes, file.read)
        case WeightsFormat.TENSORFLOW_CHECKPOINT:
            checkpoint = TensorFlowCheckpoint(path)
            shapes = {name: checkpoint.entry(name).shape for name in checkpoint}
            return SourceTensors(checkpoint.prefix, shapes, checkpoint.read)
        case WeightsFormat.TORCH:
            return _of_arrays(path, _read_torch(path))
        case WeightsFormat.SAFETENSORS:
            tensors, _ = load_safetensors(path)
            return _of_arrays(path, tensors)
        case _:
            raise WeightsError(
                f"{path}: {file_format}, which inflation does not read; give a TensorFlow checkpoint, or a state dict "
                "in a file of PyTorch or safetensors"
            )


def _read_torch(path: Path) -> Mapping[str, NDArray[Any]]:
    from quovadis.weights.torch_file import load_state_dict
    from quovadis.weights.torch_outline import read_outline

    return load_state_dict(path, read_outline(path), lambda state: refuse_other_image_network(state, path))


def _of_arrays(path: Path, tensors: Mapping[str, NDArray[Any]]) -> SourceTensors:
    return SourceTensors(path, {name: tensor.shape for name, tensor in tensors.items()}, tensors.__getitem__)
