"""Engines: architecture and weights made to run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quovadis.engines.base import Engine, EngineOutput
from quovadis.engines.choice import open_engine
from quovadis.engines.compiled_cache import CompiledGraphCache
from quovadis.engines.native_engine import NativeEngine
from quovadis.lazy import lazy_attributes

if TYPE_CHECKING:
    from quovadis.engines.openvino_engine import OpenVINOEngine

__all__ = [
    "CompiledGraphCache",
    "Engine",
    "EngineOutput",
    "NativeEngine",
    "OpenVINOEngine",
    "open_engine",
]

# Whoever runs the native engine never loads OpenVINO.
_, _attribute = lazy_attributes(__name__, {"openvino_engine": ("OpenVINOEngine",)})

if not TYPE_CHECKING:
    __getattr__ = _attribute
