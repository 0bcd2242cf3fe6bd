"""OpenVINO IR of the converted model: raw pixels in, mean and scale inside, probabilities out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quovadis.engines.openvino_graph import OpenVINOOperations, build_network
from quovadis.errors import OutputError, WeightsError
from quovadis.export.exporter import INPUT_NAME, LOGITS_NAME, OUTPUT_NAME, RunResult, provenance
from quovadis.export.options import ExportOptions
from quovadis.labels import labels_to_json
from quovadis.openvino_runtime import opset13, ov, refuse_after_fork
from quovadis.weights import Weights
from quovadis.weights.openvino_file import EXACT_LABELS, MODEL_API_LABELS, decode_labels, encode_labels


def build_model(weights: Weights, options: ExportOptions) -> ov.Model:
    """Build the model card's converted model.

    `Placeholder`: float32, RGB, 0..255, in the options' shape and layout. `Softmax`: float32, B,classes. The
    labels stand in `rt_info` under `model_info/labels` as Model API reads them: separated by spaces, underscores within
    a name; names that this would change stand under `quovadis/labels` too, as JSON.
    """
    shape = [-1 if size is None else size for size in options.input_shape()]
    pixels = opset13.parameter(shape, np.float32, name=INPUT_NAME)
    pixels.set_layout(ov.Layout(options.layout.replace("B", "N")))
    network = build_network(OpenVINOOperations(weights.tensors), pixels, options.order("BCDHW"))
    probabilities = opset13.softmax(network.logits, 1, name=OUTPUT_NAME)
    for name, node in ((INPUT_NAME, pixels), (LOGITS_NAME, network.logits), (OUTPUT_NAME, probabilities)):
        node.output(0).get_tensor().set_names({name})
    model = ov.Model([opset13.result(probabilities, name=f"{OUTPUT_NAME}/result")], [pixels], "i3d-rgb")
    labels = weights.known_labels
    if labels is not None:
        text = encode_labels(labels)
        model.set_rt_info(text, MODEL_API_LABELS)
        if decode_labels(text) != labels:
            model.set_rt_info(labels_to_json(labels), EXACT_LABELS)
    for key, value in provenance(weights).items():
        model.set_rt_info(value, ["quovadis", key])
    return model


def write(weights: Weights, path: Path, options: ExportOptions) -> None:
    """Write the .xml and, beside it, the .bin."""
    try:
        ov.save_model(build_model(weights, options), path, compress_to_fp16=options.compress == "fp16")
    except RuntimeError as error:
        raise OutputError(f"{path}: cannot write the IR: {str(error).strip().splitlines()[-1]}") from error


def run(path: Path, clips: NDArray[np.uint8], options: ExportOptions) -> RunResult:
    """Run the IR on the CPU in float32."""
    refuse_after_fork()
    core = ov.Core()
    try:
        model = core.read_model(path)
        model.add_outputs(LOGITS_NAME)
        compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        request = compiled.create_infer_request()
        request.infer({INPUT_NAME: options.arranged(clips)}, share_inputs=True)
    except RuntimeError as error:
        raise WeightsError(f"{path}: OpenVINO refuses it: {str(error).strip().splitlines()[-1]}") from error
    logits, probabilities = (request.get_tensor(name).data.copy() for name in (LOGITS_NAME, OUTPUT_NAME))
    return RunResult(logits, probabilities, f"OpenVINO {str(ov.get_version()).partition('-')[0]}")
