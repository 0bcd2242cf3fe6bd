"""The network's weights: official ones by name, others from files; every checksum verified."""

from __future__ import annotations

from quovadis.weights.catalogue import CATALOGUE
from quovadis.weights.input_specification import InputSpecification
from quovadis.weights.load import load_weights, read_weights
from quovadis.weights.model import Weights
from quovadis.weights.pull import cached_path, pull
from quovadis.weights.tensorflow_checkpoint import TensorFlowCheckpoint
from quovadis.weights.verify import FileCheck, Verification, verify

__all__ = [
    "CATALOGUE",
    "FileCheck",
    "InputSpecification",
    "TensorFlowCheckpoint",
    "Verification",
    "Weights",
    "cached_path",
    "load_weights",
    "pull",
    "read_weights",
    "verify",
]
