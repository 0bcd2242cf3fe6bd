"""Optional packages, imported only when something asks for them."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from quovadis.environment import home
from quovadis.errors import MissingDependencyError

EXTRAS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "matplotlib": ("matplotlib", "plot"),
        "h5py": ("h5py", "hdf5"),
        "onnx": ("onnx", "onnx"),
        "onnxruntime": ("onnxruntime", "onnx"),
        "pandas": ("pandas", "pandas"),
        "pyarrow": ("pyarrow", "parquet"),
        "tensorboard": ("TensorBoard", "train"),
        "tensorflow": ("TensorFlow", "tensorflow"),
        "torch": ("PyTorch", "torch"),
        "yaml": ("PyYAML", "train"),
    }
)
"""By module: what the package is called, and the extra of this package that installs it."""


def _prepare(package: str) -> None:
    """Set what a package reads from the environment when it is imported; of this process alone."""
    if package == "tensorflow":
        # Its notes on the processor's instructions would stand among our own lines.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        if not (Path.home() / ".keras").exists():
            # Keras comes with it, and writes its settings below the home directory of whoever has none.
            os.environ.setdefault("KERAS_HOME", str(home() / "keras"))
    elif package == "tensorboard":
        # TensorBoard does without TensorFlow, which takes ten seconds to import, where there is a module of this name.
        sys.modules.setdefault("tensorboard.compat.notf", ModuleType("tensorboard.compat.notf"))
    elif package == "onnxruntime":
        # ONNX Runtime (seen with 1.32) reports its use to its makers on every system, and keeps a number of the device.
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"


def import_extra(module: str, purpose: str) -> Any:
    """Import an optional package.

    Args:
        module: its module's name.
        purpose: what it is needed for, beginning a sentence: "writing ONNX".

    Raises:
        MissingDependencyError: it is not installed; the message says what to install.
    """
    _prepare(module.partition(".")[0])
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package, extra = EXTRAS[module.partition(".")[0]]
        if error.name != module.partition(".")[0]:
            raise
        raise MissingDependencyError(package, extra, purpose) from error
