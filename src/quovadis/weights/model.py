"""A full set of the network's weights, checked, whatever file it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import VARIABLE_PREFIX, variable_shapes
from quovadis.errors import WeightsError
from quovadis.fetch.files import git_blob_sha1
from quovadis.weights.catalogue import CATALOGUE
from quovadis.weights.other_networks import refuse_other_network


@dataclass(frozen=True, eq=False)
class Weights:
    """The 230 tensors of the network and what is known of them."""

    tensors: Mapping[str, NDArray[np.float32]]
    """By original variable name, in order of name; shapes as `architecture.variable_shapes` lists them."""
    name: str
    """`rgb-imagenet` or `rgb-scratch` if these are the official weights, else the name of the file."""
    sha256: str
    """Identity: SHA-256 of the tensors' little-endian float32 bytes, one after the other in order of name.

    The same weights have the same identity whichever file they came in. DeepMind's data files are laid out in just this
    way, so that for an official checkpoint it is the SHA-256 of `model.ckpt.data-00000-of-00001`."""
    source: Path
    """The file, or the prefix of the checkpoint, that they were read from."""

    @property
    def official_name(self) -> str | None:
        """The name in the catalogue, or None."""
        return self.name if self.name in CATALOGUE else None


def make_weights(tensors: Mapping[str, NDArray[Any]], source: Path, file_name: str) -> Weights:
    """Check `tensors` against the architecture and identify them.

    Variables outside the network's scope, such as a training's step counter, are left out; an unknown one inside it is
    an error, because it means another network.

    Args:
        tensors: by original variable name.
        source: where they are from, for errors and results.
        file_name: what to call them if they are not official.

    Raises:
        WeightsError: a tensor is missing or unknown, has another shape or dtype, or holds a value that is no number.
    """
    refuse_other_network({name: tensor.shape for name, tensor in tensors.items()}, source)
    wanted = variable_shapes()
    unknown = [name for name in tensors if name.startswith(VARIABLE_PREFIX + "/") and name not in wanted]
    unknown = [name for name in unknown if not _is_training_state(name)]
    missing = [name for name in wanted if name not in tensors]
    if missing:
        raise WeightsError(
            f"{source}: not the weights of I3D RGB: {len(missing)} of {len(wanted)} tensors are missing, "
            f"the first is {missing[0]}"
        )
    if unknown:
        raise WeightsError(f"{source}: not the weights of I3D RGB: the network has no tensor {unknown[0]}")
    checked = {name: _check(name, tensors[name], shape, source) for name, shape in wanted.items()}
    sha256, sha1 = hashlib.sha256(), git_blob_sha1(sum(tensor.nbytes for tensor in checked.values()))
    for tensor in checked.values():
        sha256.update(tensor.data)
        sha1.update(tensor.data)
    official = (name for name, entry in CATALOGUE.items() if entry.data_git_sha1 == sha1.hexdigest())
    return Weights(checked, next(official, file_name), sha256.hexdigest(), source)


def _is_training_state(name: str) -> bool:
    """Tell the slots that TensorFlow's optimisers keep beside a variable, such as `…/w/Momentum`."""
    return any(name.startswith(variable + "/") for variable in variable_shapes())


def _check(name: str, tensor: NDArray[Any], shape: tuple[int, ...], source: Path) -> NDArray[np.float32]:
    if tensor.shape != shape:
        raise WeightsError(f"{source}: tensor {name} has the shape {tensor.shape}, but the network needs {shape}")
    if tensor.dtype.kind != "f":
        raise WeightsError(f"{source}: tensor {name} holds {tensor.dtype}, but weights are floating point numbers")
    # A double too large for float32 becomes infinite; that is found next, and needs no warning beside the error.
    with np.errstate(over="ignore", invalid="ignore"):
        values: NDArray[np.float32] = np.ascontiguousarray(tensor, "<f4")
        total = values.sum(dtype=np.float64)
    # The sum of finite numbers of this size is finite, and far cheaper than a look at each.
    if not np.isfinite(total):
        raise WeightsError(f"{source}: tensor {name} holds values that are no numbers (NaN or infinity)")
    return values
