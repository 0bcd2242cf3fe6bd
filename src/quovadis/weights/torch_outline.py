"""What a file of `torch.save` holds, read from its pickle without PyTorch and without running any of it.

A pickle is a program. Here it is not run but listed, opcode by opcode, as `pickletools` disassembles it: names of
classes, and for each tensor the text before it, which in a state dict is its key, and its shape.
"""

from __future__ import annotations

import io
import pickletools
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

_MAX_PICKLE_BYTES = 1 << 25
_MAX_OPCODES = 500_000
"""A state dict of I3D takes 10,000."""
_TUPLES = {"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_TUPLE"}
_MEMO = {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"}
_PLAIN_MODULES = re.compile(
    r"(torch(\._\w+|\.(serialization|storage|nn\.parameter))?|collections|_codecs|numpy(\..*)?|(__)?builtins?(__)?)$"
)
"""Modules that files of tensors name; NumPy's are in those with numbers of a training."""

Opcode = tuple[str, Any]


@dataclass(frozen=True)
class TorchOutline:
    """What was found in a file of `torch.save`, as far as it could be listed."""

    shapes: dict[str, tuple[int, ...]]
    """Of tensors, by the text before them: the key in a state dict, whatever the state dict lies in."""
    classes: tuple[str, ...]
    """Names of classes and functions that a file of tensors does not need, in order."""
    texts: frozenset[str]
    """All texts in it."""


def read_outline(path: Path) -> TorchOutline:
    """List what a file of `torch.save` holds, of either format; nothing of a file that is damaged."""
    shapes: dict[str, tuple[int, ...]] = {}
    classes: dict[str, None] = {}
    texts: list[str] = [""]
    key = before = ""
    opcodes = _opcodes(path)
    for name, value in opcodes:
        if name == "BINPERSID":
            shape = _shape(opcodes)
            if shape is not None:
                shapes.setdefault(key, shape)
        elif name == "MARK" and before == "MARK":
            # The arguments of the function that makes a tensor begin with a reference to its values.
            key = texts[-1]
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            module, _, attribute = str(value or " ".join(texts[-2:])).partition(" ")
            if name == "STACK_GLOBAL":
                # The two texts before it are the class's name.
                del texts[max(len(texts) - 2, 1) :]
            if not _PLAIN_MODULES.match(module):
                classes[f"{module}.{attribute}"] = None
        elif name.endswith("UNICODE"):
            texts.append(str(value))
        if name not in _MEMO:
            before = name
    return TorchOutline(shapes, tuple(classes), frozenset(texts))


def _shape(opcodes: Iterator[Opcode]) -> tuple[int, ...] | None:
    """Read on from a reference to a tensor's values: its offset in them, then the sizes of its axes."""
    numbers: list[int] = []
    for name, value in islice(opcodes, 300):
        if isinstance(value, int) and name not in _MEMO:
            numbers.append(value)
        elif name in _TUPLES:
            return tuple(numbers[1:])
        elif name != "MARK" and name not in _MEMO:
            return None
    return None


def _opcodes(path: Path) -> Iterator[Opcode]:
    try:
        stream = io.BytesIO(_pickles(path))
        listed = 0
        # The old format has several pickles, one after the other: two numbers, a dictionary, then the object.
        while listed < _MAX_OPCODES and stream.read(1) == b"\x80":
            stream.seek(-1, io.SEEK_CUR)
            for opcode, value, _ in islice(pickletools.genops(stream), _MAX_OPCODES - listed):
                listed += 1
                yield opcode.name, value
    except (OSError, ValueError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile):
        # Damaged, or encrypted: reading it in earnest will say so.
        return


def _pickles(path: Path) -> bytes:
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            return file.read(_MAX_PICKLE_BYTES)
    with zipfile.ZipFile(path) as archive:
        name = min((n for n in archive.namelist() if re.fullmatch(r"(.*/)?data\.pkl", n)), key=len, default=None)
        if name is None:
            return b""
        with archive.open(name) as member:
            return member.read(_MAX_PICKLE_BYTES)
