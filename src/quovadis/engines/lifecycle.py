"""What all engines have in common: they can be closed."""

from __future__ import annotations

from typing import Self

from quovadis.errors import EngineError


class BaseEngine:
    """An engine that can be closed, by `close` or at the end of a `with` block."""

    _closed = False

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

    def _check_open(self) -> None:
        """Refuse work of a closed engine.

        Raises:
            EngineError: it is closed.
        """
        if self._closed:
            raise EngineError("this engine is closed and cannot run any more: load the model again")
