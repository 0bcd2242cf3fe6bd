"""Features as a table of results, a row a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from types import MappingProxyType

from quovadis.features.formats.files import Files, Provenance
from quovadis.inference.feature_rows import FeatureRow
from quovadis.results.table import ResultRow, TableWriter, engine_text


class ParquetWriter:
    """The columns of every table of results; shape and axes of a row's features are in the file's metadata."""

    def __init__(
        self,
        folder: Path,
        name: str,
        labels: Mapping[str, Sequence[str]] = MappingProxyType({}),
        provenance: Provenance | None = None,
    ) -> None:
        """Choose the file, and what it says of the features' axes and of where they come from.

        Raises:
            MissingDependencyError: pyarrow is not installed.
        """
        self._files = Files(folder)
        self._table = TableWriter(self._files.temporary(f"{name}.parquet"))
        # A row of the file is one of the features: their first axis is none of a row's.
        self._labels = {label: names[1:] if label == "axes" else names for label, names in labels.items()}
        self._provenance = provenance or Provenance(name, name)
        self._engine = engine_text(self._provenance.settings)
        self._rows = 0

    def append(self, row: FeatureRow) -> None:
        """Take the next row."""
        made = ResultRow(
            key=self._provenance.key,
            path=self._provenance.path,
            start_seconds=row.start_seconds,
            end_seconds=row.end_seconds,
            clip=self._rows,
            features=row.values,
            weights_sha256=str(self._provenance.settings.get("weights_sha256", "")),
            engine=self._engine,
        )
        self._rows += 1
        self._table.append([made])

    def finish(self, frames_per_second: float) -> list[str]:
        """Complete the file and give it its name."""
        rate = frames_per_second if isfinite(frames_per_second) else None
        settings = dict(self._provenance.settings)
        self._table.finish({"settings": settings, "frames_per_second": rate}, self._labels)
        return self._files.atomic_replace()

    def abandon(self) -> None:
        """Leave nothing behind of a file that is not complete."""
        self._table.abandon()
        self._files.abandon()
