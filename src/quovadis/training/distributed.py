"""The processes of one training: as many as `torchrun` started, else this one alone."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import distributed, nn

from quovadis.errors import EngineError

Value = TypeVar("Value")


@dataclass(frozen=True)
class Process:
    """This process among all of a training."""

    rank: int = 0
    """From 0; 0 writes files and speaks to the user."""
    world_size: int = 1
    """How many there are."""
    local_rank: int = 0
    """On this machine: the number of its GPU."""

    @property
    def is_main(self) -> bool:
        """Whether it is the one that writes files."""
        return self.rank == 0

    def device(self, name: str) -> torch.device:
        """Return PyTorch's device for an option's.

        Raises:
            EngineError: there is no such GPU.
        """
        if not name.lower().startswith("cuda"):
            return torch.device("cpu")
        device = torch.device(name.lower())
        index = self.local_rank if device.index is None else device.index
        if not torch.cuda.is_available() or index >= torch.cuda.device_count():
            count = torch.cuda.device_count() if torch.cuda.is_available() else 0
            raise EngineError(f'{name}: PyTorch finds {count} GPUs here; train on `device="CPU"`', option="device")
        return torch.device("cuda", index)

    def gathered(self, value: Value) -> list[Value]:
        """Return every process's value, in order of rank."""
        if self.world_size == 1:
            return [value]
        values: list[Value] = [value] * self.world_size
        distributed.all_gather_object(values, value)
        return values

    @torch.no_grad()
    def average_statistics(self, model: nn.Module) -> None:
        """Give all processes the mean of their batch norms' moving averages.

        Each process moves its own by its replica's batches. The mean of moving averages is the moving average of the
        means, so that training goes on as it would have.
        """
        if self.world_size == 1:
            return
        for name, buffer in model.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                distributed.all_reduce(buffer)
                buffer /= self.world_size

    def wait(self) -> None:
        """Wait until all processes have come here."""
        if self.world_size > 1:
            distributed.barrier()


def machine_name(device: str) -> str:
    """Return what a training runs on, as it is called: the GPU, or so many processors of a kind."""
    if device.lower().startswith("cuda") and torch.cuda.is_available():
        return torch.cuda.get_device_name(device.lower())
    return f"{platform.machine()}, {os.cpu_count()} processors"


def peak_memory() -> int:
    """Return the most memory that this process has had so far, in bytes; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:
        return 0
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts kibibytes, macOS bytes.
    return used if sys.platform == "darwin" else used * 1024


@contextmanager
def processes(device: str = "CPU") -> Iterator[Process]:
    """Join the other processes that `torchrun` started, through gloo on CPUs and NCCL on GPUs, and leave them."""
    if "TORCHELASTIC_RUN_ID" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield Process()
        return
    process = Process(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), int(os.environ.get("LOCAL_RANK", 0)))
    on_gpu = device.lower().startswith("cuda")
    if on_gpu:
        torch.cuda.set_device(process.device(device))
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield process
    finally:
        distributed.destroy_process_group()
