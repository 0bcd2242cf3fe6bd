"""The moving average of a network's weights, which is steadier than the weights of any one step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class MovingAverage:
    """A shadow of a network's state: parameters as a moving average, statistics of batch norm as they are.

    The decay of step n is (1 + n) / (10 + n) at most, as in TensorFlow's `ExponentialMovingAverage`, so that the
    weights of the beginning are forgotten soon.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        """Begin with the weights as they are.

        Args:
            model: the network; tensors are copied to the same device.
            decay: share of the average that a step keeps, less than 1.
        """
        self.decay = decay
        self._model = model
        self.tensors: dict[str, Tensor] = {key: value.detach().clone() for key, value in model.state_dict().items()}
        self._averaged = {name for name, parameter in model.named_parameters() if parameter.requires_grad}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take the weights of a step, counted from 0, into the average."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for key, value in self._model.state_dict().items():
            if key in self._averaged:
                self.tensors[key].lerp_(value, 1 - decay)
            else:
                self.tensors[key].copy_(value)

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from an average that was saved."""
        for key, value in tensors.items():
            self.tensors[key].copy_(value)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Lend the average to the network, and give its own weights back."""
        own = {key: value.detach().clone() for key, value in self._model.state_dict().items()}
        self._model.load_state_dict(self.tensors)
        try:
            yield
        finally:
            self._model.load_state_dict(own)
