"""Compiling the kernels, and what is said where that cannot be."""

from __future__ import annotations

import ctypes
import platform
from pathlib import Path

import pytest

from quovadis.native import build as module
from quovadis.native.build import BuildError, build, main


def test_the_library_is_made_and_can_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As the installation has made it, but in a quarter of the time.
    monkeypatch.setenv("CXXFLAGS", "-O0")
    library = build(tmp_path / "kernels.so")
    assert [path.name for path in tmp_path.iterdir()] == ["kernels.so"]
    assert ctypes.CDLL(str(library)).quovadis_open is not None


@pytest.mark.slow
def test_a_compiler_that_does_not_know_amx_makes_the_other_kernels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = tmp_path / "old"
    compiler.write_text('#!/bin/sh\ncase "$*" in *-mamx*) exit 1;; esac\nexec c++ "$@"\n', "utf-8")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    monkeypatch.setenv("CXXFLAGS", "-O0")
    library = ctypes.CDLL(str(build(tmp_path / "kernels.so")))
    library.quovadis_open.restype = ctypes.c_void_p
    assert library.quovadis_open(b"amx", 1) is None


def test_the_compiler_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler -flag")
    with pytest.raises(BuildError, match="no-such-compiler: No such file"):
        build(tmp_path / "kernels.so")


def test_a_compiler_that_fails_is_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CXXFLAGS", "--no-such-flag")
    monkeypatch.setattr(module, "LIBRARY", tmp_path / "kernels.so")
    with pytest.raises(BuildError, match="no-such-flag"):
        build(tmp_path / "kernels.so")
    assert main() == 1
    assert "no-such-flag" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_without_a_compiler_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match=r"install g\+\+"):
        build(tmp_path / "kernels.so")


def test_another_processor_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(BuildError, match="aarch64"):
        build(tmp_path / "kernels.so")
