"""Folders of models that tools and servers expect: Open Model Zoo's, and two servers' repositories."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, TypeAlias

from quovadis.architecture import FRAME_SIZE, FRAMES_PER_SECOND
from quovadis.export.exporter import INPUT_NAME, OUTPUT_NAME
from quovadis.export.formats import FORMATS, Format, OptionName
from quovadis.export.options import ExportOptions
from quovadis.labels import LABELS_NAME, labels_text
from quovadis.video.geometry import SHORT_SIDE

MODEL_NAME = "i3d-rgb"
ZOO_NAME = "i3d-rgb-tf"
_MAX_BATCH = 8


TextMaker: TypeAlias = Callable[[tuple[str, ...], Mapping[str, Any]], Mapping[str, str]]
"""Makes text files by path, of the class names and of what clips the weights were trained on, by the names of
`InputSpecification`."""


@dataclass(frozen=True)
class PlannedModel:
    """One model to write."""

    path: str
    """Within the destination's folder."""
    format: Format
    options: ExportOptions


@dataclass(frozen=True)
class Plan:
    """Everything one conversion writes."""

    models: tuple[PlannedModel, ...]
    texts: TextMaker = lambda *_: {}
    """Makes the text files: their contents by path within the destination's folder."""

    @property
    def makes_folder(self) -> bool:
        """Whether it writes a folder, not files."""
        return any(len(PurePath(model.path).parts) > 1 for model in self.models)

    def entries(self) -> tuple[str, ...]:
        """Return what appears in the destination's folder, each name leading to none after it."""
        names: dict[str, None] = {}
        for model in self.models:
            first, *rest = PurePath(model.path).parts
            names |= dict.fromkeys([first] if rest else model.format.file_names(model.path))
        return tuple(names)


@dataclass(frozen=True)
class FolderLayout:
    """A folder of models."""

    name: str
    defaults: ExportOptions
    options: frozenset[OptionName]
    plan: Callable[[ExportOptions], Plan]


def single(path: str, chosen: Format, options: ExportOptions) -> Plan:
    """Plan one model."""
    return Plan((PlannedModel(path, chosen, options),))


def _open_model_zoo(options: ExportOptions) -> Plan:
    precisions = {"FP32": options, "FP16": replace(options, compress="fp16")}
    return Plan(
        tuple(
            PlannedModel(f"{ZOO_NAME}/{precision}/{ZOO_NAME}.xml", FORMATS["openvino"], chosen)
            for precision, chosen in precisions.items()
        )
    )


def _ovms(options: ExportOptions) -> Plan:
    config = {"model_config_list": [{"config": {"name": MODEL_NAME, "base_path": f"/models/{MODEL_NAME}"}}]}
    start = (
        f'    docker run --rm -p 9000:9000 -p 8000:8000 -v "$PWD/{MODEL_NAME}:/models/{MODEL_NAME}:ro" \\\n'
        "        openvino/model_server:latest --port 9000 --rest_port 8000 \\\n"
        f"        --config_path /models/{MODEL_NAME}/config.json\n"
    )
    return _repository(
        "openvino",
        "model.xml",
        options,
        lambda labels, clips: {
            "config.json": json.dumps(config, indent=2) + "\n",
            LABELS_NAME: labels_text(labels),
            "README.md": _readme("OpenVINO Model Server", start, options, len(labels), clips),
        },
    )


def _triton(options: ExportOptions) -> Plan:
    start = (
        '    docker run --rm -p 8000:8000 -p 8001:8001 -v "$PWD:/models:ro" \\\n'
        "        nvcr.io/nvidia/tritonserver:<release>-py3 tritonserver --model-repository=/models\n"
    )
    return _repository(
        "onnx",
        "model.onnx",
        options,
        lambda labels, clips: {
            "config.pbtxt": _triton_config(options, len(labels)),
            LABELS_NAME: labels_text(labels),
            "README.md": _readme("Triton Inference Server", start, options, len(labels), clips),
        },
    )


def _repository(name: str, file: str, options: ExportOptions, texts: TextMaker) -> Plan:
    model = PlannedModel(f"{MODEL_NAME}/1/{file}", FORMATS[name], options)
    return Plan((model,), lambda *given: {f"{MODEL_NAME}/{path}": text for path, text in texts(*given).items()})


def _triton_config(options: ExportOptions, num_classes: int) -> str:
    """Return a `ModelConfig` in text form; with a free batch the server forms batches itself."""
    sizes = [-1 if size is None else size for size in options.input_shape()]
    batched = options.batch is None
    outputs = [num_classes] if batched else [options.batch, num_classes]
    lines = [
        f'name: "{MODEL_NAME}"',
        'backend: "onnxruntime"',
        f"max_batch_size: {_MAX_BATCH if batched else 0}",
        "input [",
        f'  {{ name: "{INPUT_NAME}" data_type: TYPE_FP32 dims: {sizes[1:] if batched else sizes} }}',
        "]",
        "output [",
        f'  {{ name: "{OUTPUT_NAME}" data_type: TYPE_FP32 dims: {outputs} label_filename: "{LABELS_NAME}" }}',
        "]",
        *(["dynamic_batching { }"] if batched else []),
    ]
    return "\n".join(lines) + "\n"


def _readme(server: str, start: str, options: ExportOptions, num_classes: int, clips: Mapping[str, Any]) -> str:
    fps = clips.get("fps", FRAMES_PER_SECOND)
    length = f"; trained on clips of {clips['clip_frames']} frames" if "clip_frames" in clips else ""
    rate = "every frame of a video" if fps == "native" else f"{fps:g} frames a second"
    # The model takes 224 pixels: frames of another crop are not what it was trained on anyway.
    is_own = clips.get("crop_size", FRAME_SIZE) == FRAME_SIZE
    side = clips.get("short_side", SHORT_SIDE) if is_own else SHORT_SIDE
    shape = ",".join("any" if size is None else str(size) for size in options.input_shape())
    return (
        f"# {MODEL_NAME} for {server}\n\n"
        "I3D RGB, the model of Open Model Zoo's `i3d-rgb-tf`, written by Quovadis.\n\n"
        f"- input `{INPUT_NAME}`: float32, {shape}, {','.join(options.layout)}; RGB, raw 0..255, {rate},\n"
        f"  short side {side}, centre crop {FRAME_SIZE}; mean and scale are in the model{length}\n"
        f"- output `{OUTPUT_NAME}`: float32, batch,{num_classes}; probabilities in the order of `{LABELS_NAME}`\n\n"
        f"Start it in the folder that holds `{MODEL_NAME}`:\n\n{start}"
    )


_FREE = ExportOptions(batch=None, frames=None)
_IR_OPTIONS = FORMATS["openvino"].options
_LAYOUTS = (
    FolderLayout("omz", ExportOptions(), _IR_OPTIONS - {"compress"}, _open_model_zoo),
    FolderLayout("ovms", _FREE, _IR_OPTIONS, _ovms),
    FolderLayout("triton", _FREE, FORMATS["onnx"].options, _triton),
)
LAYOUTS: Mapping[str, FolderLayout] = MappingProxyType({layout.name: layout for layout in _LAYOUTS})
"""The folders, by name; each is written into the destination."""
