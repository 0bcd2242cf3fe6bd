"""safetensors files: the original variable names, or those of a known PyTorch implementation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from quovadis.errors import WeightsError
from quovadis.labels import labels_from_json
from quovadis.weights.file_sample import read_error
from quovadis.weights.input_specification import INPUT_KEY, input_from_json
from quovadis.weights.model import FileContent
from quovadis.weights.other_networks import refuse_other_network
from quovadis.weights.state_dict import read_state_dict
from quovadis.weights.variable_names import original_names

LABELS_KEY = "labels"
"""Where the metadata of our files holds the class names, as JSON."""


def read_safetensors(path: Path) -> FileContent:
    """Read a safetensors file: tensors by their original names, and from its metadata class names and input.

    Raises:
        WeightsError: the file is damaged or unreadable, has a dtype that NumPy does not, or is no state dict of I3D; or
            its metadata specify an impossible input.
    """
    tensors, metadata = load_safetensors(path)
    refuse_other_network({name: tensor.shape for name, tensor in tensors.items()}, path)
    labels = labels_from_json(metadata.get(LABELS_KEY))
    specified = input_from_json(metadata.get(INPUT_KEY), path)
    if names := original_names(tensors):
        return FileContent({original: tensors[name] for name, original in names.items()}, labels, specified)
    return FileContent(read_state_dict(tensors, path), labels, specified)


def load_safetensors(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Return the tensors in a safetensors file of any network, by their names, and the file's metadata.

    Raises:
        WeightsError: the file is damaged or unreadable, or has a dtype that NumPy does not.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        # From bytes and not from the open file: a mapped file that shrinks meanwhile would end the process.
        content = path.read_bytes()
        tensors: dict[str, NDArray[Any]] = load(content)
    except OSError as error:
        raise read_error(path, error) from error
    except (SafetensorError, ValueError) as error:
        raise WeightsError(f"{path}: not a safetensors file, or damaged: {error}; fetch it again") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path}: holds a dtype that cannot be read; save the weights as float32") from error
    # The header has been found right by the library: its length, then JSON.
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return tensors, header.get("__metadata__", {})
