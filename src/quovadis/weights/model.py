"""A full set of the network's weights, checked, whatever file it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import HEAD, NUM_CLASSES, VARIABLE_PREFIX, convolution_variables, variable_shapes
from quovadis.errors import WeightsError
from quovadis.fetch.files import git_blob_sha1
from quovadis.labels import LABELS_NAME, check_labels, class_set, kinetics400, numbered_classes, read_labels
from quovadis.weights.catalogue import CATALOGUE
from quovadis.weights.input_specification import UNSPECIFIED, InputSpecification
from quovadis.weights.other_networks import refuse_other_network
from quovadis.weights.variable_names import is_training_state

_HEAD_NAMES = convolution_variables(HEAD.convolution)


@dataclass(frozen=True, eq=False)
class Weights:
    """The 230 tensors of the network and what is known of them."""

    tensors: Mapping[str, NDArray[np.float32]]
    """By original variable name, in order of name; shapes as `architecture.variable_shapes` lists them for their number
    of classes."""
    name: str
    """The catalogue's name if these are official weights, such as `rgb-imagenet`, else the name of the file."""
    sha256: str
    """Identity: SHA-256 of the tensors' little-endian float32 bytes, one after the other in order of name.

    The same weights have the same identity whichever file they came in. DeepMind's data files for Kinetics-400 are laid
    out in just this way, so that for those checkpoints it is the SHA-256 of `model.ckpt.data-00000-of-00001`."""
    source: Path
    """The file, or the prefix of the checkpoint, that they were read from."""
    stated_labels: tuple[str, ...] | None = None
    """The class names that stand in the file itself, or that a user chose; None if there are none."""
    input: InputSpecification = UNSPECIFIED
    """What clips they were trained on, as far as the file says."""

    @property
    def official_name(self) -> str | None:
        """The name in the catalogue, or None."""
        return self.name if self.name in CATALOGUE else None

    @property
    def num_classes(self) -> int:
        """The number of classes: the size of the head's bias."""
        return len(self.tensors[str(_HEAD_NAMES.bias)])

    @cached_property
    def known_labels(self) -> tuple[str, ...] | None:
        """The class names in output order; None if they are unknown.

        They are those in the file itself; else those of `labels.txt` in its folder; else those of the dataset that
        official weights were trained on; else, for 400 classes, Kinetics-400's.

        Raises:
            LabelsError: the names that were found do not fit the number of classes.
        """
        if self.stated_labels is not None:
            return check_labels(self.stated_labels, str(self.source), self.num_classes)
        beside = self.source.parent / LABELS_NAME
        if beside.is_file():
            return read_labels(beside, self.num_classes)
        if self.name in CATALOGUE:
            return class_set(CATALOGUE[self.name].classes)
        return kinetics400() if self.num_classes == NUM_CLASSES else None

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names in output order; `class 0`, `class 1`, … if they are unknown.

        Raises:
            LabelsError: the names that were found do not fit the number of classes.
        """
        return self.known_labels or numbered_classes(self.num_classes)

    def class_names(self, chosen: Sequence[str] | None, origin: str = "labels") -> tuple[str, ...]:
        """Return the names that a user chose, if they fit, or where there are none the weights' own.

        `origin` says in errors where the chosen names are from.

        Raises:
            LabelsError: the names do not fit the number of classes.
        """
        return self.labels if chosen is None else check_labels(chosen, origin, self.num_classes)


class FileContent(NamedTuple):
    """What a file of weights holds."""

    tensors: Mapping[str, NDArray[Any]]
    """By original variable name."""
    labels: tuple[str, ...] | None = None
    """The class names in output order; None if it has none."""
    input: InputSpecification = UNSPECIFIED
    """What clips the network was trained on."""


def make_weights(
    tensors: Mapping[str, NDArray[Any]],
    source: Path,
    file_name: str,
    labels: tuple[str, ...] | None = None,
    input_specification: InputSpecification = UNSPECIFIED,
) -> Weights:
    """Check `tensors` against the architecture, with as many classes as their head has, and identify them.

    Variables outside the network's scope, such as a training's step counter, are left out; an unknown one inside it is
    an error, because it means another network.

    Args:
        tensors: by original variable name.
        source: where they are from, for errors and results.
        file_name: what to call them if they are not official.
        labels: the class names that the file holds; None if it has none.
        input_specification: what clips they were trained on.

    Raises:
        WeightsError: a tensor is missing or unknown, has another shape or dtype, or holds a value that is no number.
    """
    refuse_other_network({name: tensor.shape for name, tensor in tensors.items()}, source)
    wanted = variable_shapes(_count_classes(tensors, source))
    unknown = [name for name in tensors if name.startswith(VARIABLE_PREFIX + "/") and name not in wanted]
    unknown = [name for name in unknown if not is_training_state(name)]
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
    official = (name for name, entry in CATALOGUE.items() if entry.tensors_git_sha1 == sha1.hexdigest())
    # A file's name alone makes no weights official.
    own_name = f"unofficial {file_name}" if file_name in CATALOGUE else file_name
    return Weights(checked, next(official, own_name), sha256.hexdigest(), source, labels, input_specification)


def _count_classes(tensors: Mapping[str, NDArray[Any]], source: Path) -> int:
    """Return the number of classes of the head, found by its scope; its kernel and its bias must agree."""
    sizes = {
        name: tensors[name].shape[-1]
        for name in (_HEAD_NAMES.weights, str(_HEAD_NAMES.bias))
        if name in tensors and tensors[name].ndim
    }
    counts = set(sizes.values())
    if len(counts) > 1:
        told = " but ".join(f"{name} has {count}" for name, count in sizes.items())
        raise WeightsError(f"{source}: the head does not say how many classes there are: {told}")
    if counts == {0}:
        raise WeightsError(f"{source}: the head has no classes: {next(iter(sizes))} is empty")
    # Without a head the missing tensors are told.
    return next(iter(counts), NUM_CLASSES)


def _check(name: str, tensor: NDArray[Any], shape: tuple[int, ...], source: Path) -> NDArray[np.float32]:
    if tensor.shape == (1, 1, 1, 1, *shape):
        # So the checkpoint for Kinetics-600 has batch norm's values, ready to be broadcast.
        tensor = tensor.reshape(shape)
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
