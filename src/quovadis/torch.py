"""I3D as a PyTorch module, built from the architecture table: for training, fine-tuning, and PyTorch's own runtimes.

    from quovadis.torch import I3D, normalize

    model = I3D.from_pretrained("rgb-scratch")  # in evaluation mode
    logits = model(normalize(clips))  # clips: uint8, B,D,H,W,3

Needs the extra `torch`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from math import prod, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from quovadis.architecture import (
    BATCH_NORM_EPSILON,
    HEAD,
    NUM_CLASSES,
    PIXEL_MEAN,
    PIXEL_SCALE,
    STAGES,
    Convolution,
    MaxPool,
    Mixed,
    Stage,
    Triple,
    check_endpoints,
    check_input_size,
    convolutions,
    is_head,
    run_stage,
)
from quovadis.errors import ArchitectureError, WeightsError
from quovadis.extras import import_extra
from quovadis.fields import check_value
from quovadis.weights import Weights, load_weights
from quovadis.weights.state_dict import QUOVADIS, to_state_dict

if not TYPE_CHECKING:
    import_extra("torch", "quovadis.torch")

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

__all__ = ["I3D", "I3DOutput", "normalize"]

BATCH_NORM_MOMENTUM = 0.001
"""The share of a batch in the moving averages: Sonnet 1's decay rate of 0.999, as PyTorch counts it."""
_TIME_AND_SPACE = (2, 3, 4)
_SPACE = (3, 4)


class I3DOutput(NamedTuple):
    """Everything the network makes of a batch of clips."""

    logits: Tensor
    """Shape B,classes: the mean of the steps."""
    step_logits: Tensor
    """Shape B,S,classes; a step is 8 frames."""
    features: Tensor
    """`Mixed_5c` after the head's average pool, shape B,S,1024."""
    endpoints: dict[str, Tensor]
    """The feature maps that were asked for, shape B,C,D,H,W."""


def normalize(clips: Tensor) -> Tensor:
    """Turn pixels into what the network takes, on whatever device they are.

    Args:
        clips: RGB, values 0..255, uint8 or floating point, shape B,D,H,W,3.

    Returns:
        Values in -1..1, shape B,3,D,H,W, in the memory format channels_last_3d: no element is moved.

    Raises:
        ArchitectureError: something else than a tensor of five axes whose last one has 3 entries.
    """
    if not isinstance(clips, Tensor):
        raise ArchitectureError(f"normalize takes a tensor, not {type(clips).__name__}; torch.as_tensor makes one")
    if clips.ndim != 5 or clips.shape[-1] != 3:
        raise ArchitectureError(
            f"normalize takes clips of shape batch, frames, height, width, 3, not {tuple(clips.shape)}"
        )
    return ((clips.float() - PIXEL_MEAN) / PIXEL_SCALE).permute(0, 4, 1, 2, 3)


