"""Results that hold arrays: compared by value, and returned in JSON's types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from math import isnan
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from quovadis.escape import escaped

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, eq=False)
class ArrayEquality:
    """A dataclass with arrays among its fields, compared by value.

    Two are equal if all their fields are, arrays element by element, where not-a-number equals itself. Because arrays
    can change, results have no hash: they cannot be keys of a dictionary or members of a set.
    """

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(_equal(getattr(self, one.name), getattr(other, one.name)) for one in fields(self))


@dataclass(frozen=True, eq=False)
class ArrayValue(ArrayEquality):
    """A result with arrays among its fields, compared by value, and written in JSON's types."""

    def to_dict(self) -> dict[str, Any]:
        """Return all fields in JSON's types: arrays as nested lists, not-a-number as None.

        Bytes of file names that are no text are escaped, so that the JSON can be encoded.
        """
        return {one.name: in_json_types(getattr(self, one.name)) for one in fields(self)}


def in_json_types(value: Any) -> Any:
    """Return a value, or what is in a list or a mapping, in JSON's types: see `ArrayValue.to_dict`."""
    if isinstance(value, np.ndarray):
        return in_json_types(value.tolist())
    if isinstance(value, Mapping):
        return {name: in_json_types(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [in_json_types(item) for item in value]
    if isinstance(value, str):
        return escaped(value)
    return None if isinstance(value, float) and isnan(value) else value


def read_only(array: NDArray[Scalar]) -> NDArray[Scalar]:
    """Return a view of an array that cannot be written to; the array itself stays as it is."""
    view = array.view()
    view.flags.writeable = False
    return view


def _equal(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_equal(a[name], b[name]) for name in a)
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (isnan(a) and isnan(b))
    if isinstance(a, list | tuple) and type(a) is type(b):
        return len(a) == len(b) and all(map(_equal, a, b))
    if is_dataclass(a) and not isinstance(a, ArrayEquality | type) and type(a) is type(b):
        return all(_equal(getattr(a, one.name), getattr(b, one.name)) for one in fields(a))
    return type(a) is type(b) and a == b
