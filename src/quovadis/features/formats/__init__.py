"""Features on disk: one module for each family of formats, all in constant memory, whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

from quovadis.features.formats.files import FeatureWriter, Provenance
from quovadis.features.formats.hdf5 import HDF5Writer
from quovadis.features.formats.numpy_files import NumpyWriter
from quovadis.features.formats.parquet import ParquetWriter

__all__ = ["FeatureFormat", "FeatureWriter", "Provenance", "feature_writer", "file_names"]

FeatureFormat: TypeAlias = Literal["npy", "npz", "parquet", "hdf5", "video_features"]
"""`npy`: `<name>.npy` with the features and `<name>.json` with everything else, so that `*.npy` are features alone;
`npz`, `parquet` and `hdf5`: one file; `video_features`: `<name>_rgb.npy`, `<name>_fps.npy` and
`<name>_timestamps_ms.npy`, as v-iashin/video_features names them."""

_SUFFIXES: Mapping[FeatureFormat, tuple[str, ...]] = MappingProxyType(
    {
        "npy": (".npy", ".json"),
        "npz": (".npz",),
        "parquet": (".parquet",),
        "hdf5": (".h5",),
        "video_features": ("_rgb.npy", "_fps.npy", "_timestamps_ms.npy"),
    }
)


def file_names(file_format: FeatureFormat, name: str) -> list[str]:
    """Return what the files of a video are called, before they are written."""
    return [name + suffix for suffix in _SUFFIXES[file_format]]


def feature_writer(
    file_format: FeatureFormat,
    folder: Path,
    name: str,
    labels: Mapping[str, Sequence[str]] = MappingProxyType({}),
    provenance: Provenance | None = None,
) -> FeatureWriter:
    """Return the writer of one video's features.

    Args:
        file_format: how they are written.
        folder: where the files go.
        name: what they begin with.
        labels: `axes`, names of the features' axes, and `crops`, names along the axis of crops, which the file states,
            all formats' but `video_features`.
        provenance: which video, settings, weights and engine; the table of `parquet` states it.

    Raises:
        MissingDependencyError: the format needs a package that is not installed.
    """
    match file_format:
        case "parquet":
            return ParquetWriter(folder, name, labels, provenance)
        case "hdf5":
            return HDF5Writer(folder, name, labels)
        case _:
            return NumpyWriter(folder, name, file_format, labels)
