"""Names of files as text, whatever bytes are in them."""

from __future__ import annotations

import os

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quovadis.escape import abbreviated, counted, counted_are, escaped, printable, quoted, shortened, there_are


@given(st.binary())
def test_any_name_becomes_text(name: bytes) -> None:
    escaped(os.fsdecode(name)).encode("utf-8")


def test_text_stays_as_it_is() -> None:
    # Of what is not shown, joiners alone stay: they are part of letters and of pictures.
    for name in ("clip.mp4", "čaj 茶\u3000🎬.mp4", "a\\b", "👩\u200d🚀 می\u200cخواهم"):
        assert escaped(name) == printable(name) == name


def test_what_terminals_obey_is_shown_and_not_done() -> None:
    assert printable("exe.\u202e4pm.\u2066\u200f\ufeff\u2028mp4") == r"exe.\u202e4pm.\u2066\u200f\ufeff\u2028mp4"
    assert printable("b\x1b[31mred\nnew\x9b1m.mp4") == r"b\x1b[31mred\nnew\x9b1m.mp4"


def test_long_values_lose_their_middle_and_stay_in_one_line() -> None:
    assert shortened("clip.mp4") == "'clip.mp4'"
    assert shortened(list(range(400))) == "[0, 1, 2, 3, 4, 5, ...]"
    assert "\n" not in shortened(np.zeros((9, 9)))
    assert abbreviated("a" * 80) == "a" * 80
    assert abbreviated("a" * 40 + "b" * 41) == "a" * 39 + "…" + "b" * 39
    assert quoted("clip.mp4") == '"clip.mp4"'


def test_numbers_of_things_agree_with_noun_and_verb() -> None:
    assert [counted(number, "clip") for number in (0, 1, 2, 1000)] == ["0 clips", "1 clip", "2 clips", "1,000 clips"]
    assert [counted(number, "class") for number in (1, 2)] == ["1 class", "2 classes"]
    assert [counted_are(number, "frame") for number in (1, 3)] == ["1 frame is", "3 frames are"]
    assert [there_are(number, "frame") for number in (1, 3)] == ["there is 1 frame", "there are 3 frames"]
