"""Options as values: what a model is to be, defined once for Python, the command line and servers; loads no engine."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal, TypeAlias

from quovadis.errors import EngineError, LabelsError, WeightsError
from quovadis.fields import MAX_THREADS, check_fields

EngineName: TypeAlias = Literal["auto", "native", "openvino", "torch"]
Hint: TypeAlias = Literal["latency", "throughput"]
Precision: TypeAlias = Literal["f32", "f16", "int8", "auto"]


@dataclass(frozen=True)
class ModelOptions:
    """Which weights run on what, and how: what `quovadis.load` needs to make the same model again, elsewhere too.

    Raises:
        EngineError: when made with a value of another type than the field's, or with less than one thread.
        WeightsError: the same, of weights.
        LabelsError: the same, of labels.

    A field's metadata are for lists of options: `help`, one line, and what else such a list says or checks.
    """

    weights: str | os.PathLike[str] = field(default="auto", metadata={"help": "auto, an official name, or a file."})
    """`auto` (`rgb-imagenet` if it is available, else `rgb-scratch`), an official name, or a file of any format that
    `quovadis.weights` reads and with any number of classes."""
    _: KW_ONLY
    labels: str | os.PathLike[str] | Sequence[str] | None = field(
        default=None,
        metadata={"help": "Class names, one per line, in place of those of the weights.", "metavar": "FILE"},
    )
    """Class names in output order, or a text file with one a line; None: the weights' own."""
    device: str = field(default="CPU", metadata={"help": "CPU, cuda, or an OpenVINO device such as GPU, NPU or AUTO."})
    """CPU; cuda, cuda:1 … for PyTorch; or an OpenVINO device: GPU, NPU, AUTO …."""
    engine: EngineName = field(
        default="auto", metadata={"help": "What runs the network; auto: the fastest for device and precision."}
    )
    """`native`, our own kernels; `openvino`; `torch`; `auto`: the fastest for device and precision."""
    hint: Hint = field(default="latency", metadata={"help": "One clip as soon as possible, or several clips at once."})
    """`latency`: one clip as soon as possible; `throughput`: several clips at once."""
    threads: int | None = field(
        default=None, metadata={"help": "CPU threads.", "min": 1, "max": MAX_THREADS, "show_default": "physical cores"}
    )
    """CPU threads, 1 to 1024; None: one per physical core."""
    precision: Precision | None = field(
        default=None,
        metadata={
            "help": "int8 is twice as fast; auto takes it once it is calibrated; f16 is for cuda.",
            "show_default": "f32; on cuda f16",
        },
    )
    """`f32`; `f16`, for CUDA; `int8`, about twice as fast as f32 on CPUs and a little different; `auto`: int8 once
    these weights have been calibrated, where the engine can; None: f16 on CUDA, else f32."""

    def __post_init__(self) -> None:
        if isinstance(self.labels, Iterable) and not isinstance(self.labels, str | bytes | os.PathLike):
            # Compared and hashed like all others.
            object.__setattr__(self, "labels", tuple(self.labels))
        object.__setattr__(self, "device", spelled_device(self.device))
        check_fields(self, EngineError, weights=WeightsError, labels=LabelsError)
        if not self.device:
            raise EngineError(
                'device is empty: give "CPU", "cuda" or another (is a variable not set?)', option="device"
            )


def spelled_device(device: object) -> object:
    """Return a device as engines name it: a `torch.device` as its text, every spelling of the CPU as `CPU`."""
    # PyTorch is not imported to ask whether it is one of its devices.
    if type(device).__module__ == "torch" and type(device).__name__ == "device":
        device = str(device)
    return "CPU" if isinstance(device, str) and device.lower() in ("cpu", "cpu:0") else device
