"""The weights of Inception-v1 for images, checked, by the layers of I3D."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import Convolution, convolutions, is_head
from quovadis.errors import WeightsError
from quovadis.inflation.naming import IMAGE_LAYERS, KNOWN_NETWORKS, Naming, find_naming, scopes_before
from quovadis.inflation.source import SourceTensors
from quovadis.weights.file_sample import quoted

_PAPERS_KERNEL = (5, 5)
"""Of Branch_2 in the figure of the GoogLeNet paper, and in Caffe's network."""


@dataclass(frozen=True)
class ImageLayer:
    """A convolution and its batch norm, whose scale is multiplied into the kernel."""

    kernel: NDArray[np.float64]
    """Shape h, w, in, out."""
    beta: NDArray[np.float64]
    moving_mean: NDArray[np.float64]
    moving_variance: NDArray[np.float64]


@dataclass(frozen=True)
class ImageHead:
    """The last layer."""

    kernel: NDArray[np.float64]
    """Shape features, classes."""
    bias: NDArray[np.float64]


@dataclass(frozen=True)
class ImageWeights:
    """A whole network for images."""

    network: str
    """Whose names it has: "TF-slim's Inception-v1" or "torchvision's GoogLeNet"."""
    layers: Mapping[str, ImageLayer]
    """By the scope of the layer of I3D."""
    head: ImageHead | None
    """None if the file has none, as of a network that only computes features."""


def read_image_weights(source: SourceTensors) -> ImageWeights:
    """Read and check the weights of every layer.

    Raises:
        WeightsError: a tensor is missing, has another shape, or holds a value that is no number; or there is a layer
            that I3D does not have.
    """
    found = find_naming(source.shapes)
    if found is None:
        raise WeightsError(f"{source.path}: not Inception-v1 for images; give {KNOWN_NETWORKS}")
    reader = _Reader(source, *found)
    head = reader.head()
    reader.check_names()
    return ImageWeights(
        reader.naming.network, {unit.scope: reader.layer(unit, size) for unit, size in IMAGE_LAYERS}, head
    )


class _Reader:
    """Reads the layers of a file whose naming is known."""

    def __init__(self, source: SourceTensors, naming: Naming, prefix: str) -> None:
        self.naming = naming
        self._source, self._prefix = source, prefix
        self._path = source.path

    def check_names(self) -> None:
        """Refuse a file that lacks a tensor, or has a convolution that I3D does not have."""
        naming, names = self.naming, self._source.shapes
        parts = (naming.kernel, naming.beta, naming.moving_mean, naming.moving_variance)
        wanted = {self._name(unit, part): None for unit, _ in IMAGE_LAYERS for part in parts}
        missing = [name for name in wanted if name not in names]
        if missing:
            raise WeightsError(
                f"{self._path}: {len(missing)} of {len(wanted)} tensors of {naming.network} are missing, the first is "
                f"{missing[0]}; a network without batch norm or with other layers cannot be inflated"
            )
        heads = tuple(f"{self._prefix}{scope}" for scope in naming.auxiliary)
        for name in names:
            is_kernel = name.startswith(self._prefix) and name.endswith(naming.kernel)
            is_head = name.startswith(heads) or scopes_before([name], f"{naming.head}{naming.head_kernel}", naming)
            if is_kernel and name not in wanted and not is_head:
                raise WeightsError(
                    f"{self._path}: I3D has no layer for {quoted(name)}: another Inception network, which cannot be "
                    f"inflated; give {KNOWN_NETWORKS}"
                )

    def layer(self, unit: Convolution, in_channels: int) -> ImageLayer:
        """Read what makes up one layer."""
        naming, channels = self.naming, (unit.channels,)
        kernel = self._kernel(unit, (*unit.kernel[1:], in_channels, unit.channels))
        beta, mean, variance = (
            self._read(self._name(unit, part), channels)
            for part in (naming.beta, naming.moving_mean, naming.moving_variance)
        )
        if (variance < 0).any():
            raise self._bad(self._name(unit, naming.moving_variance), "holds a variance below 0; fetch the file again")
        gamma = self._name(unit, naming.gamma)
        if gamma in self._source.shapes:
            # gamma (w*x - mean) / sqrt(variance + epsilon) = ((gamma w)*x - gamma mean) / sqrt(variance + epsilon)
            scale = self._read(gamma, channels)
            kernel, mean = kernel * scale, mean * scale
        return ImageLayer(kernel, beta, mean, variance)

    def head(self) -> ImageHead | None:
        """Read the last layer, if there is one."""
        naming, shapes = self.naming, self._source.shapes
        scopes = scopes_before(shapes, f"{naming.head}{naming.head_kernel}", naming)
        if not scopes:
            return None
        # The network's own stands under fewer scopes than any copy of it.
        scope = min(scopes, key=len) + naming.head
        kernel, bias = f"{scope}{naming.head_kernel}", f"{scope}{naming.head_bias}"
        if bias not in shapes:
            raise self._bad(bias, "is missing")
        features = next(channels for unit, channels in convolutions() if is_head(unit))
        classes = prod(shapes[bias])
        # TensorFlow's is a convolution, h, w, in, out, and PyTorch's a matrix, out, in.
        if not classes or shapes[kernel] not in ((1, 1, features, classes), (classes, features)):
            raise self._bad(
                kernel,
                f"has the shape {shapes[kernel]}, but a last layer of {classes} classes takes {features} features",
            )
        values = self._values(kernel)
        matrix = values.T if values.ndim == 2 else values[0, 0]
        return ImageHead(matrix, self._read(bias, (classes,)))

    def _kernel(self, unit: Convolution, wanted: tuple[int, ...]) -> NDArray[np.float64]:
        name, axes = self._name(unit, self.naming.kernel), self.naming.kernel_axes
        shape = self._source.shapes[name]
        if len(shape) != len(axes) or tuple(shape[axis] for axis in axes) != wanted:
            if len(shape) == len(axes) and (shape[axes[0]], shape[axes[1]]) == _PAPERS_KERNEL:
                raise self._bad(
                    name,
                    "is a 5x5 kernel, as in the paper's figure and in Caffe's GoogLeNet, where I3D has 3x3: such a "
                    f"network cannot be inflated; give {KNOWN_NETWORKS}",
                )
            needed = tuple(wanted[axes.index(axis)] for axis in range(len(axes)))
            raise self._bad(
                name,
                f"has the shape {shape}, but Inception-v1 needs {needed}: another network, which cannot be inflated; "
                f"give {KNOWN_NETWORKS}",
            )
        return self._values(name).transpose(axes)

    def _read(self, name: str, wanted: tuple[int, ...]) -> NDArray[np.float64]:
        shape = self._source.shapes[name]
        if shape != wanted:
            raise self._bad(name, f"has the shape {shape}, but Inception-v1 needs {wanted}")
        return self._values(name)

    def _values(self, name: str) -> NDArray[np.float64]:
        tensor = self._source.read(name)
        if tensor.dtype.kind != "f":
            raise self._bad(name, f"holds {tensor.dtype}, but weights are floating point numbers")
        values = tensor.astype(np.float64)
        if not (np.abs(values) <= np.finfo(np.float32).max).all():
            raise self._bad(name, "holds values that are no numbers (NaN or infinity), or are beyond float32")
        return values

    def _name(self, unit: Convolution, part: str) -> str:
        return f"{self._prefix}{self.naming.layer_name(unit)}{part}"

    def _bad(self, name: str, why: str) -> WeightsError:
        return WeightsError(f"{self._path}: {quoted(name)} {why}")
