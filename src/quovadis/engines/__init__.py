"""Engines: architecture and weights made to run."""

from __future__ import annotations

from quovadis.engines.base import Engine, EngineOutput, Hint
from quovadis.engines.choice import EngineName, open_engine
from quovadis.engines.compiled_cache import CompiledGraphCache
from quovadis.engines.native_engine import NativeEngine
from quovadis.engines.openvino_engine import OpenVINOEngine

__all__ = [
    "CompiledGraphCache",
    "Engine",
    "EngineName",
    "EngineOutput",
    "Hint",
    "NativeEngine",
    "OpenVINOEngine",
    "open_engine",
]
