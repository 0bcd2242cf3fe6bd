"""What training lowers: cross-entropy over one class for each video, or binary cross-entropy over several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from quovadis.errors import TrainingError
from quovadis.fields import check_values
from quovadis.training.options import TrainingOptions

Reduction: TypeAlias = Literal["mean", "none"]


class Loss(Protocol):
    """What training lowers."""

    def __call__(self, logits: Tensor, targets: Tensor, reduction: Reduction = "mean") -> Tensor:
        """Return the loss.

        Args:
            logits: shape B,classes.
            targets: values for each class in 0..1, shape B,classes.
            reduction: `mean`: over the batch; `none`: of each clip, shape B.
        """
        ...


def one_hot(targets: Tensor, classes: int) -> Tensor:
    """Return targets as values for each class, float32, shape B,classes.

    Args:
        targets: indices of classes, shape B, or values for each class already, shape B,classes.
        classes: how many there are.

    Raises:
        TrainingError: an index that is no class, or targets of another shape.
    """
    if targets.ndim != 1 and (targets.ndim != 2 or targets.shape[1] != classes):
        raise TrainingError(f"targets must be of shape clips or clips,{classes}, not {tuple(targets.shape)}")
    if targets.ndim == 1 and len(targets):
        least, most = int(targets.min()), int(targets.max())
        if least < 0:
            raise TrainingError(f"a clip is of class {least}, but classes are counted from 0")
        if most >= classes:
            raise TrainingError(f"a clip is of class {most}, but there are {classes}: name all in `labels`")
    return functional.one_hot(targets.long(), classes).float() if targets.ndim == 1 else targets.float()


def make_loss(options: TrainingOptions, videos_per_class: Sequence[float] | None = None) -> Loss:
    """Return the loss that the options ask for.

    It is a plain mean over the batch, also with weights of classes, so that the gradients of several batches, or of
    several processes, are averaged into those of one large batch.

    Args:
        options: the kind of loss, label smoothing, and whether classes are weighted.
        videos_per_class: for weights of classes; None: classes weigh alike.

    Raises:
        TrainingError: an argument of another type, or numbers of videos that are negative or all 0.
    """
    check_values(TrainingOptions, TrainingError, options=options)
    check_values(Sequence[float] | None, TrainingError, videos_per_class=videos_per_class)
    if videos_per_class is not None and not (min(videos_per_class, default=0) >= 0 and any(videos_per_class)):
        raise TrainingError("videos_per_class must be 0 or more, and some above 0", option="videos_per_class")
    weights = None
    if options.balance == "weights" and videos_per_class is not None:
        weights = torch.tensor(class_weights(videos_per_class), dtype=torch.float32)

    def softmax_loss(logits: Tensor, targets: Tensor, reduction: Reduction = "mean") -> Tensor:
        smooth = smoothed(targets, options.label_smoothing, targets.shape[1])
        # Mixed and smoothed targets weigh as their classes do.
        factors = smooth if weights is None else smooth * weights.to(smooth.device)
        each = -(factors * functional.log_softmax(logits, 1)).sum(1)
        return each.mean() if reduction == "mean" else each

    def sigmoid_loss(logits: Tensor, targets: Tensor, reduction: Reduction = "mean") -> Tensor:
        smooth = smoothed(targets, options.label_smoothing, 2)
        each = functional.binary_cross_entropy_with_logits(logits, smooth, reduction="none").mean(1)
        return each.mean() if reduction == "mean" else each

    return sigmoid_loss if options.loss == "sigmoid" else softmax_loss


def smoothed(targets: Tensor, share: float, classes: int) -> Tensor:
    """Return targets of which a share is spread over so many classes (Szegedy et al. 2016, section 7)."""
    return targets * (1 - share) + share / classes


def class_weights(videos_per_class: Sequence[float]) -> list[float]:
    """Return a factor for each class, in inverse proportion to its videos; their mean over all videos is 1."""
    total, classes = sum(videos_per_class), sum(count > 0 for count in videos_per_class)
    return [total / (classes * count) if count else 0.0 for count in videos_per_class]
