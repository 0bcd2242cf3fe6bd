"""Features as a Parquet file, a row a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from quovadis.extras import import_extra
from quovadis.features.formats.files import Files
from quovadis.inference.feature_rows import FeatureRow

_GROUP_BYTES = 1 << 24
"""Of the features that are gathered before they are written."""


class ParquetWriter:
    """Columns `start_seconds`, `end_seconds` and `features`, a list of float32; its shape is in the file's metadata.

    So are the labels of the shape's axes. All of these are joined by commas.
    """

    def __init__(self, folder: Path, name: str, labels: Mapping[str, Sequence[str]] = MappingProxyType({})) -> None:
        """Choose the file, and what it says of the features' axes.

        Raises:
            MissingDependencyError: pyarrow is not installed.
        """
        self._arrow = import_extra("pyarrow", "writing Parquet")
        self._parquet = import_extra("pyarrow.parquet", "writing Parquet")
        self._files = Files(folder)
        self._path = self._files.temporary(f"{name}.parquet")
        # A row of the file is one of the features: their first axis is none of a row's.
        self._labels = {label: names[1:] if label == "axes" else names for label, names in labels.items()}
        self._writer: Any = None
        self._waiting: list[FeatureRow] = []

    def append(self, row: FeatureRow) -> None:
        """Take the next row."""
        self._waiting.append(row)
        if len(self._waiting) * row.values.nbytes >= _GROUP_BYTES:
            self._write()

    def _write(self) -> None:
        arrow = self._arrow
        values = np.stack([row.values for row in self._waiting])
        width = int(np.prod(values.shape[1:]))
        columns = {
            "start_seconds": arrow.array([row.start_seconds for row in self._waiting], arrow.float64()),
            "end_seconds": arrow.array([row.end_seconds for row in self._waiting], arrow.float64()),
            "features": arrow.FixedSizeListArray.from_arrays(arrow.array(values.reshape(-1)), width),
        }
        labels = {"shape": list(map(str, values.shape[1:])), **self._labels}
        metadata = {label: ",".join(names) for label, names in labels.items()}
        table = arrow.table(columns).replace_schema_metadata(metadata)
        if self._writer is None:
            self._writer = self._parquet.ParquetWriter(self._path, table.schema, compression="zstd")
        self._writer.write_table(table)
        self._waiting = []

    def finish(self, frames_per_second: float) -> list[str]:
        """Complete the file and give it its name."""
        if self._waiting:
            self._write()
        self._writer.add_key_value_metadata({"frames_per_second": repr(frames_per_second)})
        self._close()
        return self._files.atomic_replace()

    def abandon(self) -> None:
        """Leave nothing behind of a file that is not complete."""
        # What could not be written before cannot be written now.
        with suppress(OSError):
            self._close()
        self._files.abandon()

    def _close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
