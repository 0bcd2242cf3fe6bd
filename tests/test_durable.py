"""Files that appear whole under their names, or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from quovadis.durable import atomic_write, check_folder, output_error, output_file, output_folder
from quovadis.errors import OutputError


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


def test_a_missing_folder_is_made_for_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    check_folder(path.parent, path.name)
    # The attempt leaves nothing.
    assert list(tmp_path.iterdir()) == []
    with atomic_write(path) as temporary:
        temporary.write_text("whole")
    assert path.read_text() == "whole"
    assert [one.name for one in path.parent.iterdir()] == ["file"]


def test_a_folder_that_cannot_be_made_is_found_out_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder, name in ((tmp_path / "file" / "a", "x"), (tmp_path / "a" / "b", "n" * 300)):
        with pytest.raises(OSError, match=r"Not a directory|too long"):
            check_folder(folder, name)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_fails_leaves_the_older_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("older")
    with pytest.raises(KeyboardInterrupt):
        write_half(tmp_path / "a.json")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "older"


def test_results_that_cannot_be_written_are_one_line_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file/a\.json: cannot be written: .*; give another path$"):  # noqa: SIM117
        with output_file(tmp_path / "file" / "a.json"):
            pytest.fail("there is no place to write to")
    with pytest.raises(OutputError, match=r"file/a: the folder cannot be made: Not a directory; give another path$"):
        output_folder(tmp_path / "file" / "a")
    full = output_error(tmp_path / "a.json", OSError(errno.ENOSPC, "No space left on device"))
    assert str(full).endswith("No space left on device; make room, and run the same command again")
