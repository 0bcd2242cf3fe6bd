"""The real network for tests of what is around it: loaded once in a run of tests, and each clip computed once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import quovadis
from quovadis.engines import Engine, EngineOutput
from quovadis.engines.base import Pixels


class RememberingEngine:
    """An engine that is open for all who borrow it, and knows what it has said of the same pixels before."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._outputs: dict[tuple[object, ...], EngineOutput] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def run(self, clips: Pixels, endpoints: str | Sequence[str] = ()) -> EngineOutput:
        pixels = hashlib.sha256(np.ascontiguousarray(clips)).digest()
        key = (pixels, clips.shape, clips.dtype.str, str(endpoints))
        if key not in self._outputs:
            self._outputs[key] = self._engine.run(clips, endpoints)
        return self._outputs[key]

    def close(self) -> None:
        """Stay open."""


@pytest.fixture(scope="session")
def borrowed_model(rgb_scratch_path: object) -> quovadis.Recognizer:
    """`rgb-scratch` on the usual engine."""
    model = quovadis.load("rgb-scratch")
    model.engine = RememberingEngine(model.engine)  # type: ignore[assignment]
    return model


@pytest.fixture
def one_network(borrowed_model: quovadis.Recognizer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands in this process run the same network, which is not loaded again, whatever weights they ask for."""
    for command in ("evaluate", "features", "fvd"):
        monkeypatch.setattr(f"quovadis.cli.{command}.load", lambda *_, **__: borrowed_model)
