"""The one table of results: Parquet, a row for each clip, view, window or step, whichever command wrote it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.errors import DatasetError
from quovadis.escape import escaped, parse_failure
from quovadis.extras import import_extra
from quovadis.version import __version__

_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "key": "string",
        "path": "string",
        "start_seconds": "double",
        "end_seconds": "double",
        "clip": "int32",
        "crop": "int32",
        "logits": "lists",
        "features": "lists",
        "weights_sha256": "string",
        "engine": "string",
    }
)
"""Names of the columns that every table has, in order, and Arrow's name of their types; lists are of float32."""
_METADATA = "quovadis"
_ENGINE = ("engine", "version", "device", "precision")
_GROUP_BYTES = 1 << 24
"""Of the rows that are gathered before they are written."""
_ROW_BYTES = 256
"""About what a row takes beside its logits and features."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ResultRow:
    """What the network made of one clip, view, window or step."""

    key: str
    """What tells the video from others."""
    path: str
    """The video's path or address, as it was given."""
    start_seconds: float | None
    end_seconds: float | None
    """From the start of the video; None where the frame rate is not known."""
    clip: int
    """Number of the clip, window or step in the video, from 0."""
    crop: int = 0
    """Number of the crop, from 0."""
    logits: NDArray[np.float32] | None = field(default=None, repr=False)
    """Shape classes; None where there are none."""
    features: NDArray[np.float32] | None = field(default=None, repr=False)
    """Any shape, the same in all rows; None where there are none."""
    weights_sha256: str
    engine: str
    """What made the row, as `engine_text` writes it."""
    own: Mapping[str, Any] = field(default_factory=dict)
    """Values of the columns that this table has of its own."""

    @property
    def nbytes(self) -> int:
        """About how much memory the row takes, in bytes."""
        return _ROW_BYTES + sum(0 if values is None else values.nbytes for values in (self.logits, self.features))


