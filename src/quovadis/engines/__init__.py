"""Engines: architecture and weights made to run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quovadis.engines.base import Engine, EngineOutput
from quovadis.engines.choice import open_engine
from quovadis.engines.compiled_cache import CompiledGraphCache
from quovadis.engines.native_engine import NativeEngine

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


def __getattr__(name: str) -> Any:
    """Import OpenVINO's engine when it is first asked for: whoever runs the native one never loads OpenVINO."""
    if name == "OpenVINOEngine":
        from quovadis.engines.openvino_engine import OpenVINOEngine

        return OpenVINOEngine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
