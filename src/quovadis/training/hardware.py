"""What PyTorch says of the hardware, in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from quovadis.errors import TrainingError
from quovadis.escape import first_line
from quovadis.training.options import TrainingOptions


@contextmanager
def hardware_errors(options: TrainingOptions, device: torch.device) -> Iterator[None]:
    """Turn the errors of memory and of the compiler into ours; all others pass.

    Raises:
        TrainingError: the device has too little free memory, or the network cannot be compiled; the message says what
            to change.
    """
    try:
        yield
    except RuntimeError as error:
        if _is_out_of_memory(error):
            name = "the machine" if device.type == "cpu" else str(device)
            raise TrainingError(f"{name} has too little free memory {_less_memory(options)}", option="batch") from error
        if options.compile and _is_of_compiler(error):
            raise TrainingError(
                f"PyTorch cannot compile the network here: {first_line(error)}; train without `compile`",
                option="compile",
            ) from error
        raise


@contextmanager
def cudnn_choice(options: TrainingOptions) -> Iterator[None]:
    """Let cuDNN time its algorithms if the options say so, and leave what the process has set as it was."""
    before = torch.backends.cudnn.benchmark
    if options.cudnn_benchmark:
        torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def _less_memory(options: TrainingOptions) -> str:
    """Return what is too much, and what takes less."""
    clips = "1 clip" if options.batch == 1 else f"{options.batch} clips"
    ways = (
        [] if options.batch == 1 else ["give a smaller `batch`, and more of `accumulate` for as many clips in a step"]
    )
    if not options.checkpoint_activations:
        ways.append("set `checkpoint_activations=True`")
    if options.amp == "none":
        ways.append('set `amp="bf16"`')
    return f"to train on {clips} at a time: {', or '.join(ways) or 'give clips of fewer `frames`'}"


def _is_out_of_memory(error: RuntimeError) -> bool:
    # Of the CPU's memory PyTorch has no error of its own.
    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


def _is_of_compiler(error: RuntimeError) -> bool:
    # Importing the types takes seconds.
    return type(error).__module__.startswith(("torch._dynamo", "torch._inductor"))
