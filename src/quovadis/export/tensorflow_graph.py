"""The network as TensorFlow 1 froze it: `i3d-rgb.frozen.pb` of the model card.

An interpretation of the architecture table in TensorFlow's own operations, batch norm unfolded as in the original, each
variable a constant under its original name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import (
    BATCH_NORM_EPSILON,
    FRAME_SIZE,
    HEAD,
    INPUT_CHANNELS,
    PIXEL_MEAN,
    PIXEL_SCALE,
    VARIABLE_PREFIX,
    Convolution,
    MaxPool,
    Mixed,
    convolution_variables,
    interpret,
)
from quovadis.errors import WeightsError
from quovadis.export.exporter import INPUT_NAME, OUTPUT_NAME, RunResult
from quovadis.export.options import ExportOptions
from quovadis.extras import import_extra
from quovadis.weights import Weights

LOGITS_NAME = f"{VARIABLE_PREFIX}/Mean"
"""What the original graph calls the clip's logits."""


class TensorFlowOperations:
    """The verbs of `architecture.interpret`, on TensorFlow tensors in NDHWC."""

    def __init__(self, tensorflow: Any, tensors: Mapping[str, NDArray[np.float32]]) -> None:
        self._tf = tensorflow
        self._tensors = tensors

    def constant(self, name: str | None) -> Any:
        """Return a variable as a constant of the same name."""
        return self._tf.constant(self._tensors[str(name)], name=name)

    def linear(self, x: Any, unit: Convolution) -> Any:
        """Apply a SAME convolution alone."""
        names = convolution_variables(unit)
        scope = f"{VARIABLE_PREFIX}/{unit.scope}/conv_3d/convolution"
        return self._tf.nn.conv3d(x, self.constant(names.weights), (1, *unit.stride, 1), "SAME", name=scope)

    def convolution(self, x: Any, unit: Convolution) -> Any:
        """Apply a SAME convolution, batch norm and ReLU."""
        names, scope = convolution_variables(unit), f"{VARIABLE_PREFIX}/{unit.scope}"
        mean, variance, beta = map(self.constant, (names.moving_mean, names.moving_variance, names.beta))
        y = self._tf.nn.batch_normalization(
            self.linear(x, unit), mean, variance, beta, None, BATCH_NORM_EPSILON, name=f"{scope}/batch_norm/batchnorm"
        )
        return self._tf.nn.relu(y, name=f"{scope}/Relu")

    def max_pool(self, x: Any, unit: MaxPool) -> Any:
        """Apply a SAME max pool."""
        name = f"{VARIABLE_PREFIX}/{unit.scope}"
        return self._tf.nn.max_pool3d(x, (1, *unit.kernel, 1), (1, *unit.stride, 1), "SAME", name=name)

    def concatenate(self, branches: list[Any], unit: Mixed) -> Any:
        """Concatenate on channels."""
        return self._tf.concat(branches, 4, name=f"{VARIABLE_PREFIX}/{unit.scope}/concat")


def build_graph(tensors: Mapping[str, NDArray[np.float32]], options: ExportOptions) -> Any:
    """Build the graph: `Placeholder` B,D,224,224,3 in [-1, 1] to `Softmax` B,classes, as a `tf.Graph`.

    Raises:
        MissingDependencyError: TensorFlow is not installed.
    """
    tf = import_extra("tensorflow", "writing a TensorFlow frozen graph")
    with tf.Graph().as_default() as graph:
        shape = (options.batch, options.frames, FRAME_SIZE, FRAME_SIZE, INPUT_CHANNELS)
        x = tf.compat.v1.placeholder(tf.float32, shape, INPUT_NAME)
        operations = TensorFlowOperations(tf, tensors)
        *_, (_, features) = interpret(operations, x)
        scope = f"{VARIABLE_PREFIX}/{HEAD.scope}"
        pooled = tf.nn.avg_pool3d(features, (1, *HEAD.pool, 1), (1, 1, 1, 1, 1), "VALID", name=f"{scope}/AvgPool3D")
        bias = operations.constant(convolution_variables(HEAD.convolution).bias)
        maps = tf.add(operations.linear(pooled, HEAD.convolution), bias, name=f"{scope}/Conv3d_0c_1x1/conv_3d/add")
        step_logits = tf.squeeze(maps, (2, 3), name=f"{scope}/SpatialSqueeze")
        logits = tf.reduce_mean(step_logits, 1, name=LOGITS_NAME)
        tf.nn.softmax(logits, name=OUTPUT_NAME)
    return graph


def write(weights: Weights, path: Path, options: ExportOptions) -> None:
    """Write the graph as one file."""
    path.write_bytes(build_graph(weights.tensors, options).as_graph_def().SerializeToString())


def run(path: Path, clips: NDArray[np.uint8], options: ExportOptions) -> RunResult:
    """Run the graph in TensorFlow 2, through its interface for graphs of version 1."""
    tf = import_extra("tensorflow", "running a TensorFlow frozen graph")
    definition = tf.compat.v1.GraphDef()
    definition.ParseFromString(path.read_bytes())
    try:
        with tf.Graph().as_default() as graph:
            tf.compat.v1.import_graph_def(definition, name="")
        definition.Clear()
        return run_graph(graph, clips)
    except (ValueError, tf.errors.OpError) as error:
        raise WeightsError(f"{path}: TensorFlow refuses it: {str(error).strip().splitlines()[0]}") from error


def run_graph(graph: Any, clips: NDArray[np.uint8]) -> RunResult:
    """Run a `tf.Graph` with the names that `build_graph` gives."""
    tf = import_extra("tensorflow", "running a TensorFlow graph")
    # In place: each copy of the pixels takes 50 MB and more, beside TensorFlow's gigabyte.
    pixels = clips.astype(np.float32)
    pixels -= PIXEL_MEAN
    pixels /= PIXEL_SCALE
    # As written: rewriting the graph first takes half a gigabyte more, and more time than one run can win back.
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    with tf.compat.v1.Session(graph=graph, config=config) as session:
        fetches = (f"{LOGITS_NAME}:0", f"{OUTPUT_NAME}:0")
        logits, probabilities = session.run(fetches, {f"{INPUT_NAME}:0": pixels})
    return RunResult(logits, probabilities, f"TensorFlow {tf.__version__}")
