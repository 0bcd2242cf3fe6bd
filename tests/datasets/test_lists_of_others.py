"""The official lists of UCF-101, HMDB-51 and Charades, and datasets whose classes are their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from quovadis.datasets import Action, read_charades, read_dataset, read_standard_split
from quovadis.errors import DatasetError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"a video")


@pytest.fixture
def ucf(tmp_path: Path) -> Path:
    (tmp_path / "classInd.txt").write_text("1 ApplyEyeMakeup\n2 Archery\n\n")
    (tmp_path / "trainlist01.txt").write_text(
        "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1\r\nArchery/v_Archery_g08_c02.avi 2\r\n"
    )
    (tmp_path / "testlist01.txt").write_text("Archery/v_Archery_g01_c01.avi\n")
    touch(tmp_path / "videos", "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi", "v_Archery_g08_c02.avi")
    touch(tmp_path / "videos", "Archery/v_Archery_g01_c01.mp4")
    return tmp_path


@pytest.fixture
def hmdb(tmp_path: Path) -> Path:
    (tmp_path / "brush_hair_test_split1.txt").write_text("a_brush_hair_u.avi 1 \nb.avi 2 \nunused.avi 0 \n")
    (tmp_path / "cartwheel_test_split1.txt").write_text("c d!e.avi 1 \nf.avi 2 \n")
    touch(tmp_path, "brush_hair/a_brush_hair_u.avi", "brush_hair/b.avi", "cartwheel/c d!e.avi", "cartwheel/f.avi")
    return tmp_path


def test_ucf101_counts_classes_from_one_and_finds_videos_in_either_layout(ucf: Path) -> None:
    train, test = read_standard_split(ucf, videos=ucf / "videos")
    assert train.labels == test.labels == ("ApplyEyeMakeup", "Archery")
    assert [(example.label, example.path is not None) for example in train.examples] == [(0, True), (1, True)]
    assert [(example.key, example.label) for example in test.existing] == [("Archery/v_Archery_g01_c01.avi", 1)]


def test_hmdb51_says_of_each_video_whether_it_is_for_training_or_testing(hmdb: Path) -> None:
    train, test = read_standard_split(hmdb)
    assert train.labels == ("brush_hair", "cartwheel")
    assert [example.key for example in train.existing] == ["brush_hair/a_brush_hair_u.avi", "cartwheel/c d!e.avi"]
    assert [(example.key, example.label) for example in test.existing] == [
        ("brush_hair/b.avi", 0),
        ("cartwheel/f.avi", 1),
    ]


def test_lists_that_are_damaged_or_missing_are_refused_in_one_line(ucf: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="splits 1, 2 and 3, not 4"):
        read_standard_split(ucf, split=4)
    with pytest.raises(DatasetError, match=r"trainlist02\.txt: cannot be read"):
        read_standard_split(ucf, split=2)
    (ucf / "trainlist01.txt").write_text("Archery/v.avi 7\n")
    with pytest.raises(DatasetError, match=r"trainlist01\.txt: line 1 has a class that is not in classInd"):
        read_standard_split(ucf)
    for number in ("one", "9" * 5000):
        (ucf / "classInd.txt").write_text(f"{number} ApplyEyeMakeup\n")
        with pytest.raises(DatasetError, match=r"classInd\.txt: line 1"):
            read_standard_split(ucf)
    with pytest.raises(DatasetError, match="no lists of UCF-101"):
        read_standard_split(ucf / "videos")
    touch(tmp_path, "wave_test_split1.txt")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/wave_test_split1.txt").write_text("a.avi 5\n")
    with pytest.raises(DatasetError, match="line 1 is no video and 0, 1 or 2"):
        read_standard_split(tmp_path / "other")


CHARADES = """id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length
46GP8,HR43,Kitchen,6,7,Yes,"A person, cooking.",food,"Someone; somewhere.",c092 11.90 21.20;c147 0.00 12.60,24.83
N11GT,0KZ7,Stairs,6,7,Yes,text,,,,18.33
"""


@pytest.fixture
def charades(tmp_path: Path) -> Path:
    path = tmp_path / "Charades_v1_train.csv"
    path.write_text(CHARADES)
    touch(tmp_path, "46GP8.mp4")
    return path


def test_charades_has_several_actions_with_their_times(charades: Path) -> None:
    dataset = read_charades(charades)
    assert dataset.is_multi_label
    first, second = dataset.examples
    assert first.actions == (Action(92, 11.9, 21.2), Action(147, 0.0, 12.6))
    assert (second.actions, second.path) == ((), None)
    assert (len(dataset.labels), dataset.labels[92]) == (157, "c092")
    names = [f"c{index:03} Class {index}" for index in range(157)]
    (charades.parent / "Charades_v1_classes.txt").write_text("\n".join(names))
    assert read_charades(charades).labels[92] == "Class 92"


@pytest.mark.parametrize("actions", ["c157 0 1", "c001 0", "c001 2 1", "c001 nan 1", "walk 0 1"])
def test_actions_that_cannot_be_are_refused_with_their_line(charades: Path, actions: str) -> None:
    charades.write_text(CHARADES.replace("c092 11.90 21.20", actions))
    with pytest.raises(DatasetError, match=r"train\.csv: line 2 has actions that are not of the form"):
        read_charades(charades)


def test_a_list_of_classes_that_is_not_that_of_charades_is_refused(charades: Path) -> None:
    (charades.parent / "Charades_v1_classes.txt").write_text("c000 Holding some clothes\n")
    with pytest.raises(DatasetError, match=r"classes\.txt: not the 157 classes"):
        read_charades(charades)


def test_classes_of_its_own_are_those_in_the_dataset_in_natural_order(tmp_path: Path) -> None:
    touch(tmp_path, "class 10/a.mp4", "class 9/b.mp4", "class 9/c.mp4", "Jump/d.mp4")
    dataset = read_dataset(tmp_path, None)
    assert dataset.labels == ("class 9", "class 10", "Jump")
    assert [example.label for example in dataset.examples] == [0, 0, 1, 2]
    assert dataset.first(1).labels == dataset.labels


def test_numbers_of_a_list_without_names_are_its_classes(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{number}.mp4" for number in range(4)))
    (tmp_path / "list.txt").write_text("0.mp4 10\n1.mp4 2\n2.mp4 0\n3.mp4 2\n")
    dataset = read_dataset(tmp_path / "list.txt", None)
    assert dataset.labels == ("0", "2", "10")
    assert [example.label for example in dataset.examples] == [2, 1, 0, 1]


@pytest.mark.parametrize(("one", "other"), [("jump", "Jump"), ("high jump", "high_jump")])
def test_classes_that_differ_by_case_only_are_refused(tmp_path: Path, one: str, other: str) -> None:
    touch(tmp_path, "a.mp4", "b.mp4")
    (tmp_path / "list.csv").write_text(f"a.mp4,{one}\nb.mp4,{other}\n")
    with pytest.raises(DatasetError, match=f'"{one}" and "{other}" are one class, written in two ways: rename one'):
        read_dataset(tmp_path / "list.csv", None)


def test_a_class_whose_name_is_no_text_is_refused(tmp_path: Path) -> None:
    for name in (b"one", b"tw\xff"):
        (folder := tmp_path / os.fsdecode(name)).mkdir()
        touch(folder, "a.mp4")
    with pytest.raises(DatasetError, match="is not UTF-8 text: rename its folder"):
        read_dataset(tmp_path, None)
