"""State dicts that `torch.save` wrote, read with `weights_only=True`: such a file can run no code."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from quovadis.errors import MissingDependencyError, WeightsError
from quovadis.extras import import_extra
from quovadis.weights.file_sample import quoted, read_error
from quovadis.weights.other_networks import refuse_other_network
from quovadis.weights.state_dict import find_naming, read_state_dict, unknown_names_error, without_prefix
from quovadis.weights.torch_outline import TorchOutline, read_outline

_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "params")
"""Keys under which training scripts keep the state dict beside an optimiser's."""
_MAX_WRAPPERS = 8
"""One within the other; a dictionary in a hostile file may hold itself."""


class _NumPyValue:
    """What stands in for a value of NumPy, such as an accuracy beside the weights: nothing of it is looked at.

    NumPy's own functions are not called with what a file says, which could be anything.
    """

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


_NUMPY_VALUES = [
    type(name, (_NumPyValue,), {"__module__": module, "__qualname__": name})
    for module, names in (
        ("numpy", ("dtype", "ndarray")),
        # NumPy 2 moved the module; pickles name it as it was when they were made.
        ("numpy.core.multiarray", ("scalar", "_reconstruct")),
        ("numpy._core.multiarray", ("scalar", "_reconstruct")),
    )
    for name in names
]
"""By these names PyTorch finds them in place of NumPy's own."""


def read_torch_file(path: Path) -> dict[str, NDArray[Any]]:
    """Read a state dict of one of the known implementations into tensors by their original names.

    Raises:
        MissingDependencyError: PyTorch is not installed.
        WeightsError: the file is damaged, holds more than tensors, or is no state dict of I3D RGB.
    """
    # Errors that need no PyTorch are raised before it is imported.
    outline = read_outline(path)
    refuse_other_network(outline.shapes, path)

    def refuse_unknown(state: Mapping[str, object]) -> None:
        if find_naming(without_prefix(state)) is None:
            raise unknown_names_error(state, path)

    return read_state_dict(load_state_dict(path, outline, refuse_unknown), path)


def load_state_dict(
    path: Path, outline: TorchOutline, refuse_unknown: Callable[[Mapping[str, object]], None]
) -> dict[str, NDArray[Any]]:
    """Load a state dict of any network, whatever dictionaries it lies in; its keys keep their prefix.

    Args:
        path: the file.
        outline: of the file.
        refuse_unknown: called with tensors by their keys, before their values are looked at; raises an error if they
            are not those of the network that is wanted.

    Raises:
        MissingDependencyError: PyTorch is not installed.
        WeightsError: the file is damaged, or holds more than tensors.
    """
    try:
        torch = import_extra("torch", "reading a PyTorch state dict")
    except MissingDependencyError as error:
        # Nobody should install it to be told that the file is another network's.
        if outline.classes:
            raise _objects_error(outline, path) from None
        if outline.shapes:
            refuse_unknown(outline.shapes)
        raise error from None
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(_NUMPY_VALUES):
            # A TorchScript archive makes PyTorch warn before it fails.
            warnings.simplefilter("ignore")
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _objects_error(outline, path) from error
    except OSError as error:
        raise read_error(path, error) from error
    except Exception as error:
        # Damaged files fail in many ways: RuntimeError, EOFError, KeyError, UnicodeDecodeError …
        raise WeightsError(
            f"{path}: not a PyTorch state dict, or damaged ({type(error).__name__}); fetch it again"
        ) from error
    state = _unwrap(loaded)
    refuse_unknown(state)
    return {key: _array(torch, key, value, path) for key, value in state.items()}


def _objects_error(outline: TorchOutline, path: Path) -> WeightsError:
    named = f" ({quoted(', '.join(outline.classes[:3]))})" if outline.classes else ""
    if any("lightning" in text for text in outline.texts):
        save = (
            f'it is a checkpoint of PyTorch Lightning: if you trust it, torch.save(torch.load("{path.name}", '
            'weights_only=False)["state_dict"], "state_dict.pt")'
        )
    elif any(name.startswith("torch.nn.modules.") for name in outline.classes):
        save = "it is a whole model: save model.state_dict() instead of the model"
    elif outline.classes:
        save = "save model.state_dict() instead of the model"
    else:
        save = "save model.state_dict() instead of the model, with torch.save's own pickle protocol"
    return WeightsError(
        f"{path}: holds objects other than tensors{named}, which could run code, so it was not opened; {save}"
    )


def _unwrap(loaded: object) -> Mapping[str, object]:
    for _ in range(_MAX_WRAPPERS):
        wrapped = (loaded[key] for key in _WRAPPERS if isinstance(loaded, Mapping) and key in loaded)
        inner = next((value for value in wrapped if isinstance(value, Mapping) and value), None)
        if inner is None:
            break
        loaded = inner
    return {str(key): value for key, value in loaded.items()} if isinstance(loaded, Mapping) else {}


def _array(torch: Any, key: str, value: Any, path: Path) -> NDArray[Any]:
    if not isinstance(value, torch.Tensor):
        kind = type(value).__name__
        # So pickles say what makes an array.
        kind = "a NumPy array" if kind == "_reconstruct" else kind
        raise WeightsError(f"{path}: {key} is no tensor but {kind}; save model.state_dict() alone")
    if value.layout != torch.strided or value.is_quantized:
        raise WeightsError(f"{path}: {key} is a sparse or quantised tensor; save the weights as plain float32")
    if value.dtype == torch.bfloat16:
        value = value.float()
    try:
        array: NDArray[Any] = value.detach().numpy()
    except (TypeError, RuntimeError) as error:
        # NumPy has no float of 8 bits, and a tensor of the device "meta" has no values.
        raise WeightsError(
            f"{path}: {key} is {value.dtype} on {value.device}, which cannot be read; save the weights as float32"
        ) from error
    if array.dtype.kind != "f" and not key.endswith("num_batches_tracked"):
        raise WeightsError(f"{path}: {key} holds {array.dtype}, but weights are floating point numbers")
    return array
