"""What a weights file is, and whether its checksums hold."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from quovadis.architecture import stored_parameters
from quovadis.errors import LabelsError, WeightsError
from quovadis.fetch.files import OfficialFile, is_correct
from quovadis.weights.catalogue import CATALOGUE
from quovadis.weights.detect import weights_files
from quovadis.weights.file_sample import read_error
from quovadis.weights.input_specification import UNSPECIFIED, InputSpecification
from quovadis.weights.load import local_file, read_weights
from quovadis.weights.pull import cached_path
from quovadis.weights.tensorflow_checkpoint import TensorFlowCheckpoint


@dataclass(frozen=True)
class FileCheck:
    """One file of a set of weights."""

    path: str
    size: int
    """Bytes."""
    sha256: str
    official: bool | None
    """Whether it is, to the byte, the official file of its name; None where it does not claim to be."""


@dataclass(frozen=True)
class Verification:
    """What `verify` found."""

    source: str
    files: tuple[FileCheck, ...]
    tensors: int
    """Tensors whose checksums hold: 230, or 0 if there is a problem."""
    parameters: int
    """Values in them."""
    num_classes: int
    """Classes that the head tells apart; 0 if there is a problem."""
    sha256: str | None
    """Identity of the weights; None if there is a problem."""
    official_name: str | None
    """The catalogue's name, if these are official weights."""
    problem: str | None
    """Why the weights cannot be used; None if all is well."""
    labels: tuple[str, ...] | None = None
    """The class names in output order; None if they are unknown, or there is a problem."""
    input: InputSpecification = UNSPECIFIED
    """What clips the weights were trained on, as far as they say."""

    @property
    def ok(self) -> bool:
        """Whether the weights can be used and, where they claim to be official, are."""
        return self.problem is None

    def to_dict(self) -> dict[str, Any]:
        """Return everything in JSON's types."""
        return {**asdict(self), "input": self.input.to_dict(), "ok": self.ok}


def verify(name_or_path: str | os.PathLike[str]) -> Verification:
    """Check every checksum of official weights in the cache, or of a file.

    Raises:
        WeightsError: there is no such file, or the official weights are not cached.
    """
    text = os.fspath(name_or_path)
    if not text:
        raise WeightsError("'': an empty name; give a file of weights, or an official name")
    expected: Mapping[str, OfficialFile] = {}
    path = local_file(text)
    if text in CATALOGUE:
        cached = cached_path(text)
        if cached is None:
            raise WeightsError(f"{text} is not cached: run quovadis weights pull {text}")
        path = cached
        expected = {file.name: file for file in CATALOGUE[text].files}
    files = tuple(_check(file, expected.get(file.name)) for file in _files(path))
    wrong = next((file.path for file in files if file.official is False), None)
    try:
        weights = read_weights(path)
        labels = weights.known_labels
    except (WeightsError, LabelsError) as error:
        if not files:
            raise
        return Verification(str(path), files, 0, 0, 0, None, None, str(error))
    problem = f'{wrong}: not the official file; run `quovadis.weights.pull("{text}", force=True)`' if wrong else None
    return Verification(
        source=str(path),
        files=files,
        tensors=len(weights.tensors),
        parameters=stored_parameters(weights.num_classes),
        num_classes=weights.num_classes,
        sha256=weights.sha256,
        official_name=weights.official_name,
        problem=problem,
        labels=labels,
        input=weights.input,
    )


def _files(path: Path) -> tuple[Path, ...]:
    """Return the files that make up the weights at `path`, as far as they exist."""
    try:
        checkpoint = TensorFlowCheckpoint(path)
    except WeightsError:
        return weights_files(path)
    return tuple(file for file in (checkpoint.index_path, *checkpoint.data_paths) if file.is_file())


def _check(path: Path, expected: OfficialFile | None) -> FileCheck:
    try:
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        official = None if expected is None else is_correct(path, expected)
        return FileCheck(str(path), path.stat().st_size, sha256, official)
    except OSError as error:
        raise read_error(path, error) from error
