"""Options as dataclasses: what their fields may hold, and keywords in place of fields."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches
from functools import cache
from numbers import Real
from operator import index
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from quovadis.errors import ArchitectureError, QuovadisError
from quovadis.escape import quoted, shortened

MAX_WORKERS, MAX_THREADS = 256, 1024
"""Videos that one process works on at once, and threads of an engine: more would only exhaust the machine."""

_REFUSED = object()
_MAX_NUMBER = 10**300
"""Of larger whole numbers there is nothing; Python can neither make floats of them nor, of some, print them."""
_NAMES: Mapping[Any, str] = {
    **{int: "a whole number", float: "a number", str: "text", bool: "True or False"},
    **{NoneType: "None", os.PathLike: "a path", Callable: "a function", Iterable: "a list", Mapping: "a mapping"},
}
_PLURALS: Mapping[Any, str] = {int: "whole numbers", float: "numbers"}
FUNCTION = Callable[..., object]
"""What a caller must give to be called, for `check_values`."""
OPTIONAL_FUNCTION = Callable[..., object] | None
"""What a caller may give to be called, for `check_values`."""


def check_fields(options: Any, error: type[QuovadisError], **errors: type[QuovadisError]) -> None:
    """Refuse values that the fields of a dataclass cannot hold; called when one is made.

    These are values of other types, and values outside the `min` and `max` of a field's metadata. Numbers of numpy
    become Python's.

    Args:
        options: the dataclass.
        error: raised for a value that is refused, with the field as its option.
        errors: others, by the field that they are of.
    """
    bounds = {field.name: (field.metadata.get("min"), field.metadata.get("max")) for field in fields(options)}
    for name, kind in _types(type(options)).items():
        given = getattr(options, name)
        least, most = bounds[name]
        value = check_value(name, given, kind, errors.get(name, error), at_least=least, at_most=most)
        if value is not given:
            object.__setattr__(options, name, value)


def check_value(
    name: str,
    given: Any,
    kind: Any,
    error: type[QuovadisError],
    *,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Any:
    """Return a value as an option of a type holds it: numbers of numpy as Python's.

    Args:
        name: of the option.
        given: the value.
        kind: what it must be: a class, a union, a `Literal`, or a sequence of one of these. A whole number is
            everything that Python takes as an index, but for booleans.
        error: raised for another value, with the option.
        at_least: the least that a number may be.
        at_most: the most that it may be.
    """
    value = _accepted(given, kind)
    if value is _REFUSED:
        choices = [choice for choice in _choices(kind) if isinstance(choice, str)]
        if isinstance(given, str) and choices and not {str, int, float} & set(_kinds(kind)):
            message = f"unknown {name} {quoted(given)}: choose {', '.join(choices)}"
        else:
            message = f"{name} must be {_described(kind)}, not {shortened(given)}"
        raise error(message, option=name)
    if at_least is not None and value is not None and not value >= at_least:
        raise error(f"{name} must be {at_least} or more, not {value}", option=name)
    if at_most is not None and value is not None and value > at_most:
        raise error(f"{name} must be {at_most} or less, not {value}", option=name)
    return value


def check_path(name: str, given: Any, error: type[QuovadisError]) -> Path:
    """Return a path that a user gave, as text or as a path; another type, or what no path can be, is refused."""
    check_value(name, given, str | os.PathLike, error)
    text = os.fspath(given)
    if not text:
        raise error(f"'': an empty name; give a {name}", option=name)
    if "\0" in text:
        raise error(f"{shortened(text)}: holds a null byte, which no path can; give a {name}", option=name)
    return Path(given)


def check_values(kind: Any, error: type[QuovadisError], **given: Any) -> None:
    """Refuse values of other types than `kind`, as `check_value` does, by the names of their options."""
    for name, value in given.items():
        check_value(name, value, kind, error)


def with_keywords(keywords: Mapping[str, Any], *given: Any, free: bool = False) -> tuple[Any, ...]:
    """Return options with keywords in the place of their fields, or of the fields of options that they hold.

    Args:
        keywords: values by the names of fields.
        given: dataclasses, no two with a field of one name.
        free: whether a field that may hold options of several classes becomes of the first class that has all the
            keywords, because nobody has chosen one; if not, its class stays.

    Raises:
        TypeError: a keyword that is no field, as Python raises it for functions.
        ArchitectureError: keywords that do not go together, or whose values are not possible.
    """
    known = {name: number for number, options in enumerate(given) for name in _all_names(type(options))}
    unknown = [name for name in keywords if name not in known]
    if unknown:
        nearest = get_close_matches(unknown[0], known, 1)
        meant = f" (did you mean {nearest[0]!r}?)" if nearest else ""
        raise TypeError(f"unknown keyword {', '.join(map(repr, unknown))}{meant}; there are {', '.join(known)}")
    parts: list[dict[str, Any]] = [{} for _ in given]
    for name, value in keywords.items():
        parts[known[name]][name] = value
    return tuple(_replaced(options, part, free) for options, part in zip(given, parts, strict=True))


def _replaced(options: Any, keywords: Mapping[str, Any], free: bool) -> Any:
    own = {name: keywords[name] for name in _types(type(options)) if name in keywords}
    for name, kind in _types(type(options)).items():
        classes: list[Any] = [one for one in _kinds(kind) if is_dataclass(one)]
        inner = {key: value for key, value in keywords.items() if any(key in _all_names(one) for one in classes)}
        inner = {key: value for key, value in inner.items() if key not in own}
        if not inner:
            continue
        held = own.get(name, getattr(options, name))
        if _accepted(held, kind) is _REFUSED:
            # Raises, and says what it must be.
            replace(options, **{name: held})
        if not is_dataclass(held) or not inner.keys() <= set(_all_names(type(held))):
            fitting = [one for one in classes if inner.keys() <= set(_all_names(one))]
            if not fitting or not free or name in own:
                raise _contradiction(name, held, inner, classes)
            held = fitting[0]()
        own[name] = _replaced(held, inner, free)
    return replace(options, **own) if own else options


def _contradiction(name: str, held: Any, inner: Mapping[str, Any], classes: Sequence[Any]) -> ArchitectureError:
    names = set(_all_names(type(held))) if is_dataclass(held) else set()
    odd = next((key for key in inner if key not in names), next(iter(inner)))
    owners = " and ".join(one.__name__ for one in classes if odd in _all_names(one))
    others = [key for key in inner if key != odd]
    beside = f"`{others[0]}`" if others and not hasattr(held, odd) and hasattr(held, others[0]) else None
    beside = beside or f"{name} of {type(held).__name__}"
    return ArchitectureError(f"`{odd}` is for {owners}, and does not go with {beside}: leave one out", option=odd)


def _all_names(options: Any) -> Iterator[str]:
    """Yield the names of a class's fields, and of those of the options that they hold."""
    for name, kind in _types(options).items():
        yield name
        for one in _kinds(kind):
            if is_dataclass(one):
                yield from _all_names(one)


