"""State dicts that `torch.save` wrote, read with `weights_only=True`: such a file can run no code."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from quovadis.errors import MissingDependencyError, WeightsError
from quovadis.extras import import_extra
from quovadis.weights.file_sample import quoted
from quovadis.weights.other_networks import refuse_other_network
from quovadis.weights.state_dict import find_naming, from_state_dict, unknown_names_error
from quovadis.weights.torch_outline import TorchOutline, read_outline

_WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Keys under which training scripts keep the state dict beside an optimiser's."""
_PARALLEL = "module."
"""What DataParallel puts before every key."""


def read_torch_file(path: Path) -> dict[str, NDArray[Any]]:
    """Read a state dict of one of the known implementations into tensors by their original names.

    Raises:
        MissingDependencyError: PyTorch is not installed.
        WeightsError: the file is damaged, holds more than tensors, or is no state dict of I3D RGB.
    """
    # Errors that need no PyTorch are raised before it is imported.
    outline = read_outline(path)
    refuse_other_network(outline.shapes, path)
    try:
        torch = import_extra("torch", "reading a PyTorch state dict")
    except MissingDependencyError as error:
        # Nobody should install it to be told that the file is another network's.
        if outline.classes:
            raise _objects_error(outline, path) from None
        if outline.shapes and find_naming(_without_parallel(outline.shapes)) is None:
            raise unknown_names_error(outline.shapes, path) from None
        raise error from None
    try:
        with warnings.catch_warnings():
            # A TorchScript archive makes PyTorch warn before it fails.
            warnings.simplefilter("ignore")
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _objects_error(outline, path) from error
    except OSError as error:
        raise WeightsError(f"{path}: cannot read the weights: {error.strerror}") from error
    except Exception as error:
        # Damaged files fail in many ways: RuntimeError, EOFError, KeyError, UnicodeDecodeError …
        raise WeightsError(
            f"{path}: not a PyTorch state dict, or damaged ({type(error).__name__}); fetch it again"
        ) from error
    state = _unwrap(loaded)
    naming = find_naming(state)
    if naming is None:
        raise unknown_names_error(state, path)
    return from_state_dict({key: _array(torch, key, value, path) for key, value in state.items()}, naming, path)


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
    for wrapper in _WRAPPERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(wrapper), Mapping):
            loaded = loaded[wrapper]
            break
    if not isinstance(loaded, Mapping):
        return {}
    return _without_parallel({str(key): value for key, value in loaded.items()})


def _without_parallel(state: Mapping[str, Any]) -> Mapping[str, Any]:
    if state and all(key.startswith(_PARALLEL) for key in state):
        return {key.removeprefix(_PARALLEL): value for key, value in state.items()}
    return state


def _array(torch: Any, key: str, value: Any, path: Path) -> NDArray[Any]:
    if not isinstance(value, torch.Tensor):
        raise WeightsError(f"{path}: {key} is no tensor but {type(value).__name__}; save model.state_dict() alone")
    if value.layout != torch.strided or value.is_quantized:
        raise WeightsError(f"{path}: {key} is a sparse or quantised tensor; save the weights as plain float32")
    if value.dtype == torch.bfloat16:
        value = value.float()
    array: NDArray[Any] = value.detach().numpy()
    if array.dtype.kind != "f" and not key.endswith("num_batches_tracked"):
        raise WeightsError(f"{path}: {key} holds {array.dtype}, but weights are floating point numbers")
    return array
