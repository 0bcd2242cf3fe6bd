"""The line on a fast engine that is not there: once, and again when its reason changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quovadis import notices, recognizer
from quovadis.engines import native_library
from quovadis.native import build
from quovadis.notices import notify_once
from quovadis.weights import Weights
from support.fake_engine import ColourEngine


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QUOVADIS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(recognizer, "open_engine", lambda *_, **__: ColourEngine())
    return tmp_path / "home"


def told(**options: str) -> list[str]:
    """Load a model, and return what is said."""
    lines: list[str] = []
    head = {"RGB/inception_i3d/Logits/Conv3d_0c_1x1/conv_3d/b": np.zeros(400, np.float32)}
    recognizer.load(loaded=Weights(head, "fake", "0" * 64, Path("fake")), notify=lines.append, **options)
    return lines


@pytest.fixture
def no_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As in a wheel that was built without a compiler."""
    monkeypatch.setattr(native_library, "LIBRARY", tmp_path / "missing.so")
    return tmp_path / "missing.so"


def test_without_kernels_the_first_model_says_so_with_the_reason_and_the_fix(no_kernels: Path) -> None:
    assert told() == [
        "running on OpenVINO, which takes up to twice as long: the kernels were not compiled when quovadis was "
        "installed: install a C++ compiler, g++ or clang++, and run python -m quovadis.native"
    ]
    assert told() == []


def test_another_reason_is_told_again(no_kernels: Path) -> None:
    assert len(told()) == 1
    no_kernels.write_bytes(b"no library")
    native_library._library.cache_clear()
    try:
        (line,) = told()
        assert "the kernels cannot be loaded" in line
        assert told() == []
    finally:
        native_library._library.cache_clear()


def test_another_machine_that_shares_the_cache_is_told_too(no_kernels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(told()) == 1
    monkeypatch.setattr(notices.platform, "node", lambda: "another")
    assert len(told()) == 1


@pytest.mark.parametrize("options", [{"engine": "openvino"}, {"device": "cuda"}, {"device": "GPU"}])
def test_who_asks_for_something_else_is_told_nothing(options: dict[str, str], no_kernels: Path) -> None:
    assert told(**options) == []


def test_where_there_never_are_kernels_nothing_is_told(no_kernels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build.platform, "machine", lambda: "aarch64")
    assert told() == []


def test_with_kernels_nothing_is_told() -> None:
    assert told() == []


def test_a_cache_that_cannot_be_written_costs_a_line_each_time(home: Path) -> None:
    home.touch()
    lines: list[str] = []
    for _ in range(2):
        notify_once("name", "a line", lines.append)
    assert lines == ["a line"] * 2
