"""Optional packages, imported only when something asks for them."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from quovadis.errors import MissingDependencyError

_EXTRAS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "matplotlib": ("matplotlib", "plot"),
        "h5py": ("h5py", "hdf5"),
        "nncf": ("NNCF", "int8"),
        "onnx": ("onnx", "onnx"),
        "onnxruntime": ("onnxruntime", "onnx"),
        "pyarrow": ("pyarrow", "parquet"),
        "tensorflow": ("TensorFlow", "tensorflow"),
        "torch": ("PyTorch", "torch"),
    }
)
"""By module: what the package is called, and the extra of this package that installs it."""


def import_extra(module: str, purpose: str) -> Any:
    """Import an optional package.

    Args:
        module: its module's name.
        purpose: what it is needed for, beginning a sentence: "writing ONNX".

    Raises:
        MissingDependencyError: it is not installed; the message says what to install.
    """
    if module == "tensorflow":
        # Its notes on the processor's instructions would stand among our own lines.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package, extra = _EXTRAS[module.partition(".")[0]]
        if error.name != module.partition(".")[0]:
            raise
        raise MissingDependencyError(package, extra, purpose) from error
