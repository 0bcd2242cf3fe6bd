"""ONNX models that Quovadis wrote: batch norm is folded in them, so is what is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import Convolution
from quovadis.errors import WeightsError
from quovadis.extras import import_extra
from quovadis.weights.folding import FoldedConvolution, bias_name, kernel_name, unfold_batch_norm


def read_onnx(path: Path) -> dict[str, NDArray[np.float32]]:
    """Read the weights of an ONNX model that Quovadis wrote, with a batch norm that changes nothing.

    Raises:
        MissingDependencyError: onnx is not installed.
        WeightsError: the file is damaged, or from elsewhere.
    """
    onnx = import_extra("onnx", "reading ONNX")
    try:
        model = onnx.load(path, load_external_data=False)
    except OSError as error:
        raise WeightsError(f"{path}: cannot read the weights: {error.strerror}") from error
    except Exception as error:
        # protobuf's own exception is not part of onnx's interface.
        raise WeightsError(f"{path}: no ONNX model, or damaged ({type(error).__name__})") from error
    initializers = {tensor.name: tensor for tensor in model.graph.initializer}

    def value(name: str) -> NDArray[Any]:
        tensor = initializers.get(name)
        if tensor is None:
            raise WeightsError(
                f"{path}: an ONNX model without the tensor {name}: only models that Quovadis wrote are read back"
            )
        try:
            array: NDArray[Any] = onnx.numpy_helper.to_array(tensor)
        except (ValueError, TypeError) as error:
            raise WeightsError(f"{path}: tensor {name} is damaged: {error}") from error
        return array

    def folded(unit: Convolution) -> FoldedConvolution:
        kernel = value(kernel_name(unit))
        if kernel.ndim != 5:
            raise WeightsError(f"{path}: tensor {kernel_name(unit)} has the shape {kernel.shape}, which is no kernel")
        return FoldedConvolution(kernel.transpose(2, 3, 4, 1, 0), value(bias_name(unit)))

    return unfold_batch_norm(folded)