class I3D(nn.Module):
    """The network of the model card, as `STAGES` and `HEAD` of `quovadis.architecture` list it.

    Modules are named by the original scopes, `Mixed_3b.Branch_1.Conv3d_0b_3x3` with `conv_3d` and `batch_norm`, so that
    the state dict reads like the original checkpoint.
    """

    def __init__(
        self,
        num_classes: int = NUM_CLASSES,
        *,
        dropout: float = 0.5,
        endpoints: str | Sequence[str] = (),
        width: float = 1.0,
        pool: Triple = HEAD.pool,
    ) -> None:
        """Make the network with random weights.

        Args:
            num_classes: outputs of the last layer.
            dropout: probability of dropping a pooled feature in training.
            endpoints: a name, or names, out of `quovadis.ENDPOINTS` whose feature maps `forward` returns too.
            width: by which the channels of all layers but the last are multiplied: a fraction gives a small network for
                quick experiments, whose weights no other part of Quovadis reads.
            pool: the head's average pool; a smaller one takes frames of fewer pixels, such as 2, 2, 2 those of 64.

        Raises:
            ArchitectureError: an unknown endpoint, less than one class, or a dropout outside of 0..1.
        """
        super().__init__()
        self.num_classes = check_value("num_classes", num_classes, int, ArchitectureError, at_least=1)
        dropout = check_value("dropout", dropout, float, ArchitectureError, at_least=0, at_most=1)
        self.endpoints = check_endpoints(endpoints)
        self.width, self.pool = width, pool
        self.checkpoint_activations = False
        """Whether training keeps only what each stage takes in, and computes the rest again for the gradients."""
        self.dropout = nn.Dropout(dropout)
        for unit, in_channels in convolutions(self.num_classes, width):
            self._add_unit(unit.scope, _Unit(unit, in_channels, batch_norm=not is_head(unit)))

    def _add_unit(self, scope: str, unit: nn.Module) -> None:
        parent: nn.Module = self
        *folders, name = scope.split("/")
        for folder in folders:
            if folder not in parent._modules:
                parent.add_module(folder, nn.Module())
            parent = parent.get_submodule(folder)
        parent.add_module(name, unit)

    @classmethod
    def from_pretrained(
        cls,
        weights: str | os.PathLike[str] | Weights = "auto",
        *,
        num_classes: int | None = None,
        dropout: float = 0.5,
        endpoints: str | Sequence[str] = (),
    ) -> Self:
        """Make the network with weights by name or from any file that `quovadis.load` reads.

        It is in evaluation mode, without dropout and with the moving averages of the weights; call `train()` on it
        before training.

        Args:
            weights: an official name, a file, or weights that are loaded already.
            num_classes: other than the weights' own, the last layer begins with random weights; None: as they have.
            dropout: probability of dropping a pooled feature in training.
            endpoints: a name, or names, out of `quovadis.ENDPOINTS` whose feature maps `forward` returns too.

        Raises:
            WeightsError: weights that are unavailable or cannot be read.
            ArchitectureError: an unknown endpoint, less than one class, or a dropout outside of 0..1.
        """
        check_value("num_classes", num_classes, int | None, ArchitectureError, at_least=1)
        check_value("weights", weights, str | os.PathLike | Weights, WeightsError)
        if not isinstance(weights, Weights):
            weights = load_weights(weights if isinstance(weights, str) else Path(weights))
        classes = weights.num_classes if num_classes is None else num_classes
        with torch.device("meta"):
            # Where nothing is drawn: random weights take half a second, and would be overwritten at once.
            model = cls(classes, dropout=dropout, endpoints=endpoints)
        # PyTorch copies the values into its own memory, and warns of arrays that it may not write.
        arrays, dtype = to_state_dict(weights.tensors, QUOVADIS), torch.get_default_dtype()
        state = {key: torch.tensor(array, dtype=dtype) for key, array in arrays.items()}
        if model.num_classes != weights.num_classes:
            *_, (head, in_channels) = convolutions(model.num_classes)
            fresh = _Unit(head, in_channels, batch_norm=False)
            state |= fresh.state_dict(prefix=head.scope.replace("/", ".") + ".")
        model.load_state_dict(state, assign=True)
        for module in model.modules():
            if isinstance(module, OffsetBatchNorm):
                module.fill_weight()
        return model.eval()

    def forward(self, clips: Tensor) -> Tensor | I3DOutput:
        """Run the network.

        Args:
            clips: floating point in -1..1, shape B,3,D,H,W, with at least 9 frames of 193 pixels each way.

        Returns:
            The logits, shape B,classes; with endpoints, an `I3DOutput`.

        Raises:
            ArchitectureError: another shape, no floating point, or frames that are too few or too small.
        """
        output = self.run(clips)
        return output if self.endpoints else output.logits

    def run(self, clips: Tensor, endpoints: str | Sequence[str] | None = None) -> I3DOutput:
        """Run the network and return everything it makes; `clips` as `forward` takes them.

        `endpoints` are the feature maps to return, one name or several; None: those that the network was made with.

        Raises:
            ArchitectureError: an unknown endpoint, or clips of another shape or dtype.
        """
        # What is compiled or traced for export may take several sizes, which a check would fix to one.
        if not (torch.compiler.is_compiling() or torch.jit.is_tracing()):  # type: ignore[attr-defined, no-untyped-call]
            _check_clips(clips)
            if self.pool == HEAD.pool:
                check_input_size(*clips.shape[2:])
        wanted = self.endpoints if endpoints is None else check_endpoints(endpoints)
        maps: dict[str, Tensor] = {}
        x = clips
        for stage in STAGES:
            x = self._run_stage(x, stage)
            if stage.scope in wanted:
                maps[stage.scope] = x
        pooled = functional.avg_pool3d(x, self.pool, stride=1)
        head = _unit(self, HEAD.convolution)
        step_logits = head(self.dropout(pooled)).mean(_SPACE).transpose(1, 2)
        features = pooled.mean(_SPACE).transpose(1, 2)
        return I3DOutput(step_logits.mean(1), step_logits, features, maps)

    def _run_stage(self, x: Tensor, stage: Stage) -> Tensor:
        operations = _TorchOperations(self)
        if not (self.checkpoint_activations and self.training and torch.is_grad_enabled()):
            return run_stage(operations, x, stage)
        # What is compiled changes the moving averages in its forward pass alone, and takes no contexts of ours.
        settings: dict[str, Any] = {} if torch.compiler.is_compiling() else {"context_fn": self._contexts}
        y: Tensor = checkpoint(
            run_stage, operations, x, stage, use_reentrant=False, preserve_rng_state=False, **settings
        )
        return y

    def _contexts(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), self._frozen_averages()

    @contextmanager
    def _frozen_averages(self) -> Iterator[None]:
        """Leave the moving averages as they are: what is computed again has moved them already."""
        norms = [module for module in self.modules() if isinstance(module, OffsetBatchNorm)]
        for norm in norms:
            norm.moves_averages = False
        try:
            yield
        finally:
            for norm in norms:
                norm.moves_averages = True

    def extra_repr(self) -> str:
        """Return what tells this network from another."""
        return f"num_classes={self.num_classes}, endpoints={list(self.endpoints)}"