def _read_types(options: Any) -> Mapping[str, Any]:
    hints = get_type_hints(options)
    return {field.name: hints[field.name] for field in fields(options) if field.init}


_types = cast("Callable[[Any], Mapping[str, Any]]", cache(_read_types))
"""The types of a class's fields, by name."""


def _kinds(kind: Any) -> Sequence[Any]:
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def _choices(kind: Any) -> list[Any]:
    return [choice for one in _kinds(kind) if get_origin(one) is Literal for choice in get_args(one)]


def _accepted(value: Any, kind: Any) -> Any:
    """Return a value as a field of a type is to hold it."""
    for one in _kinds(kind):
        accepted = _accepted_by(value, one)
        if accepted is not _REFUSED:
            return accepted
    return _REFUSED


def _accepted_by(value: Any, kind: Any) -> Any:
    origin = get_origin(kind)
    if origin is Literal:
        # 1, of whatever type, is a choice; True, though equal to it, is none.
        return next((one for one in get_args(kind) if _is_choice(value, one)), _REFUSED)
    if kind is bool:
        return bool(value) if _is_boolean(value) else _REFUSED
    if kind is int or kind is float:
        number: float | None = _index(value)
        if number is None and kind is float and isinstance(value, Real) and not _is_boolean(value):
            number = float(value)
        # Not a number is equal to nothing, and no number to compute with.
        is_none = number is None or number != number or (isinstance(number, int) and abs(number) > _MAX_NUMBER)
        return _REFUSED if is_none else number
    if origin is not None and issubclass(origin, Sequence):
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            return _REFUSED
        items = [_accepted(one, get_args(kind)[0]) for one in value]
        if any(item is _REFUSED for item in items):
            return _REFUSED
        is_same = isinstance(value, origin) and all(a is b for a, b in zip(items, value, strict=True))
        return value if is_same else tuple(items)
    if kind is Any:
        return value
    return value if isinstance(value, origin or kind) else _REFUSED


def _index(value: Any) -> int | None:
    """Return a whole number of any type as Python's; None: it is none."""
    if _is_boolean(value) or isinstance(value, int):
        return None if _is_boolean(value) else value
    try:
        return index(value)
    except TypeError:
        return None


def _is_boolean(value: Any) -> bool:
    # Also numpy's, and one element of an array or a tensor; none of these is imported to ask.
    return isinstance(value, bool) or str(getattr(value, "dtype", "")).removeprefix("torch.") == "bool"


def _is_choice(value: Any, choice: Any) -> bool:
    if isinstance(choice, int):
        return _index(value) == choice
    return isinstance(value, type(choice)) and bool(value == choice)


def _described(kind: Any) -> str:
    described = []
    for one in _kinds(kind):
        origin = get_origin(one)
        if origin is Literal:
            described += [repr(choice).replace("'", '"') for choice in get_args(one)]
        elif origin in _NAMES:
            described.append(_NAMES[origin])
        elif origin is not None:
            item = get_args(one)[0]
            described.append(f"a list of {_PLURALS.get(item) or _described(item)}")
        else:
            described.append(_NAMES.get(one, one.__name__))
    return " or ".join([", ".join(described[:-1]), described[-1]] if described[1:] else described)
