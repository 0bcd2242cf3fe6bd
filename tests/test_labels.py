"""The class names."""

from __future__ import annotations

from pathlib import Path

import pytest

from quovadis.errors import LabelsError
from quovadis.labels import kinetics400, read_labels


def test_the_400_classes_stand_in_the_order_of_the_original_label_map(assets: Path) -> None:
    assert kinetics400() == tuple((assets / "assets" / "label_map.txt").read_text().splitlines())
    assert len(set(kinetics400())) == 400


def test_a_label_file_may_have_a_byte_order_mark_windows_lines_and_no_last_newline(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes("\ufeffcutting\r\nsewing".encode())
    assert read_labels(path, 2) == ("cutting", "sewing")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"one\ntwo\nthree\n", "3 class names, but the network has 2"),
        (b"one\n\n", "class name 2 is empty"),
        (b"one\none\n", 'the class name "one" stands twice'),
        (b"\xff\xfe\n", "must be UTF-8"),
    ],
)
def test_a_bad_label_file_is_refused_with_its_name_and_why(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(content)
    with pytest.raises(LabelsError, match=complaint) as caught:
        read_labels(path, 2)
    assert str(path) in str(caught.value)


def test_a_missing_label_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match=r"absent\.txt"):
        read_labels(tmp_path / "absent.txt")
