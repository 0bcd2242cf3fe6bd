"""Labelled videos: one module for each form that they come in."""

from __future__ import annotations

from quovadis.datasets.dataset import Dataset, Example, example_source
from quovadis.datasets.read import DatasetFormat, read_dataset

__all__ = ["Dataset", "DatasetFormat", "Example", "example_source", "read_dataset"]
