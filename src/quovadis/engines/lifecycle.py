"""What all engines have in common: they can be closed, and know when their process was forked."""

from __future__ import annotations

import os
from typing import Self
from weakref import WeakSet

from quovadis.errors import EngineError

_engines: WeakSet[BaseEngine] = WeakSet()


class BaseEngine:
    """An engine that can be closed, by `close` or at the end of a `with` block.

    A fork copies neither threads nor devices, and locks in whatever state they are: `_after_fork` puts that right.
    """

    _closed = False

    def __init__(self) -> None:
        """Listen for forks from now on: call it when all else is set."""
        _engines.add(self)

    def close(self) -> None:
        """Free the threads and memory; see `base.Engine.close`."""
        if not self._closed:
            self._closed = True
            self._release()

    def __enter__(self) -> Self:
        self._check_open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _release(self) -> None:
        """Let go of what takes memory, threads or a device; called once. Calls of `run` in progress finish."""

    def _after_fork(self) -> None:
        """Replace what a fork breaks; called in the child, whose only thread this is."""

    def _check_open(self) -> None:
        """Refuse work of a closed engine.

        Raises:
            EngineError: it is closed.
        """
        if self._closed:
            raise EngineError("this engine is closed and cannot run any more: load the model again")


def _in_forked_child() -> None:
    for engine in _engines:
        engine._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_forked_child)
