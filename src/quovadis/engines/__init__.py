"""Engines: architecture and weights made to run."""

from __future__ import annotations

from quovadis.engines.base import Engine, EngineOutput
from quovadis.engines.compiled_cache import CompiledGraphCache
from quovadis.engines.openvino_engine import OpenVINOEngine

__all__ = ["CompiledGraphCache", "Engine", "EngineOutput", "OpenVINOEngine"]