@dataclass(frozen=True, eq=False, repr=False)
class ResultTable:
    """A table that was read, column by column; every array has one value, or one row of values, for each row."""

    key: NDArray[np.object_]
    path: NDArray[np.object_]
    start_seconds: NDArray[np.float64]
    end_seconds: NDArray[np.float64]
    """NaN where the time is not known."""
    clip: NDArray[np.int64]
    crop: NDArray[np.int64]
    logits: NDArray[np.float32] | None
    """Shape rows, classes; NaN in rows without any; None where no row has any."""
    features: NDArray[np.float32] | None
    """Shape rows and that of a row's features; NaN in rows without any; None where no row has any."""
    weights_sha256: NDArray[np.object_]
    engine: NDArray[np.object_]
    own: Mapping[str, NDArray[Any]]
    """The columns that this table has of its own."""
    metadata: Mapping[str, Any]
    """What the file says of all rows, in JSON's types."""

    def __len__(self) -> int:
        return len(self.key)

    def __repr__(self) -> str:
        shapes = {name: getattr(self, name) for name in ("logits", "features")}
        shown = [f"{name} {values.shape}" for name, values in shapes.items() if values is not None]
        return f"ResultTable({', '.join([f'{len(self)} rows', *shown])})"

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in the order of the logits; empty where there are no logits."""
        return tuple(self.metadata["labels"])

    @property
    def settings(self) -> Mapping[str, Any]:
        """Everything that the rows depend on, by name, as far as the command that wrote them says it."""
        settings: Mapping[str, Any] = self.metadata["settings"]
        return settings


def engine_text(description: Mapping[str, Any]) -> str:
    """Return what made a row in one line, such as `native 0.1.0 CPU (avx512) f32`.

    Args:
        description: an engine's, or settings that hold it among others.
    """
    parts = [str(description[name]) for name in _ENGINE if name in description]
    if "calibration_sha256" in description:
        parts.append(f"(calibration {description['calibration_sha256'][:12]})")
    return " ".join(parts)


class TableWriter:
    """Writes a table, in memory that does not grow with it; the same rows make the same bytes.

    Nothing is touched before the first rows are written. Whether the file appears whole or not at all is up to whoever
    lends the place that it is written to.
    """

    def __init__(self, sink: Any, *, labels: Sequence[str] = (), own: Mapping[str, str] = MappingProxyType({})) -> None:
        """Choose the file and its columns.

        Args:
            sink: its path, or a binary file that is open.
            labels: class names in the order of the logits; empty where no row has logits.
            own: names of further columns, and Arrow's names of their types.

        Raises:
            MissingDependencyError: pyarrow is not installed.
        """
        self._arrow = import_extra("pyarrow", "writing Parquet")
        self._parquet = import_extra("pyarrow.parquet", "writing Parquet")
        self._sink = sink
        self._labels = list(labels)
        floats = self._arrow.float32()
        lists = {"logits": self._arrow.list_(floats, len(labels) or -1), "features": self._arrow.list_(floats)}
        columns = {name: lists.get(name) or self._arrow.type_for_alias(kind) for name, kind in _COLUMNS.items()}
        self._own = {name: self._arrow.type_for_alias(kind) for name, kind in own.items()}
        self._schema = self._arrow.schema({**columns, **self._own})
        self._shape: tuple[int, ...] | None = None
        self._waiting: list[ResultRow] = []
        self._bytes = 0
        self._writer: Any = None
        self.is_broken = False
        """Whether an exception came while rows were being written: the file cannot be completed any more."""

    def append(self, rows: Iterable[ResultRow]) -> None:
        """Take the next rows, all of them or, where making one raises an exception, none.

        Raises:
            OSError: the file cannot be written.
        """
        new = list(rows)
        self._bytes += sum(row.nbytes for row in new)
        # In one piece: Ctrl-C may come between any two.
        self._waiting += new
        if self._bytes >= _GROUP_BYTES:
            self._write()

    def finish(self, metadata: Mapping[str, Any], axes: Mapping[str, Sequence[str]] = MappingProxyType({})) -> None:
        """Complete the file.

        Args:
            metadata: what is true of all rows, in JSON's types.
            axes: what is said of the axes of a row's features: `axes`, their names, and names along some of them.

        Raises:
            OSError: the file cannot be written.
        """
        self._write()
        features = {} if self._shape is None else {"features": {"shape": self._shape, **axes}}
        document = {"quovadis": __version__, "labels": self._labels, "settings": {}, **metadata, **features}
        self._writer.add_key_value_metadata({_METADATA: json.dumps(document)})
        self._close()

    def abandon(self) -> None:
        """Close the file as it is; safe to call after `finish`."""
        # What could not be written before cannot be written now.
        with suppress(OSError):
            self._close()

    def _close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _write(self) -> None:
        self.is_broken = True
        if self._writer is None:
            self._writer = self._parquet.ParquetWriter(self._sink, self._schema, compression="zstd")
        rows, columns = self._waiting, {}
        for name in self._schema.names:
            kind = self._schema.field(name).type
            values = [row.own[name] if name in self._own else getattr(row, name) for row in rows]
            if _COLUMNS.get(name) == "lists":
                columns[name] = self._lists(name, values, kind)
            elif _COLUMNS.get(name) == "string":
                columns[name] = self._arrow.array(map(escaped, values), kind)
            else:
                columns[name] = self._arrow.array(values, kind)
        if rows:
            self._writer.write_table(self._arrow.table(columns, schema=self._schema))
        self._waiting, self._bytes, self.is_broken = [], 0, False

    def _lists(self, name: str, values: Sequence[NDArray[np.float32] | None], kind: Any) -> Any:
        there = [array for array in values if array is not None]
        if not there:
            return self._arrow.nulls(len(values), kind)
        if name == "features":
            self._shape = self._shape or there[0].shape
        if {array.shape for array in there} != {self._shape if name == "features" else (len(self._labels),)}:
            raise ValueError(f"rows whose {name} differ in shape")
        if len(there) < len(values):
            return self._arrow.array([None if array is None else array.reshape(-1) for array in values], kind)
        flat = self._arrow.array(np.stack(there).astype(np.float32, copy=False).reshape(-1))
        if name == "logits":
            return self._arrow.FixedSizeListArray.from_arrays(flat, len(self._labels))
        offsets = np.arange(len(values) + 1, dtype=np.int32) * there[0].size
        return self._arrow.ListArray.from_arrays(self._arrow.array(offsets), flat)


def read_table(path: Path, *, expected: str = "results that quovadis wrote") -> ResultTable:
    """Read a table that any command has written.

    Args:
        path: the file.
        expected: what the file should be, for the message if it is not.

    Raises:
        DatasetError: there is no such file, or it is something else, or it is damaged.
        MissingDependencyError: pyarrow is not installed.
    """
    if path.is_dir():
        raise DatasetError(f"{path}: is a folder; name the file in it")
    arrow, parquet = (import_extra(name, "reading Parquet") for name in ("pyarrow", "pyarrow.parquet"))
    try:
        with parquet.ParquetFile(path) as file:
            metadata = json.loads((file.metadata.metadata or {})[_METADATA.encode()])
            table = file.read()
        return _checked(arrow, table, metadata)
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such file") from error
    except (OSError, arrow.ArrowException, LookupError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise DatasetError(f"{path}: not {expected} ({parse_failure(error)})") from error


def _checked(arrow: Any, table: Any, metadata: Any) -> ResultTable:
    """Return what a file holds.

    Raises:
        LookupError: a column or an entry of the metadata is not there.
        TypeError: metadata of another type.
        ValueError: a column that is not as it should be.
    """
    classes, features = len(metadata["labels"]), metadata.get("features")
    shapes = {"logits": (classes,), "features": () if features is None else tuple(map(int, features["shape"]))}
    if not all(isinstance(label, str) for label in metadata["labels"]) or not isinstance(metadata["settings"], dict):
        raise ValueError("metadata of another form")
    values: dict[str, Any] = {}
    for name, kind in _COLUMNS.items():
        column = table.column(name)
        if kind == "lists":
            values[name] = _arrays(arrow, column, shapes[name])
            continue
        if column.type != arrow.type_for_alias(kind) or (kind != "double" and column.null_count):
            raise ValueError(f"the column {name} is not of type {kind}, or has nulls")
        found = column.to_numpy()
        values[name] = found.astype(np.int64) if kind == "int32" else found
    own = {name: table.column(name).to_numpy() for name in table.column_names if name not in _COLUMNS}
    return ResultTable(**values, own=own, metadata=metadata)


def _arrays(arrow: Any, column: Any, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    """Return a column of lists as one array, shape rows and `shape`, or None if it has none.

    Raises:
        ValueError: lists of something else, or of another length.
    """
    kind = column.type
    if not (arrow.types.is_list(kind) or arrow.types.is_fixed_size_list(kind)) or kind.value_type != arrow.float32():
        raise ValueError("a column that is not of lists of float32")
    if column.null_count == len(column):
        return None
    width, parts = prod(shape), []
    for chunk in column.chunks:
        present = chunk.is_valid().to_numpy(zero_copy_only=False)
        flat = chunk.flatten()
        lengths = {length for length in chunk.value_lengths().to_pylist() if length is not None}
        if lengths - {width}:
            raise ValueError(f"lists that are not {width} long")
        part = np.full((len(chunk), width), np.nan, np.float32)
        part[present] = flat.to_numpy(zero_copy_only=False).reshape(-1, width)
        parts.append(part)
    return np.concatenate(parts).reshape(-1, *shape)
