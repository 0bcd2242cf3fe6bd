"""The types of `Trainer`'s arguments, which are checked before anything is written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from torch import nn

from quovadis.errors import TrainingError
from quovadis.fields import FUNCTION, OPTIONAL_FUNCTION, check_value
from quovadis.training.batches import BatchSource
from quovadis.training.distributed import Process
from quovadis.training.options import TrainingOptions
from quovadis.weights.input_specification import InputSpecification

_KINDS: Mapping[str, Any] = MappingProxyType(
    {
        "options": TrainingOptions,
        "loss": OPTIONAL_FUNCTION,
        "transform": OPTIONAL_FUNCTION,
        "model": nn.Module,
        "batches": BatchSource,
        "labels": Sequence[str],
        "validation": BatchSource | None,
        "views": int,
        "optimiser": FUNCTION,
        "process": Process | None,
        "input_specification": InputSpecification,
        "provenance": Mapping | None,
        "restart": bool,
        "on_step": OPTIONAL_FUNCTION,
        "on_evaluation": OPTIONAL_FUNCTION,
    }
)


def check_pieces(given: Mapping[str, Any]) -> None:
    """Refuse arguments of `Trainer`, given by name, that are of a wrong type.

    Raises:
        TrainingError: naming the first of them.
    """
    for name, kind in _KINDS.items():
        check_value(name, given[name], kind, TrainingError, at_least=1 if name == "views" else None)
    try:
        json.dumps(dict(given["provenance"] or {}))
    except (TypeError, ValueError) as error:
        raise TrainingError(f"provenance must be of JSON's types: {error}", option="provenance") from error
