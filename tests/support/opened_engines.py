"""Engines that stay open from one command or call to the next, which open the same network again and again."""

from __future__ import annotations

from typing import Any

import pytest

from quovadis import recognizer
from quovadis.engines import Engine, open_engine


def open_engines_once(patch: pytest.MonkeyPatch) -> None:
    """Open each engine once for the same weights and options, which takes longer than what most tests do with it."""
    opened: dict[str, Engine] = {}

    def open_once(tensors: Any, **options: Any) -> Engine:
        assert options["weights_sha256"]
        key = repr({name: value for name, value in options.items() if name != "cache"})
        if key not in opened:
            opened[key] = open_engine(tensors, **options)
            patch.setattr(opened[key], "close", lambda: None, raising=False)
        return opened[key]

    patch.setattr(recognizer, "open_engine", open_once)
