"""ONNX of the converted model: raw pixels in, mean and scale inside, probabilities out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import (
    FRAME_SIZE,
    HEAD,
    INPUT_CHANNELS,
    PIXEL_MEAN,
    PIXEL_SCALE,
    Convolution,
    MaxPool,
    Mixed,
    interpret,
)
from quovadis.errors import WeightsError
from quovadis.export.exporter import INPUT_NAME, LOGITS_NAME, OUTPUT_NAME, RunResult, provenance
from quovadis.export.options import ExportOptions
from quovadis.extras import import_extra
from quovadis.labels import labels_to_json
from quovadis.weights import Weights
from quovadis.weights.folding import bias_name, fold_batch_norm, kernel_name

OPSET = 17
"""The newest before ReduceMean took its axes as an input: runtimes of 2022 and later know it."""
IR_VERSION = 8
"""The file format that goes with this opset."""
_TO_ONNX = (4, 3, 0, 1, 2)
"""From t, h, w, in, out to ONNX's out, in, t, h, w."""
_PURPOSE = "writing ONNX"


class OnnxOperations:
    """The verbs of `architecture.interpret`, on names of ONNX tensors in NCDHW."""

    def __init__(self, onnx: Any, weights: Weights) -> None:
        self._onnx = onnx
        self._weights = weights
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add a node and return its output's name."""
        self.nodes.append(self._onnx.helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, values: NDArray[np.float32]) -> str:
        """Add an initializer and return its name."""
        self.initializers.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def convolution(self, x: str, unit: Convolution) -> str:
        """Apply a SAME convolution, folded batch norm and ReLU."""
        return self.node("Relu", [self.linear(x, unit)], unit.scope)

    def linear(self, x: str, unit: Convolution) -> str:
        """Apply a SAME convolution and its bias, without activation."""
        folded = fold_batch_norm(self._weights.tensors, unit)
        kernel = self.constant(kernel_name(unit), folded.kernel.transpose(_TO_ONNX))
        bias = self.constant(bias_name(unit), folded.bias)
        sizes = {"kernel_shape": unit.kernel, "strides": unit.stride}
        return self.node("Conv", [x, kernel, bias], f"{unit.scope}/convolution", auto_pad="SAME_UPPER", **sizes)

    def max_pool(self, x: str, unit: MaxPool) -> str:
        """Apply a SAME max pool; ONNX's ignores padding."""
        sizes = {"kernel_shape": unit.kernel, "strides": unit.stride}
        return self.node("MaxPool", [x], unit.scope, auto_pad="SAME_UPPER", **sizes)

    def concatenate(self, branches: list[str], unit: Mixed) -> str:
        """Concatenate on channels."""
        return self.node("Concat", branches, unit.scope, axis=1)


def build_model(weights: Weights, options: ExportOptions) -> Any:
    """Build the model as an `onnx.ModelProto`: `Placeholder` in the options' shape and layout, `Softmax` B,classes.

    Raises:
        MissingDependencyError: onnx is not installed.
    """
    onnx = import_extra("onnx", _PURPOSE)
    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    operations = OnnxOperations(onnx, weights)
    x = operations.node("Transpose", [INPUT_NAME], "input/channels_first", perm=options.order("BCDHW"))
    x = operations.node(
        "Sub", [x, operations.constant("input/mean", np.array(PIXEL_MEAN, np.float32))], "input/centred"
    )
    x = operations.node(
        "Mul", [x, operations.constant("input/scale", np.array(1 / PIXEL_SCALE, np.float32))], "input/scaled"
    )
    *_, (_, x) = interpret(operations, x)
    x = operations.node("AveragePool", [x], "head/pool", kernel_shape=HEAD.pool)
    x = operations.linear(x, HEAD.convolution)
    x = operations.node("ReduceMean", [x], LOGITS_NAME, axes=(2, 3, 4), keepdims=0)
    operations.node("Softmax", [x], OUTPUT_NAME, axis=1)
    names = {"B": options.batch or "batch", "D": options.frames or "frames"}
    sizes = {**names, "C": INPUT_CHANNELS, "H": FRAME_SIZE, "W": FRAME_SIZE}
    graph = helper.make_graph(
        operations.nodes,
        "i3d-rgb",
        [helper.make_tensor_value_info(INPUT_NAME, float32, [sizes[axis] for axis in options.layout])],
        [helper.make_tensor_value_info(OUTPUT_NAME, float32, [names["B"], weights.num_classes])],
        operations.initializers,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="quovadis"
    )
    labels = weights.known_labels
    classes = {} if labels is None else {"labels": labels_to_json(labels)}
    helper.set_model_props(model, {**provenance(weights), **classes})
    return model


def write(weights: Weights, path: Path, options: ExportOptions) -> None:
    """Write the model as one file."""
    path.write_bytes(build_model(weights, options).SerializeToString())


def run(path: Path, clips: NDArray[np.uint8], options: ExportOptions) -> RunResult:
    """Run the model in onnxruntime on the CPU."""
    onnx = import_extra("onnx", _PURPOSE)
    onnxruntime = import_extra("onnxruntime", "running ONNX")
    model = onnx.load(path)
    model.graph.output.append(onnx.helper.make_tensor_value_info(LOGITS_NAME, onnx.TensorProto.FLOAT, None))
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        logits, probabilities = session.run([LOGITS_NAME, OUTPUT_NAME], {INPUT_NAME: options.arranged(clips)})
    except Exception as error:
        # onnxruntime's exceptions have no class in common but this.
        raise WeightsError(f"{path}: onnxruntime refuses it: {str(error).strip().splitlines()[-1]}") from error
    return RunResult(logits, probabilities, f"onnxruntime {onnxruntime.__version__}")
