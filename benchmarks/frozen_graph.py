"""The network as TensorFlow 1 froze it: the reference peer of the benchmarks.

An interpretation of the architecture table in TensorFlow's own operations, batch norm unfolded as in the original, with
the weights as constants: what `i3d-rgb.frozen.pb` of the model card is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from quovadis.architecture import (
    BATCH_NORM_EPSILON,
    HEAD,
    Convolution,
    MaxPool,
    Mixed,
    convolution_variables,
    interpret,
)


class TensorFlowOperations:
    """The verbs of `architecture.interpret`, on TensorFlow tensors in NDHWC."""

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]]) -> None:
        self._tensors = tensors

    def convolution(self, x: tf.Tensor, unit: Convolution) -> tf.Tensor:
        names = convolution_variables(unit)
        y = tf.nn.conv3d(x, self._tensors[names.weights], (1, *unit.stride, 1), "SAME")
        mean, variance, beta = (self._tensors[str(n)] for n in (names.moving_mean, names.moving_variance, names.beta))
        return tf.nn.relu(tf.nn.batch_normalization(y, mean, variance, beta, None, BATCH_NORM_EPSILON))

    def max_pool(self, x: tf.Tensor, unit: MaxPool) -> tf.Tensor:
        return tf.nn.max_pool3d(x, (1, *unit.kernel, 1), (1, *unit.stride, 1), "SAME")

    def concatenate(self, branches: list[tf.Tensor], unit: Mixed) -> tf.Tensor:
        return tf.concat(branches, 4)


def write_frozen_graph(tensors: Mapping[str, NDArray[np.float32]], path: Path, frames: int = 79) -> None:
    """Write the graph: `Placeholder` 1,frames,224,224,3 in [-1, 1] to `Softmax` 1,400."""
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (1, frames, 224, 224, 3), "Placeholder")
        *_, (_, features) = interpret(TensorFlowOperations(tensors), x)
        pooled = tf.nn.avg_pool3d(features, (1, *HEAD.pool, 1), (1, 1, 1, 1, 1), "VALID")
        names = convolution_variables(HEAD.convolution)
        maps = tf.nn.conv3d(pooled, tensors[names.weights], (1, 1, 1, 1, 1), "SAME") + tensors[str(names.bias)]
        logits = tf.reduce_mean(tf.squeeze(maps, (2, 3)), 1, name="Logits")
        tf.nn.softmax(logits, name="Softmax")
        path.write_bytes(graph.as_graph_def().SerializeToString())
