"""Files that appear whole under their names, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from quovadis.durable import atomic_write


def test_a_file_appears_once_it_is_whole(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a.json") as temporary:
        temporary.write_text("half")
        assert not (tmp_path / "a.json").exists()
        # Of two processes that write the same file each has a place of its own.
        assert str(os.getpid()) in temporary.name
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "half"


def write_half(path: Path) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt


def test_what_fails_leaves_the_older_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("older")
    with pytest.raises(KeyboardInterrupt):
        write_half(tmp_path / "a.json")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "older"
