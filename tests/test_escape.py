"""Names of files as text, whatever bytes are in them."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from quovadis.escape import escaped, printable


@given(st.binary())
def test_any_name_becomes_text(name: bytes) -> None:
    escaped(os.fsdecode(name)).encode("utf-8")


def test_text_stays_as_it_is() -> None:
    for name in ("clip.mp4", "čaj 茶\u3000🎬.mp4", "a\\b"):
        assert escaped(name) == printable(name) == name


def test_what_terminals_obey_is_shown_and_not_done() -> None:
    assert printable("b\x1b[31mred\nnew\x9b1m.mp4") == r"b\x1b[31mred\nnew\x9b1m.mp4"
