"""Options of the division that a dataset does not read are refused: whoever gives them expects another division."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quovadis.errors import DatasetError
from quovadis.training import read_splits


@pytest.fixture
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A dataset of a kind, with no more in it than its kind is known by."""
    files = {
        "hmdb51": ("wave_test_split1.txt", "a.avi 1\nb.avi 2\n"),
        "charades": ("train.csv", "id,actions,length\na,c000 0 1,9\n"),
        "kinetics": (
            "k.csv",
            "label,youtube_id,time_start,time_end,split\na,x,0,10,train\nb,y,0,10,train\na,z,0,10,validate\n",
        ),
    }
    if request.param == "folders":
        return tmp_path
    name, content = files[request.param]
    (tmp_path / name).write_text(content)
    return tmp_path if request.param == "hmdb51" else tmp_path / name


@pytest.mark.parametrize(
    ("source", "given", "why"),
    [
        ("folders", {"split": 1}, "no official lists of UCF-101 or HMDB-51 are there"),
        ("folders", {"validation": ".", "validation_share": 0.3}, "`validation` says what to validate with"),
        ("hmdb51", {"validation_share": 0.3}, "the official lists divide the dataset and name its classes"),
        ("hmdb51", {"labels": ["wave"]}, "the official lists divide the dataset and name its classes"),
        ("hmdb51", {"file_format": "folders"}, "the official lists divide the dataset and name its classes"),
        ("hmdb51", {"validation": ".", "split": 1}, "`validation` says what to validate with"),
        ("charades", {"labels": ["wave"]}, "it is a file of Charades"),
        ("charades", {"split": 2}, "no official lists of UCF-101 or HMDB-51 are there"),
        ("kinetics", {"validation_share": 0.3}, "it has a part for validation"),
        ("kinetics", {"split": 1}, "no official lists of UCF-101 or HMDB-51 are there"),
    ],
    indirect=["source"],
)
def test_an_option_that_a_dataset_does_not_read_is_refused(source: Path, given: dict[str, Any], why: str) -> None:
    option = list(given)[-1]
    with pytest.raises(DatasetError) as caught:
        read_splits(source, **given)
    assert str(caught.value) == f"{source}: `{option}` has no effect here: {why}; leave it out"
    assert caught.value.option == option
