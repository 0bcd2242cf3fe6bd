"""Features on disk: one module for each family of formats, all in constant memory, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

from quovadis.features.formats.files import FeatureWriter
from quovadis.features.formats.hdf5 import HDF5Writer
from quovadis.features.formats.numpy_files import NumpyWriter
from quovadis.features.formats.parquet import ParquetWriter

__all__ = ["FeatureFormat", "FeatureWriter", "feature_writer"]

FeatureFormat: TypeAlias = Literal["npy", "npz", "parquet", "hdf5", "video_features"]
"""`npy`: `<name>.npy` and `<name>_seconds.npy`; `npz`, `parquet` and `hdf5`: one file; `video_features`:
`<name>_rgb.npy`, `<name>_fps.npy` and `<name>_timestamps_ms.npy`, as v-iashin/video_features names them."""


def feature_writer(form: FeatureFormat, folder: Path, name: str) -> FeatureWriter:
    """Return the writer of one video's features.

    Raises:
        MissingDependencyError: the format needs a package that is not installed.
    """
    match form:
        case "parquet":
            return ParquetWriter(folder, name)
        case "hdf5":
            return HDF5Writer(folder, name)
        case _:
            return NumpyWriter(folder, name, form)
