"""PyTorch: state dicts of our own module and of the two ports, and an exported program."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import FRAME_SIZE, HEAD, INPUT_CHANNELS
from quovadis.export.exporter import RunResult
from quovadis.export.options import ExportOptions
from quovadis.extras import import_extra
from quovadis.results import softmax
from quovadis.weights import Weights, read_weights, state_dict
from quovadis.weights.state_dict import Naming, to_state_dict

if TYPE_CHECKING:
    from quovadis.torch import I3D

_PURPOSE = "writing for PyTorch"
_HEAD_BIAS = HEAD.convolution.scope.replace("/", ".") + ".conv_3d.bias"
EXPORTED_MINIMUM_FRAMES = 17
"""Shortest clip of an exported program whose number of frames is free: PyTorch traces one step apart from several."""


@dataclass(frozen=True)
class StateDictExporter:
    """Writes state dicts in one implementation's naming."""

    naming: Naming

    def write(self, weights: Weights, path: Path, options: ExportOptions) -> None:
        """Write one file with `torch.save`: a plain dictionary of tensors."""
        torch = import_extra("torch", _PURPOSE)
        arrays = to_state_dict(weights.tensors, self.naming)
        _save(torch, {key: torch.tensor(array) for key, array in arrays.items()}, path)

    def run(self, path: Path, clips: NDArray[np.uint8], options: ExportOptions) -> RunResult:
        """Load the file with `weights_only=True` and run it in `quovadis.torch.I3D`."""
        torch = import_extra("torch", _PURPOSE)
        from quovadis.torch import I3D

        if self.naming is not state_dict.QUOVADIS:
            return _run(torch, I3D.from_pretrained(read_weights(path)), clips)
        state = torch.load(path, weights_only=True)
        model = I3D(len(state[_HEAD_BIAS]))
        model.load_state_dict(state)
        return _run(torch, model, clips)


@dataclass(frozen=True)
class ProgramExporter:
    """Writes a `torch.export` program: the graph and its weights in one file."""

    def write(self, weights: Weights, path: Path, options: ExportOptions) -> None:
        """Write one .pt2 file: clips in [-1, 1], B,3,D,224,224, to logits B,classes."""
        torch = import_extra("torch", _PURPOSE)
        from quovadis.torch import I3D

        stream = io.BytesIO()
        torch.export.save(export_program(I3D.from_pretrained(weights), options), stream)
        path.write_bytes(stream.getbuffer())

    def run(self, path: Path, clips: NDArray[np.uint8], options: ExportOptions) -> RunResult:
        """Run the program in PyTorch."""
        torch = import_extra("torch", _PURPOSE)
        return _run(torch, torch.export.load(path).module(), clips)


QUOVADIS = StateDictExporter(state_dict.QUOVADIS)
PIERGIAJ = StateDictExporter(state_dict.PIERGIAJ)
HASSONY2 = StateDictExporter(state_dict.HASSONY2)
PROGRAM = ProgramExporter()


def export_program(model: I3D, options: ExportOptions) -> Any:
    """Trace a model into a `torch.export.ExportedProgram`, batch and frames free where the options leave them so.

    With frames free, it takes clips of 17 frames or more.
    """
    torch = import_extra("torch", _PURPOSE)
    free = {}
    if options.batch is None:
        free[0] = torch.export.Dim("batch")
    if options.frames is None:
        free[2] = torch.export.Dim("frames", min=EXPORTED_MINIMUM_FRAMES)
    # The example's sizes matter only where they are fixed; a size of 1 would be taken as fixed.
    shape = (options.batch or 2, INPUT_CHANNELS, options.frames or 24, FRAME_SIZE, FRAME_SIZE)
    # PyTorch cannot prove by itself that so many frames leave two steps, and checks it when the program runs.
    program = torch.export.export(
        model.eval(),
        (torch.zeros(shape),),
        dynamic_shapes={"clips": free},
        prefer_deferred_runtime_asserts_over_guards=True,
    )
    # The example would be saved too, and is as large as the weights.
    program.example_inputs = None
    return program


def _save(torch: Any, state: dict[str, Any], path: Path) -> None:
    stream = io.BytesIO()
    torch.save(state, stream)
    path.write_bytes(stream.getbuffer())


def _run(torch: Any, model: Any, clips: NDArray[np.uint8]) -> RunResult:
    from quovadis.torch import normalize

    if hasattr(model, "num_classes"):
        model.eval()
    with torch.inference_mode():
        logits: NDArray[np.float32] = model(normalize(torch.tensor(clips))).numpy()
    return RunResult(logits, softmax(logits), f"PyTorch {torch.__version__}")
