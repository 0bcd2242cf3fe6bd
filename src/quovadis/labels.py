"""The class names, in the order of the network's outputs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path

from quovadis.architecture import NUM_CLASSES
from quovadis.errors import LabelsError


@cache
def kinetics400() -> tuple[str, ...]:
    """Return the 400 classes of Kinetics-400 in output order: `label_map.txt` of DeepMind's kinetics-i3d."""
    text = resources.files("quovadis").joinpath("data/kinetics400.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines())


def class_names(labels: str | os.PathLike[str] | Sequence[str] | None) -> tuple[str, ...]:
    """Return the names that a user chose: a file, a list, or None for Kinetics-400.

    Raises:
        LabelsError: they cannot be read or do not fit.
    """
    if labels is None:
        return kinetics400()
    if isinstance(labels, str | os.PathLike):
        return read_labels(labels)
    return check_labels(labels, "labels")


def read_labels(path: str | os.PathLike[str], num_classes: int = NUM_CLASSES) -> tuple[str, ...]:
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


def check_labels(labels: Sequence[str], origin: str, num_classes: int = NUM_CLASSES) -> tuple[str, ...]:
    """Return `labels` if they can name the network's outputs; `origin` says in errors where they are from.

    Raises:
        LabelsError: a name is empty or doubled, or there are not `num_classes` of them.
    """
    seen: set[str] = set()
    for line, label in enumerate(labels, start=1):
        if not label:
            raise LabelsError(f"{origin}: class name {line} is empty; give one name a line")
        if label in seen:
            raise LabelsError(f'{origin}: the class name "{label}" stands twice; names must differ')
        seen.add(label)
    if len(labels) != num_classes:
        raise LabelsError(f"{origin}: {len(labels)} class names, but the network has {num_classes} classes")
    return tuple(labels)
