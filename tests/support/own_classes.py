"""The official network with a head of one's own: any number of classes, random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import HEAD, VARIABLE_PREFIX, convolution_variables
from quovadis.weights import Weights
from support.table_writer import tensor, write_checkpoint

Tensors = dict[str, NDArray[np.float32]]
_HEAD = convolution_variables(HEAD.convolution)


def with_classes(weights: Weights, num_classes: int) -> Tensors:
    """The tensors of `weights` with another head, whose logits are a few units apart."""
    generator = np.random.default_rng(num_classes)
    kernel = generator.standard_normal((1, 1, 1, 1024, num_classes)).astype(np.float32)
    bias = generator.standard_normal(num_classes).astype(np.float32)
    return {**weights.tensors, _HEAD.weights: kernel, str(_HEAD.bias): bias}


def as_in_kinetics600(tensors: Tensors) -> Tensors:
    """The same as DeepMind's checkpoint for Kinetics-600 has them.

    Names have no scope, batch norm has five axes, and momentum stands beside what is trained.
    """
    bare = {
        name.removeprefix(VARIABLE_PREFIX + "/"): values.reshape(1, 1, 1, 1, -1) if "/batch_norm/" in name else values
        for name, values in tensors.items()
    }
    momentum = {f"{name}/Momentum": -values for name, values in bare.items() if "/moving_" not in name}
    return dict(sorted((bare | momentum).items()))


def write_kinetics600(tensors: Tensors, prefix: Path) -> Path:
    """Write such a checkpoint, with other means than the product's."""
    entries, data = {}, bytearray()
    for name, values in as_in_kinetics600(tensors).items():
        content = values.tobytes()
        entries[name.encode()] = tensor(content, values.shape, offset=len(data))
        data += content
    return write_checkpoint(prefix, entries, bytes(data))
