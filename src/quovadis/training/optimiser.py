"""What turns gradients into weights: which parameters learn, at which rate, and with which decay."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import nn

from quovadis.architecture import ENDPOINTS, HEAD
from quovadis.errors import TrainingError
from quovadis.fields import check_values
from quovadis.training.options import TrainingOptions
from quovadis.training.schedule import rate_factor

OptimiserFactory: TypeAlias = Callable[[nn.Module, TrainingOptions], torch.optim.Optimizer]
"""Makes the optimiser of a network. A group of parameters without a `base_rate` of its own has its `lr` as such."""


def freeze_before(model: nn.Module, endpoint: str | None) -> tuple[nn.Module, ...]:
    """Leave the layers before an endpoint as they are: no gradients are computed for them.

    Returns:
        Their modules, which training keeps in evaluation mode, so that their batch norm does not move either.

    Raises:
        TrainingError: nothing is left to train.
    """
    names = ENDPOINTS[: (*ENDPOINTS, HEAD.scope).index(endpoint)] if endpoint is not None else ()
    frozen = tuple(module for name, module in model.named_children() if name in names)
    for module in frozen:
        module.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise TrainingError("the network has nothing to train: begin with an earlier layer", option="from_endpoint")
    return frozen


def make_optimiser(model: nn.Module, options: TrainingOptions) -> torch.optim.Optimizer:
    """Return stochastic gradient descent with momentum, for the parameters that are to learn.

    Weight decay is L2 on the kernels of convolutions alone. The paper does not say what it is on; Sonnet 1 has it
    where a module is given a regulariser, and MMAction2 on everything. Offsets of batch norm and the bias are left
    alone here: pulling them to zero makes no function smoother.

    Raises:
        TrainingError: an argument of another type.
    """
    check_values(nn.Module, TrainingError, model=model)
    check_values(TrainingOptions, TrainingError, options=options)
    groups = []
    for is_head, rate in ((True, options.head_rate), (False, options.backbone_rate)):
        for is_kernel, decay in ((True, options.weight_decay), (False, 0.0)):
            chosen = [
                parameter
                for name, parameter in model.named_parameters()
                if parameter.requires_grad
                and name.startswith(f"{HEAD.scope}.") == is_head
                and (parameter.ndim > 1) == is_kernel
            ]
            if chosen:
                groups.append({"params": chosen, "lr": rate, "weight_decay": decay, "base_rate": rate})
    return torch.optim.SGD(groups, lr=options.backbone_rate, momentum=options.momentum)


def set_rates(optimiser: torch.optim.Optimizer, options: TrainingOptions, step: int, steps: int) -> float:
    """Give each group of parameters its rate for a step, and return the factor that they have in common."""
    factor = rate_factor(options, step, steps)
    for group in optimiser.param_groups:
        group.setdefault("base_rate", group["lr"])
        group["lr"] = group["base_rate"] * factor
    return factor
