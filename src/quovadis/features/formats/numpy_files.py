"""Features as numpy's own files."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from quovadis.features.formats.files import Files
from quovadis.inference.feature_rows import FeatureRow

_COPIED_BYTES = 1 << 20


class GrowingArray:
    """A `.npy` file of float32 whose first axis grows: numpy leaves room in the header for its length."""

    def __init__(self, path: Path) -> None:
        """Choose the file, which is made with the first row."""
        self._path = path
        self._file: BinaryIO | None = None
        self._shape: tuple[int, ...] = ()

    def append(self, values: NDArray[np.float32]) -> None:
        """Add a row."""
        if self._file is None:
            self._shape = (0, *values.shape)
            self._file = self._path.open("wb")
            self._write_header(self._file)
        self._file.write(np.ascontiguousarray(values, "<f4").tobytes())
        self._shape = (self._shape[0] + 1, *self._shape[1:])

    def close(self) -> None:
        """Complete the file; safe to call twice."""
        file, self._file = self._file, None
        if file is not None:
            with file:
                file.seek(0)
                self._write_header(file)

    def abandon(self) -> None:
        """Close the file as it is; safe to call after `close`."""
        file, self._file = self._file, None
        if file is not None:
            # What could not be written before cannot be written now.
            with suppress(OSError):
                file.close()

    def _write_header(self, file: BinaryIO) -> None:
        header = {"descr": "<f4", "fortran_order": False, "shape": self._shape}
        np.lib.format.write_array_header_1_0(file, header)


class NumpyWriter:
    """One array of features, and what is known of its windows in others: as files of their own, or in one archive."""

    def __init__(
        self,
        folder: Path,
        name: str,
        layout: Literal["npy", "npz", "video_features"],
        labels: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        """Choose the files.

        Args:
            folder: where they go.
            name: what they begin with.
            layout: `npy`: features, and beside them a JSON document with start and end of each window in seconds, frame
                rate and labels; `npz`: the same as arrays in one archive; `video_features`: features, frame rate, and
                the end of each window in milliseconds.
            labels: what is said of the features' axes.
        """
        self._labels = labels
        self._files = Files(folder)
        self._name = name
        self._layout = layout
        suffix = {"npy": ".npy", "npz": ".features.npy", "video_features": "_rgb.npy"}[layout]
        self._path = self._files.temporary(name + suffix) if layout != "npz" else folder / f".{name}{suffix}.part"
        self._features = GrowingArray(self._path)
        self._seconds: list[tuple[float, float]] = []

    def append(self, row: FeatureRow) -> None:
        """Take the next row."""
        self._features.append(row.values)
        self._seconds.append((row.start_seconds, row.end_seconds))

    def finish(self, frames_per_second: float) -> list[str]:
        """Complete the files and give them their names."""
        self._features.close()
        seconds = np.array(self._seconds, np.float64)
        rate = np.array(frames_per_second)
        if self._layout == "npy":
            self._write_document(frames_per_second)
        elif self._layout == "video_features":
            self._save("_fps.npy", rate)
            self._save("_timestamps_ms.npy", seconds[:, 1] * 1000)
        else:
            archive = self._files.temporary(f"{self._name}.npz")
            with zipfile.ZipFile(archive, "w") as file:
                # Under its name alone: with the time of the temporary file the same features would differ.
                with self._path.open("rb") as features, file.open("features.npy", "w", force_zip64=True) as member:
                    shutil.copyfileobj(features, member, _COPIED_BYTES)
                arrays = {"seconds": seconds, "frames_per_second": rate}
                arrays |= {label: np.array(names) for label, names in self._labels.items()}
                for name, values in arrays.items():
                    with file.open(f"{name}.npy", "w") as member:
                        np.lib.format.write_array(member, values)
            self._path.unlink()
        return self._files.atomic_replace()

    def abandon(self) -> None:
        """Leave nothing behind of files that are not complete."""
        self._features.abandon()
        self._path.unlink(missing_ok=True)
        self._files.abandon()

    def _write_document(self, frames_per_second: float) -> None:
        document = {
            "frames_per_second": frames_per_second if isfinite(frames_per_second) else None,
            **self._labels,
            "start_seconds": [start for start, _ in self._seconds],
            "end_seconds": [end for _, end in self._seconds],
        }
        self._files.temporary(f"{self._name}.json").write_text(json.dumps(document) + "\n", encoding="utf-8")

    def _save(self, suffix: str, values: NDArray[np.float64]) -> None:
        with self._files.temporary(self._name + suffix).open("wb") as file:
            np.save(file, values)
