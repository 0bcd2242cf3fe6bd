"""What `Trainer` requires of its arguments, checked before anything is written, and of what they return."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

import torch
from torch import Tensor, nn

from quovadis.errors import TrainingError
from quovadis.escape import counted
from quovadis.fields import OPTIONAL_FUNCTION, check_value
from quovadis.labels import check_labels


def check_pieces(make_trainer: Callable[..., None], given: Mapping[str, Any]) -> None:
    """Refuse arguments that are of other types than their annotations say, or do not go together.

    Args:
        make_trainer: `Trainer.__init__`, which is annotated.
        given: its arguments, by name.

    Raises:
        TrainingError: naming the first of them.
        LabelsError: a class name is empty, or stands twice.
    """
    # A loss is a protocol, which no value can be compared with.
    kinds = get_type_hints(make_trainer) | {"loss": OPTIONAL_FUNCTION}
    del kinds["return"]
    for name, kind in kinds.items():
        check_value(name, given[name], kind, TrainingError, at_least=1 if name == "views" else None)
    check_labels(given["labels"], "labels")
    try:
        json.dumps(dict(given["provenance"] or {}))
    except (TypeError, ValueError) as error:
        raise TrainingError(f"provenance must be of JSON's types: {error}", option="provenance") from error
    if given["validation"] is not None and given["loss"] is not None:
        _check_reduction(given["loss"])


def _check_reduction(loss: Any) -> None:
    """Refuse a loss that validation, at the end of an epoch, could not call."""
    try:
        signature = inspect.signature(loss.forward if isinstance(loss, nn.Module) else loss)
    except (TypeError, ValueError):
        # Of functions in C there may be none.
        return
    try:
        signature.bind(None, None, "none")
    except TypeError as error:
        raise TrainingError(
            'loss must take logits, targets and a reduction: with `validation` it is called with "none", for the loss '
            "of each clip",
            option="loss",
        ) from error


def check_logits(found: Any, clips: int, classes: int) -> Tensor:
    """Return what a network made of clips, if it is logits.

    Raises:
        TrainingError: it is something else, or of another shape than clips,classes.
    """
    if isinstance(found, Tensor) and found.shape == (clips, classes):
        return found
    raise TrainingError(
        f"the network returned {_described(found)} for {counted(clips, 'clip')}: it must return logits of shape "
        f"{clips, classes}, for the {counted(classes, 'class')} in `labels`",
        option="model",
    )


def check_loss(found: Any) -> Tensor:
    """Return a batch's loss, if it is one number with gradients.

    Raises:
        TrainingError: it is not.
    """
    if isinstance(found, Tensor) and found.numel() == 1:
        return found
    raise TrainingError(f"the loss returned {_described(found)}: it must return a tensor of one number", option="loss")


def check_optimiser(found: Any) -> torch.optim.Optimizer:
    """Return what a factory of optimisers made, if it is one.

    Raises:
        TrainingError: it is something else.
    """
    if isinstance(found, torch.optim.Optimizer):
        return found
    raise TrainingError(
        f"the optimiser's factory returned {_described(found)}: it must return a torch.optim.Optimizer",
        option="optimiser",
    )


def check_transformed(found: Any) -> tuple[Tensor, Tensor]:
    """Return the clips and the targets that a transform made, if it made both.

    Raises:
        TrainingError: it returned something else.
    """
    if isinstance(found, tuple) and len(found) == 2 and all(isinstance(one, Tensor) for one in found):
        return found
    raise TrainingError(
        f"the transform returned {_described(found)}: it must return two tensors, clips and targets", option="transform"
    )


def _described(found: Any) -> str:
    return f"a tensor of shape {tuple(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
