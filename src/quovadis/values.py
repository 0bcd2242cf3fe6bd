"""Results that hold arrays: compared by value, and returned in JSON's types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import isnan
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class ArrayValue:
    """A result with arrays among its fields.

    Two are equal if all their fields are, arrays element by element, where not-a-number equals itself. Because arrays
    can change, results have no hash: they cannot be keys of a dictionary or members of a set.
    """

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(_equal(getattr(self, one.name), getattr(other, one.name)) for one in fields(self))

    def to_dict(self) -> dict[str, Any]:
        """Return all fields in JSON's types: arrays as nested lists, not-a-number as None."""
        return {one.name: _plain(getattr(self, one.name)) for one in fields(self)}


def _equal(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_equal(a[name], b[name]) for name in a)
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (isnan(a) and isnan(b))
    # Tuples of results compare these by value, too.
    return type(a) is type(b) and a == b


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and isnan(value) else value
