"""Export: architecture and weights as files for other runtimes, tools and servers."""

from __future__ import annotations

from quovadis.export.conversion import Conversion, ConvertedModel, convert

__all__ = ["Conversion", "ConvertedModel", "convert"]
