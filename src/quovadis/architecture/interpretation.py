"""How a backend runs or builds the network: six verbs, called in the order of the data's flow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeVar

from quovadis.architecture.network import STAGES, Convolution, MaxPool, Mixed, Stage

Tensor = TypeVar("Tensor")


class Operations(Protocol[Tensor]):
    """The verbs a backend implements; `interpret` calls them in order of the data's flow."""

    def convolution(self, x: Tensor, unit: Convolution) -> Tensor:
        """Apply a SAME convolution, batch norm and ReLU."""
        ...

    def max_pool(self, x: Tensor, unit: MaxPool) -> Tensor:
        """Apply a SAME max pool that never sees its padding."""
        ...

    def concatenate(self, branches: list[Tensor], unit: Mixed) -> Tensor:
        """Concatenate on channels."""
        ...


def interpret(operations: Operations[Tensor], x: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Run or build the network's stages on `x`, yielding each endpoint's name and tensor as it is made.

    The head is left to the backend: it reads the last tensor and follows `HEAD`.
    """
    for stage in STAGES:
        x = run_stage(operations, x, stage)
        yield stage.scope, x


def run_stage(operations: Operations[Tensor], x: Tensor, stage: Stage) -> Tensor:
    """Run or build one of the network's stages on `x`, and return what it makes."""
    if not isinstance(stage, Mixed):
        return _apply(operations, x, stage)
    outputs = []
    for branch in stage.branches:
        y = x
        for unit in branch:
            y = _apply(operations, y, unit)
        outputs.append(y)
    return operations.concatenate(outputs, stage)


def _apply(operations: Operations[Tensor], x: Tensor, unit: Convolution | MaxPool) -> Tensor:
    if isinstance(unit, Convolution):
        return operations.convolution(x, unit)
    return operations.max_pool(x, unit)
