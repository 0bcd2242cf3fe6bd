"""The names PyTorch implementations of I3D give to the network's variables.

Facts about three modules' `state_dict`: our own `quovadis.torch.I3D`, and the two ports in common use,
github.com/piergiaj/pytorch-i3d and github.com/hassony2/kinetics_i3d_pytorch. This module needs no PyTorch: it renames
and transposes NumPy arrays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import (
    HEAD,
    NUM_CLASSES,
    STAGES,
    Convolution,
    Mixed,
    convolution_variables,
    is_head,
    variable_shapes,
)
from quovadis.errors import WeightsError
from quovadis.weights.file_sample import quoted

_TO_TORCH, _FROM_TORCH = (4, 3, 0, 1, 2), (2, 3, 4, 1, 0)
"""Between t, h, w, in, out and PyTorch's out, in, t, h, w."""
_COUNTER = "num_batches_tracked"
_PREFIX = re.compile(r"((model|module|backbone|i3d|_orig_mod)\.)+")
"""What modules that hold the network put before every key: DataParallel, `torch.compile`, training frameworks."""


Tensor = TypeVar("Tensor")


@dataclass(frozen=True)
class Naming:
    """How one implementation names a unit's parts; its modules are named by `module_names`."""

    name: str
    convolution: str
    norm: str
    norm_scale: bool
    """Whether its batch norm has a scale, which is missing in the original: all ones."""


QUOVADIS = Naming("quovadis.torch", "conv_3d", "batch_norm", norm_scale=False)
PIERGIAJ = Naming("piergiaj/pytorch-i3d", "conv3d", "bn", norm_scale=True)
HASSONY2 = Naming("hassony2/kinetics_i3d_pytorch", "conv3d", "batch3d", norm_scale=True)
NAMINGS = (QUOVADIS, PIERGIAJ, HASSONY2)


def module_names(naming: Naming) -> Iterator[tuple[Convolution, str]]:
    """Yield every convolution, head last, with the name of its module."""
    for stage in STAGES:
        if isinstance(stage, Convolution):
            yield stage, stage.scope.lower() if naming is HASSONY2 else stage.scope
        elif isinstance(stage, Mixed):
            for number, branch in enumerate(stage.branches):
                for position, unit in enumerate(branch):
                    if isinstance(unit, Convolution):
                        yield unit, _name_in_branch(naming, unit, stage, number, position)
    yield HEAD.convolution, _head_name(naming)


def _name_in_branch(naming: Naming, unit: Convolution, stage: Mixed, number: int, position: int) -> str:
    single = len(stage.branches[number]) == 1
    if naming is PIERGIAJ:
        return f"{stage.scope}.b{number}{'' if single else 'ab'[position]}"
    if naming is HASSONY2:
        return f"{stage.scope.lower()}.branch_{number}{'' if single else f'.{position}'}"
    return unit.scope.replace("/", ".")


def _head_name(naming: Naming) -> str:
    if naming is PIERGIAJ:
        return HEAD.scope.lower()
    if naming is HASSONY2:
        return HEAD.convolution.scope.rpartition("/")[2].lower()
    return HEAD.convolution.scope.replace("/", ".")


def _keys(naming: Naming) -> Iterator[tuple[str, str]]:
    """Yield each of the 230 variables' original name and its key."""
    for unit, module in module_names(naming):
        names = convolution_variables(unit)
        convolution, norm = f"{module}.{naming.convolution}", f"{module}.{naming.norm}"
        yield names.weights, f"{convolution}.weight"
        if names.bias is not None:
            yield names.bias, f"{convolution}.bias"
        for name, key in (
            (names.beta, "bias"),
            (names.moving_mean, "running_mean"),
            (names.moving_variance, "running_var"),
        ):
            if name is not None:
                yield name, f"{norm}.{key}"


def _norm_modules(naming: Naming) -> Iterator[tuple[Convolution, str]]:
    for unit, module in module_names(naming):
        if not is_head(unit):
            yield unit, f"{module}.{naming.norm}"


def to_state_dict(tensors: Mapping[str, NDArray[np.float32]], naming: Naming) -> dict[str, NDArray[np.float32]]:
    """Rename and transpose the 230 tensors as `naming` has them, its all-ones scales added.

    Args:
        tensors: by original name, shaped as `architecture.variable_shapes` lists them.
        naming: one of `NAMINGS`.
    """
    state = {
        key: np.ascontiguousarray(tensors[name].transpose(_TO_TORCH)) if tensors[name].ndim > 1 else tensors[name]
        for name, key in _keys(naming)
    }
    if naming.norm_scale:
        state |= {f"{norm}.weight": np.ones(unit.channels, np.float32) for unit, norm in _norm_modules(naming)}
    return state