class OffsetBatchNorm(nn.BatchNorm3d):
    """Batch norm with an offset and no scale. The ones are a buffer: fast kernels want one, and it must not learn."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=BATCH_NORM_EPSILON, momentum=BATCH_NORM_MOMENTUM)
        del self.weight
        self.fill_weight()
        self.ghost_batch: int | None = None
        """Clips that training normalises together, as a replica of that batch would; None: all of a batch."""
        self.moves_averages = True
        """Whether training moves the averages."""

    def fill_weight(self) -> None:
        """Make the ones, which no state dict holds."""
        self.register_buffer("weight", torch.ones(self.num_features), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise; in training each ghost batch by itself, whose statistics count alike in the moving averages."""
        if not self.training or (self.ghost_batch is None and self.moves_averages):
            y: Tensor = super().forward(x)
            return y
        pieces: list[Tensor] = []
        averages: list[tuple[Tensor, Tensor]] = []
        for piece in torch.tensor_split(x, self._ghosts(len(x))):
            mean, variance = self._buffer("running_mean").clone(), self._buffer("running_var").clone()
            weight, momentum = self._buffer("weight"), self.momentum or 0.0
            pieces.append(functional.batch_norm(piece, mean, variance, weight, self.bias, True, momentum, self.eps))
            averages.append((mean, variance))
        if self.moves_averages:
            with torch.no_grad():
                for name, found in zip(("running_mean", "running_var"), zip(*averages, strict=True), strict=True):
                    self._buffer(name).copy_(torch.stack(found).mean(0))
        # A concatenation copies, even of one.
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    def _ghosts(self, batch: int) -> int:
        return max(1, batch // (self.ghost_batch or batch))

    def _buffer(self, name: str) -> Tensor:
        buffer: Tensor = getattr(self, name)
        return buffer


class _Unit(nn.Module):
    """A SAME convolution, batch norm and ReLU; or, as the head's, a convolution with bias alone."""

    def __init__(self, unit: Convolution, in_channels: int, *, batch_norm: bool) -> None:
        super().__init__()
        self.kernel, self.stride = unit.kernel, unit.stride
        self.conv_3d = nn.Conv3d(in_channels, unit.channels, unit.kernel, unit.stride, bias=not batch_norm)
        # Sonnet 1's initialisation (sonnet/python/modules/conv.py): truncated normal of variance 1 / fan-in.
        deviation = 1 / sqrt(in_channels * prod(unit.kernel))
        nn.init.trunc_normal_(self.conv_3d.weight, std=deviation, a=-2 * deviation, b=2 * deviation)
        if self.conv_3d.bias is not None:
            nn.init.zeros_(self.conv_3d.bias)
        self.batch_norm = OffsetBatchNorm(unit.channels) if batch_norm else None

    def forward(self, x: Tensor) -> Tensor:
        x, padding = _pad(x, self.kernel, self.stride, 0.0)
        y = functional.conv3d(x, self.conv_3d.weight, self.conv_3d.bias, self.stride, padding)
        return y if self.batch_norm is None else functional.relu(self.batch_norm(y))


class _TorchOperations:
    """The verbs of `architecture.interpret`, on PyTorch tensors in NCDHW."""

    def __init__(self, model: I3D) -> None:
        self._model = model

    def convolution(self, x: Tensor, unit: Convolution) -> Tensor:
        y: Tensor = _unit(self._model, unit)(x)
        return y

    def max_pool(self, x: Tensor, unit: MaxPool) -> Tensor:
        x, padding = _pad(x, unit.kernel, unit.stride, float("-inf"))
        return functional.max_pool3d(x, unit.kernel, unit.stride, padding)

    def concatenate(self, branches: list[Tensor], unit: Mixed) -> Tensor:
        return torch.cat(branches, 1)


def _check_clips(clips: Tensor) -> None:
    if not isinstance(clips, Tensor):
        raise ArchitectureError(f"the network takes a tensor, not {type(clips).__name__}; normalize makes it of pixels")
    if clips.ndim != 5 or clips.shape[1] != 3 or not clips.is_floating_point():
        raise ArchitectureError(
            "the network takes floats in -1..1 of shape batch, 3, frames, height, width, not "
            f"{str(clips.dtype).removeprefix('torch.')} of shape {tuple(clips.shape)}; "
            "quovadis.torch.normalize makes them of pixels of shape batch, frames, height, width, 3"
        )


def _unit(model: I3D, unit: Convolution) -> nn.Module:
    return model.get_submodule(unit.scope.replace("/", "."))


def _pad(
    x: Tensor, kernel: tuple[int, int, int], stride: tuple[int, int, int], value: float
) -> tuple[Tensor, tuple[int, int, int]]:
    """Pad as `architecture.same_padding` says; return also what is left for the operation itself to pad.

    With stride 1 the padding is symmetric whatever the size, and costs no copy.
    """
    if stride == (1, 1, 1):
        t, h, w = (size // 2 for size in kernel)
        return x, (t, h, w)
    before_and_after: list[int] = []
    for axis, size, step in zip(_TIME_AND_SPACE, kernel, stride, strict=True):
        length = x.shape[axis]
        # `same_padding` where no kernel is smaller than its stride: a formula that can be traced for any length.
        total = size - step + -length % step
        before_and_after = [total // 2, total - total // 2, *before_and_after]
    return functional.pad(x, before_and_after, value=value), (0, 0, 0)
