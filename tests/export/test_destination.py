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
    plan: Any = SimpleNamespace(makes_folder=True, entries=lambda: ENTRIES)
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