def without_prefix(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Return a state dict without the prefix that a module around the network gave its keys, such as `model.`.

    It is taken off the keys that have it; what stands beside the network keeps its name. Nothing is taken off if two
    tensors would get the same key.
    """
    known = {key for naming in NAMINGS for _, key in _keys(naming)}
    prefixes = (found[0] for key in state if (found := _PREFIX.match(key)) and key[found.end() :] in known)
    prefix = next(prefixes, "")
    bare = {key.removeprefix(prefix): value for key, value in state.items()}
    return bare if len(bare) == len(state) else state


def find_naming(state: Mapping[str, object]) -> Naming | None:
    """Return the naming that a state dict follows, detected from most of its keys; None if it has none of theirs."""
    shared = {naming: sum(key in state for _, key in _keys(naming)) for naming in NAMINGS}
    best = max(shared, key=lambda naming: shared[naming])
    return best if shared[best] else None


def unknown_names_error(state: Mapping[str, object], source: Path) -> WeightsError:
    """Return the error for tensors whose names are none of a known implementation's."""
    known = ", ".join(naming.name for naming in NAMINGS)
    first = next(iter(state), None)
    names = "it is empty" if first is None else f"its names, such as {quoted(first)}, are not those of {known}"
    return WeightsError(f"{source}: not a state dict of I3D: {names}; save the state_dict() of the network itself")


def read_state_dict(state: Mapping[str, NDArray[Any]], source: Path) -> dict[str, NDArray[Any]]:
    """Turn a state dict of any known implementation, with or without a prefix, into tensors by original name.

    Raises:
        WeightsError: it is of no known implementation, or a key is missing, unknown, or of another shape.
    """
    state = without_prefix(state)
    naming = find_naming(state)
    if naming is None:
        raise unknown_names_error(state, source)
    return from_state_dict(state, naming, source)


def from_state_dict(state: Mapping[str, NDArray[Any]], naming: Naming, source: Path) -> dict[str, NDArray[Any]]:
    """Rename and transpose a state dict into tensors by original name.

    A scale other than one is multiplied into the kernel and the mean, which leaves what the network computes:
    scale * (w*x - mean) / sqrt(variance + epsilon) = ((scale w)*x - scale mean) / sqrt(variance + epsilon).

    Raises:
        WeightsError: a key is missing, is not the network's, or its tensor has another shape; it is named.
    """
    keys = dict(_keys(naming))
    head = state.get(f"{_head_name(naming)}.{naming.convolution}.weight")
    shapes = _torch_shapes(keys, naming, len(head) if head is not None and head.ndim else NUM_CLASSES)
    missing = [key for key in shapes if key not in state]
    if missing:
        raise WeightsError(f"{source}: a state dict of {naming.name} without {missing[0]} ({len(missing)} missing)")
    unknown = [key for key in state if key not in shapes and not key.endswith(f".{naming.norm}.{_COUNTER}")]
    if unknown:
        raise WeightsError(f"{source}: the network of {naming.name} has no {unknown[0]}; save its state dict alone")
    for key, shape in shapes.items():
        if state[key].shape != shape:
            raise WeightsError(f"{source}: {key} has the shape {state[key].shape}, but the network needs {shape}")
    tensors = {
        name: state[key].transpose(_FROM_TORCH) if state[key].ndim > 1 else state[key] for name, key in keys.items()
    }
    if naming.norm_scale:
        for unit, norm in _norm_modules(naming):
            scale, names = state[f"{norm}.weight"], convolution_variables(unit)
            if not (scale == 1).all():
                for name in (names.weights, str(names.moving_mean)):
                    tensors[name] = tensors[name] * scale
    return tensors


def _torch_shapes(keys: Mapping[str, str], naming: Naming, num_classes: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in variable_shapes(num_classes).items():
        shapes[keys[name]] = tuple(shape[axis] for axis in _TO_TORCH) if len(shape) > 1 else shape
    if naming.norm_scale:
        shapes |= {f"{norm}.weight": (unit.channels,) for unit, norm in _norm_modules(naming)}
    return shapes
