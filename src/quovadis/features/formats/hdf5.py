"""Features as an HDF5 file."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from quovadis.extras import import_extra
from quovadis.features.formats.files import Files
from quovadis.inference.feature_rows import FeatureRow


class _File(io.FileIO):
    """A file that remembers the first failure, as of a full disk: HDF5 does not survive one while it writes."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w+")
        self._error: OSError | None = None

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        written = 0
        try:
            while written < len(view) and self._error is None:
                written += super().write(view[written:]) or 0
        except OSError as error:
            self._error = error
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        try:
            return super().truncate(size)
        except OSError as error:
            self._error = self._error or error
            return self.tell() if size is None else size

    def check(self) -> None:
        """Raise the failure, if there was one.

        Raises:
            OSError: what could not be written.
        """
        if self._error is not None:
            raise self._error


class HDF5Writer:
    """Datasets `features` and `seconds` (start and end of each window), and attributes of the file.

    These are `frames_per_second`, and labels of axes, joined by commas.
    """

    def __init__(self, folder: Path, name: str, labels: Mapping[str, Sequence[str]] = MappingProxyType({})) -> None:
        """Choose the file, and what it says of the features' axes.

        Raises:
            MissingDependencyError: h5py is not installed.
        """
        self._hdf5 = import_extra("h5py", "writing HDF5")
        self._files = Files(folder)
        self._path = self._files.temporary(f"{name}.h5")
        self._labels = labels
        self._file: Any = None
        self._bytes: _File | None = None

    def append(self, row: FeatureRow) -> None:
        """Take the next row."""
        shape = row.values.shape
        if self._file is None:
            self._bytes = _File(self._path)
            self._file = self._hdf5.File(self._bytes, "w")
            # Times of creation would make the same features differ.
            self._file.create_dataset(
                "features", (0, *shape), "f4", maxshape=(None, *shape), chunks=(1, *shape), track_times=False
            )
            self._file.create_dataset("seconds", (0, 2), "f8", maxshape=(None, 2), track_times=False)
        for name, values in (("features", row.values), ("seconds", (row.start_seconds, row.end_seconds))):
            dataset = self._file[name]
            dataset.resize(len(dataset) + 1, axis=0)
            dataset[-1] = values
        self._check()

    def finish(self, frames_per_second: float) -> list[str]:
        """Complete the file and give it its name."""
        self._file.attrs["frames_per_second"] = frames_per_second
        for label, names in self._labels.items():
            self._file.attrs[label] = ",".join(names)
        self._close()
        self._check()
        return self._files.atomic_replace()

    def abandon(self) -> None:
        """Leave nothing behind of a file that is not complete."""
        self._close()
        self._files.abandon()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._bytes is not None:
            self._bytes.close()

    def _check(self) -> None:
        if self._bytes is not None:
            self._bytes.check()
