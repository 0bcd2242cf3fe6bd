"""safetensors files: the original variable names, or those of a known PyTorch implementation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from quovadis.architecture import VARIABLE_PREFIX
from quovadis.errors import WeightsError
from quovadis.weights.other_networks import refuse_other_network
from quovadis.weights.state_dict import find_naming, from_state_dict, unknown_names_error


def read_safetensors(path: Path) -> dict[str, NDArray[Any]]:
    """Read a safetensors file into tensors by their original names.

    Raises:
        WeightsError: the file is damaged, cannot be read, holds a dtype that NumPy lacks, or is no state dict of I3D.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        # From bytes and not from the open file: a mapped file that shrinks meanwhile would end the process.
        tensors: dict[str, NDArray[Any]] = load(path.read_bytes())
    except OSError as error:
        raise WeightsError(f"{path}: cannot read the weights: {error.strerror}") from error
    except (SafetensorError, ValueError) as error:
        raise WeightsError(f"{path}: not a safetensors file, or damaged: {error}; fetch it again") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path}: holds a dtype that cannot be read; save the weights as float32") from error
    refuse_other_network({name: tensor.shape for name, tensor in tensors.items()}, path)
    if any(name.startswith(VARIABLE_PREFIX) for name in tensors):
        return tensors
    naming = find_naming(tensors)
    if naming is None:
        raise unknown_names_error(tensors, path)
    return from_state_dict(tensors, naming, path)
