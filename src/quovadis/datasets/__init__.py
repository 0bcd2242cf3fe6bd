"""Labelled videos: one module for each form that they come in."""

from __future__ import annotations

from quovadis.datasets.charades import read_charades
from quovadis.datasets.dataset import Action, Dataset, Example, example_source
from quovadis.datasets.read import DatasetFormat, read_dataset
from quovadis.datasets.standard_splits import StandardSplit, read_standard_split

__all__ = [
    "Action",
    "Dataset",
    "DatasetFormat",
    "Example",
    "StandardSplit",
    "example_source",
    "read_charades",
    "read_dataset",
    "read_standard_split",
]
