"""What a conversion replaces is all new or all as it was, whatever ends it in between."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quovadis.errors import OutputError
from quovadis.export import destination
from quovadis.export.destination import Destination

ENTRIES = ("model.xml", "model.bin", "folder", "new.txt")


def write(folder: Path, text: str, names: tuple[str, ...] = ENTRIES) -> None:
    for name in names:
        path = folder / name
        if "." not in name:
            path.mkdir(parents=True)
            path /= "1.txt"
        path.write_text(text)


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def replace(folder: Path) -> None:
    plan: Any = SimpleNamespace(entries=lambda: ENTRIES)
    with Destination(folder, plan, overwrite=True) as place:
        write(place.temporary("x").parent, "new")
        place.atomic_replace()


def test_everything_is_replaced(tmp_path: Path) -> None:
    write(tmp_path, "old", ENTRIES[:3])
    replace(tmp_path)
    assert contents(tmp_path) == {"model.xml": "new", "model.bin": "new", "folder/1.txt": "new", "new.txt": "new"}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")], ids=repr)
@pytest.mark.parametrize("at", range(6))
def test_stopped_in_between_everything_is_as_it_was(
    at: int, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "old", ENTRIES[:3])
    before = contents(tmp_path)
    # Three files are published and one folder is renamed; each is stopped just before or just after.
    steps = iter(range(100))

    def stopping(step: Any) -> Any:
        def run(*arguments: Any) -> Any:
            if next(steps) == at:
                raise error
            result = step(*arguments)
            if next(steps) == at:
                raise error
            return result

        return run

    monkeypatch.setattr(destination, "atomic_replace", stopping(destination.atomic_replace))
    with pytest.raises((KeyboardInterrupt, OutputError)):
        replace(tmp_path)
    assert contents(tmp_path) == before
    assert not list(tmp_path.glob(".*"))


def test_the_folder_and_those_above_it_are_made_once_there_is_something_to_put_there(tmp_path: Path) -> None:
    plan: Any = SimpleNamespace(entries=lambda: ("model.onnx",))
    with Destination(tmp_path / "models" / "i3d", plan, overwrite=False) as place:
        write(place.temporary("x").parent, "new", ("model.onnx",))
        assert not (tmp_path / "models").exists()
        place.atomic_replace()
    assert contents(tmp_path) == {"models/i3d/model.onnx": "new"}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")], ids=repr)
def test_folders_made_for_a_conversion_that_fails_are_removed(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(destination, "atomic_replace", fail)
    (tmp_path / "mine").mkdir()
    with pytest.raises((KeyboardInterrupt, OutputError)):
        replace(tmp_path / "mine" / "models" / "i3d")
    assert list(tmp_path.rglob("*")) == [tmp_path / "mine"]


def test_a_folder_within_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file: cannot write there: Not a directory"):
        replace(tmp_path / "file" / "models")
