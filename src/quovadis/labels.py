"""The class names, in the order of the network's outputs."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Literal, TypeAlias

from quovadis.errors import LabelsError
from quovadis.escape import counted, shortened

LABELS_NAME = "labels.txt"
"""The file beside weights that names their classes, where the weights' own file has no place for names."""
ClassSet: TypeAlias = Literal["kinetics400", "kinetics600"]
"""The classes of a dataset that official weights were trained on."""


@cache
def class_set(name: ClassSet) -> tuple[str, ...]:
    """Return the classes of a dataset in output order: `label_map.txt` or `label_map_600.txt` of kinetics-i3d."""
    text = resources.files("quovadis").joinpath(f"data/{name}.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines())


def kinetics400() -> tuple[str, ...]:
    """Return the 400 classes of Kinetics-400 in output order."""
    return class_set("kinetics400")


def numbered_classes(num_classes: int) -> tuple[str, ...]:
    """Return names for classes of which nothing but the number is known: `class 0`, `class 1`, ….

    They count from 0, as outputs do, and a dataset may name a class by them or by the bare number.
    """
    return tuple(f"class {number}" for number in range(num_classes))


def class_names(labels: str | os.PathLike[str] | Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the names that a user chose, a file or a list; None where the weights' own are meant.

    Raises:
        LabelsError: they cannot be read, or a name is empty or doubled.
    """
    if labels is None:
        return None
    if isinstance(labels, str | os.PathLike):
        return read_labels(labels)
    # An array is no sequence for Python. A set or a dictionary has no order that its user wrote.
    if isinstance(labels, bytes) or not (isinstance(labels, Sequence) or hasattr(labels, "__array__")):
        raise LabelsError(f"labels must be a file or a list of names, not {shortened(labels)}", option="labels")
    return check_labels(list(labels), labels_origin(labels))


def labels_origin(labels: str | os.PathLike[str] | Sequence[str] | None) -> str:
    """Return what errors call the names that a user chose: their file, or `labels` where they are a list."""
    return os.fspath(labels) if isinstance(labels, str | os.PathLike) else "labels"


def read_labels(path: str | os.PathLike[str], num_classes: int | None = None) -> tuple[str, ...]:
    """Read a list of class names: UTF-8 text, one name a line, in output order; a final newline is optional.

    Raises:
        LabelsError: the file cannot be read, a name is empty or doubled, or there are not `num_classes` of them.
    """
    if not os.fspath(path):
        raise LabelsError("'': an empty name; give a file of class names, one a line")
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise LabelsError(f"{path}: cannot read the class names: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise LabelsError(f"{path}: the class names must be UTF-8 text, one a line") from error
    return check_labels([line.strip() for line in text.splitlines()], str(path), num_classes)


def check_labels(labels: Sequence[str], origin: str, num_classes: int | None = None) -> tuple[str, ...]:
    """Return `labels` if they can name the network's outputs.

    Args:
        labels: the names, in output order.
        origin: where they are from, for errors.
        num_classes: how many there must be; None: any number.

    Raises:
        LabelsError: a name is empty or doubled, or there are not `num_classes` of them.
    """
    seen: set[str] = set()
    for line, label in enumerate(labels, start=1):
        if not isinstance(label, str):
            raise LabelsError(f"{origin}: class name {line} must be text, not {shortened(label)}", option="labels")
        if not label:
            raise LabelsError(f"{origin}: class name {line} is empty; give one name a line", option="labels")
        if label in seen:
            raise LabelsError(f'{origin}: the class name "{label}" stands twice; names must differ', option="labels")
        seen.add(label)
    if num_classes not in (None, len(labels)):
        raise LabelsError(
            f"{origin}: {counted(len(labels), 'class name')}, but the network has {num_classes} classes",
            option="labels",
        )
    return tuple(labels)


def labels_text(labels: Sequence[str]) -> str:
    """Return the content of a `labels.txt`."""
    return "".join(f"{label}\n" for label in labels)


def labels_to_json(labels: Sequence[str]) -> str:
    """Return the names as the metadata of a weights file holds them."""
    return json.dumps(list(labels))


def labels_from_json(text: str | None) -> tuple[str, ...] | None:
    """Read the names out of the metadata of a weights file; None if it is not a list of them."""
    try:
        labels = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    is_list = isinstance(labels, list) and labels and all(isinstance(label, str) for label in labels)
    return tuple(labels) if is_list else None
