"""OpenVINO, imported without its telemetry. Every module that needs OpenVINO takes it from here.

Importing `openvino` reports that to an analytics host through the package `openvino_telemetry`, and
writes a client ID and a counter below the home directory, unless the user has opted out before. This project
sends nothing anywhere, so it is imported as if that package were not installed, which it allows for. It holds for
this process alone: no file, environment variable or setting of the user's is changed, and a process that imported
OpenVINO before Quovadis has made its own choice.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from types import ModuleType

from quovadis.errors import EngineError

_TELEMETRY = "openvino_telemetry"
_lock = RLock()
_process: int | None = None
"""The process that has compiled graphs; its threads, on which OpenVINO waits for ever, are not in a fork of it."""


@contextmanager
def without_telemetry() -> Iterator[None]:
    """Let OpenVINO, and its tools such as NNCF, be imported as if `openvino_telemetry` were not installed.

    What is imported meanwhile takes its own stand-in that does nothing, and keeps it; afterwards the package can be
    imported as before.
    """
    with _lock:
        hidden: dict[str, ModuleType] = {}
        for name in [name for name in sys.modules if name.partition(".")[0] == _TELEMETRY]:
            hidden[name] = sys.modules.pop(name)
        # The documented way to make an import fail: a name that maps to None raises ModuleNotFoundError.
        sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
        try:
            yield
        finally:
            sys.modules.pop(_TELEMETRY, None)
            sys.modules.update(hidden)


with without_telemetry():
    import openvino as ov
    from openvino import CompiledModel, InferRequest, Node, opset1, opset13

__all__ = ["CompiledModel", "InferRequest", "Node", "opset1", "opset13", "ov", "refuse_after_fork", "without_telemetry"]


def refuse_after_fork() -> None:
    """Note that this process is about to compile or run graphs.

    Raises:
        EngineError: it was forked from one that did.
    """
    global _process
    if _process not in (None, os.getpid()):
        raise EngineError(
            "OpenVINO does not run in a process forked from one that has used it: start processes with "
            'multiprocessing.get_context("spawn"), let each load the model and the parent not run it, or choose '
            '`engine="native"`'
        )
    _process = os.getpid()
