"""Names of a package that are imported when they are asked for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from quovadis.lazy import lazy_attributes


def test_names_are_imported_when_they_are_asked_for_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "slowly"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "numbers.py").write_text("ONE = object()")
    (package / "letters.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("slowly", "slowly.numbers", "slowly.letters"):
        monkeypatch.delitem(sys.modules, name, raising=False)

    names, attribute = lazy_attributes("slowly", {"numbers": ("TWO", "ONE")}, ("letters",))
    assert names == ["ONE", "TWO"]
    assert "slowly.numbers" not in sys.modules
    one = attribute("ONE")
    # From now on it is an attribute like others, and Python asks no more.
    assert vars(sys.modules["slowly"])["ONE"] is one
    assert attribute("letters") is sys.modules["slowly.letters"]
    with pytest.raises(AttributeError, match="module 'slowly' has no attribute 'THREE'"):
        attribute("THREE")
