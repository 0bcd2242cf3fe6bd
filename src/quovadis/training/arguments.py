"""The types of `Trainer`'s arguments, which are checked before anything is written."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from quovadis.errors import TrainingError
from quovadis.fields import OPTIONAL_FUNCTION, check_value


def check_pieces(make_trainer: Callable[..., None], given: Mapping[str, Any]) -> None:
    """Refuse arguments that are of other types than their annotations say.

    Args:
        make_trainer: `Trainer.__init__`, which is annotated.
        given: its arguments, by name.

    Raises:
        TrainingError: naming the first of them.
    """
    # A loss is a protocol, which no value can be compared with.
    kinds = get_type_hints(make_trainer) | {"loss": OPTIONAL_FUNCTION}
    del kinds["return"]
    for name, kind in kinds.items():
        check_value(name, given[name], kind, TrainingError, at_least=1 if name == "views" else None)
    try:
        json.dumps(dict(given["provenance"] or {}))
    except (TypeError, ValueError) as error:
        raise TrainingError(f"provenance must be of JSON's types: {error}", option="provenance") from error
