"""From weights to a network that is ready to train, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from quovadis.torch import I3D, OffsetBatchNorm
from quovadis.training.options import TrainingOptions
from quovadis.weights.state_dict import QUOVADIS, from_state_dict


def prepare_model(model: nn.Module, options: TrainingOptions, device: torch.device) -> nn.Module:
    """Bring a network to a device, and let it train as the options say: batch norm, dropout, memory."""
    for module in model.modules():
        if isinstance(module, OffsetBatchNorm):
            module.ghost_batch = options.ghost_batch
            module.momentum = 1 - options.batch_norm_decay
    if isinstance(model, I3D):
        model.checkpoint_activations = options.checkpoint_activations
        model.dropout.p = options.dropout
    if options.sync_batch_norm:
        synchronise_batch_norm(model)
    # PyTorch's own types leave out that a memory format may be given too.
    settings: dict[str, Any] = {"memory_format": torch.channels_last_3d} if options.channels_last else {}
    moved: nn.Module = model.to(device=device, **settings)
    return moved


class SynchronisedBatchNorm(nn.SyncBatchNorm):
    """Batch norm with an offset and no scale, over the clips of all processes."""

    def __init__(self, norm: OffsetBatchNorm) -> None:
        super().__init__(norm.num_features, eps=norm.eps, momentum=norm.momentum)
        del self.weight
        self.register_buffer("weight", torch.ones(norm.num_features), persistent=False)
        self.load_state_dict(norm.state_dict())


def synchronise_batch_norm(model: nn.Module) -> None:
    """Let every batch norm of a network be over the clips of all processes: a deviation from the paper."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, OffsetBatchNorm):
                setattr(parent, name, SynchronisedBatchNorm(child))


def model_tensors(model: nn.Module) -> dict[str, NDArray[np.float32]]:
    """Return a network's weights: of a whole I3D by their original names, of another by those of its state dict."""
    state = {key: value.detach().float().cpu().numpy() for key, value in model.state_dict().items()}
    if not (isinstance(model, I3D) and model.width == 1):
        return state
    return from_state_dict(state, QUOVADIS, Path("the network that was trained"))
