"""The moving average of a network's weights, which is steadier than the weights of any one step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class MovingAverage:
    """A shadow of the parameters that learn; all else, such as the statistics of batch norm, is the network's own.

    The decay of step n is (1 + n) / (10 + n) at most, as in TensorFlow's `ExponentialMovingAverage`, so that the
    weights of the beginning are forgotten soon.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        """Begin with the weights as they are.

        Args:
            model: the network; its parameters are copied to the same device.
            decay: share of the average that a step keeps, less than 1.
        """
        self.decay = decay
        self._parameters = {name: one for name, one in model.named_parameters() if one.requires_grad}
        self.tensors: dict[str, Tensor] = {name: one.detach().clone() for name, one in self._parameters.items()}
        """The average, by the names of the parameters."""

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take the weights of a step, counted from 0, into the average."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, parameter in self._parameters.items():
            self.tensors[name].lerp_(parameter, 1 - decay)

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from an average that was saved."""
        _copy(tensors, self.tensors)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Lend the average to the network, and give its own weights back."""
        own = {name: parameter.detach().clone() for name, parameter in self._parameters.items()}
        _copy(self.tensors, self._parameters)
        try:
            yield
        finally:
            _copy(own, self._parameters)


@torch.no_grad()
def _copy(tensors: Mapping[str, Tensor], to: Mapping[str, Tensor]) -> None:
    for name, value in tensors.items():
        to[name].copy_(value)
