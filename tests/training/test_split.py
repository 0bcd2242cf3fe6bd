"""Which videos are trained on: by video, by class, by seed, and whatever the order of the files."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quovadis.datasets import Action, Dataset, Example
from quovadis.errors import DatasetError
from quovadis.training.split import (
    DatasetSplit,
    check_split,
    dataset_fingerprint,
    duplicates,
    lost_classes,
    read_splits,
    split_videos,
)
from quovadis.video.fingerprints import path_fingerprint


def dataset(counts: list[int]) -> Dataset:
    """Videos that are nowhere: what is in them plays no part."""
    examples = [
        Example(f"{label}/{number}", label, Path(f"/nowhere/{label}/{number}.mp4"))
        for label, count in enumerate(counts)
        for number in range(count)
    ]
    return Dataset(
        Path("/nowhere"), "folders", tuple(examples), tuple(f"class {label}" for label in range(len(counts)))
    )


def keys(part: Dataset) -> set[str]:
    return {example.key for example in part.examples}


@given(
    counts=st.lists(st.integers(2, 30), min_size=1, max_size=5),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 999),
    shuffle=st.integers(0, 99),
)
def test_a_split_is_by_class_and_does_not_depend_on_the_order(
    counts: list[int], share: float, seed: int, shuffle: int
) -> None:
    whole = dataset(counts)
    split = split_videos(whole, validation_share=share, seed=seed)
    assert keys(split.train) | keys(split.validation) == keys(whole)
    assert not keys(split.train) & keys(split.validation)
    for label, count in enumerate(counts):
        own = sum(example.label == label for example in split.validation.examples)
        assert 1 <= own <= count - 1
        assert own == pytest.approx(share * count, abs=0.5 + 1e-9) or own in (1, count - 1)
    examples = list(whole.examples)
    random.Random(shuffle).shuffle(examples)
    again = split_videos(replace(whole, examples=tuple(examples)), validation_share=share, seed=seed)
    assert keys(again.validation) == keys(split.validation)


def test_another_seed_divides_in_another_way() -> None:
    parts = {frozenset(keys(split_videos(dataset([20, 20]), seed=seed).validation)) for seed in range(5)}
    assert len(parts) == 5


def test_videos_of_one_group_stay_together() -> None:
    split = split_videos(dataset([20, 20]), group=lambda example: example.key[:3])
    groups = [{key[:3] for key in keys(part)} for part in (split.train, split.validation)]
    assert not groups[0] & groups[1]
    with pytest.raises(DatasetError, match=r'the class "class 0" has one group of 3 videos, 0/0'):
        split_videos(dataset([3, 4]), group=lambda example: str(example.label))


def test_a_class_with_one_video_cannot_be_divided() -> None:
    with pytest.raises(DatasetError, match=r'"class 1" has one video, 1/0, which cannot be on both sides: add videos'):
        split_videos(dataset([3, 1, 3]))


@pytest.mark.parametrize("share", [0, 1, -0.2])
def test_a_share_that_leaves_a_side_empty_is_refused(share: float) -> None:
    with pytest.raises(DatasetError) as caught:
        split_videos(dataset([3, 3]), validation_share=share)
    assert caught.value.option == "validation_share"


def test_videos_of_several_classes_are_divided_as_a_whole() -> None:
    examples = [Example(f"v{n}", -1, Path(f"/v{n}.mp4"), actions=(Action(n % 3, 0, 1),)) for n in range(10)]
    split = split_videos(Dataset(Path("c.csv"), "charades", tuple(examples), ("a", "b", "c")), validation_share=0.3)
    assert (len(split.train.examples), len(split.validation.examples)) == (7, 3)


def write(folder: Path, **contents: str) -> Path:
    for name, content in contents.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".mp4").write_text(content)
    return folder


def warnings(split: DatasetSplit) -> str:
    return "\n".join(split.warnings)


def test_a_video_on_both_sides_is_named_with_its_copy(tmp_path: Path) -> None:
    train = write(tmp_path / "train", a__one="same", a__two="other", b__three="more")
    write(tmp_path / "validation", a__copy="same", b__four="away")
    split = read_splits(train, validation=tmp_path / "validation")
    assert warnings(split).endswith("so accuracy is overestimated: a/one.mp4 is the same as a/copy.mp4")
    assert "train" in warnings(split)
    assert len(split.warnings) == 1


def test_only_what_is_alike_in_size_and_samples_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(name: str, start: bytes, middle: int) -> Example:
        content = bytearray(start.ljust(400_000, b"\0"))
        content[middle] = 1
        (tmp_path / name).write_bytes(content)
        return Example(name, 0, tmp_path / name)

    train = [write("a", b"one", 200_000), write("b", b"two", 90_000), write("c", b"two", 200_000)]
    validation = [write("d", b"one", 200_000), write("e", b"two", 90_001), write("f", b"six", 200_000)]
    whole = []
    true = path_fingerprint
    monkeypatch.setattr("quovadis.training.split.path_fingerprint", lambda path: whole.append(path.name) or true(path))
    assert list(duplicates(train, validation)) == [("a", "d")]
    assert sorted(whole) == ["a", "b", "d", "e"]


def test_classes_on_one_side_alone_are_named(tmp_path: Path) -> None:
    train = write(tmp_path / "train", a__1="1", b__2="22", c__3="333")
    split = read_splits(train, validation=write(tmp_path / "validation", a__4="4444"))
    assert 'the class "b" is not validated with, nor are 1 more' in warnings(split)
    with pytest.raises(DatasetError, match='has no class "d"'):
        read_splits(train, validation=write(tmp_path / "other", d__4="4444"))


def test_videos_of_a_list_that_are_missing_are_counted_and_a_class_without_any_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path, a__1="1", a__2="22", b__3="333", b__4="4444")
    rows = ["a/1.mp4 a", "a/2.mp4 a", "b/3.mp4 b", "b/4.mp4 b", "a/gone.mp4 a", "c/5.mp4 c"]
    (folder / "list.txt").write_text("\n".join(rows))
    split = read_splits(folder / "list.txt")
    assert warnings(split).splitlines() == [
        f"{folder / 'list.txt'}: 2 of 6 videos cannot be found; the first: a/gone.mp4: no such video",
        f'{folder / "list.txt"}: the class "c" is never trained on, and cannot be recognised',
    ]


def test_folders_that_nobody_reads_are_named(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "videos", a__1="1", a__2="22", b__3="333", b__4="4444", b__monday__5="55555", c__tuesday__6="666666"
    )
    for name in ("empty", ".hidden"):
        (folder / name).mkdir()
    told = (
        "folders that are not read: b/monday, c/tuesday, empty; the videos of a class must lie directly in its folder"
    )
    assert read_splits(folder).warnings == (f"{folder}: {told}",)
    other = write(tmp_path / "other", a__7="7", b__8="88")
    assert read_splits(other, validation=folder).warnings == (f"{folder}: {told}",)


def test_a_class_of_which_no_video_can_be_read_is_named(tmp_path: Path) -> None:
    split = read_splits(write(tmp_path, a__1="1", a__2="22", b__3="333", b__4="4444"))
    of = {one.key[0]: one.key for one in split.train.examples}
    assert lost_classes(split, {of["a"]}) == [
        f'{tmp_path}: the class "a" is never trained on, and cannot be recognised'
    ]
    validated = {one.key for one in split.validation.examples if one.key[0] == "b"}
    assert lost_classes(split, validated) == [f'{tmp_path}: the class "b" is not validated with']
    assert lost_classes(split, ()) == []


def test_a_list_in_another_order_is_another_dataset(tmp_path: Path) -> None:
    folder = write(tmp_path, a__1="1", a__2="22", a__3="333", b__3="333", b__4="4444")
    rows = ["a/1.mp4 a", "a/2.mp4 a", "a/3.mp4 a", "b/3.mp4 b", "b/4.mp4 b"]
    digests = []
    for number, lines in enumerate((rows, rows[::-1], rows)):
        (path := folder / f"{number}.txt").write_text("\n".join(lines))
        digests.append(dataset_fingerprint(read_splits(path)))
    assert digests[0] == digests[2] != digests[1]


def test_an_empty_part_is_refused() -> None:
    whole = dataset([3, 3])
    with pytest.raises(DatasetError, match="none of its 0 videos to validate with is there"):
        check_split(whole, replace(whole, examples=()))


def test_a_file_with_parts_of_its_own_is_divided_by_them(tmp_path: Path) -> None:
    write(tmp_path, x_000000_000010="x", y_000000_000010="yy", z_000000_000010="zzz")
    rows = ["a,x,0,10,train", "b,y,0,10,train", "a,z,0,10,validate"]
    (tmp_path / "k.csv").write_text("\n".join(["label,youtube_id,time_start,time_end,split", *rows]))
    split = read_splits(tmp_path / "k.csv")
    assert (keys(split.train), keys(split.validation)) == ({"x_000000_000010", "y_000000_000010"}, {"z_000000_000010"})
    database = {
        name: {"subset": subset, "annotations": {"label": "ab"[name == "y"]}}
        for name, subset in (("x", "training"), ("y", "training"), ("z", "validation"))
    }
    write(tmp_path, x="x", y="yy", z="zzz")
    (tmp_path / "k.json").write_text(json.dumps({"labels": ["a", "b"], "database": database}))
    split = read_splits(tmp_path / "k.json")
    assert (keys(split.train), keys(split.validation)) == ({"x", "y"}, {"z"})
    assert split.validation.labels == ("a", "b")


def test_official_lists_are_followed(tmp_path: Path) -> None:
    write(tmp_path, wave__a="1", wave__b="22", run__c="333", run__d="4444")
    (tmp_path / "wave_test_split2.txt").write_text("a.avi 1\nb.avi 2\n")
    (tmp_path / "run_test_split2.txt").write_text("c.avi 2\nd.avi 1\n")
    for name in ("wave", "run"):
        (tmp_path / f"{name}_test_split1.txt").write_text("nothing.avi 0\n")
    split = read_splits(tmp_path, split=2)
    assert (keys(split.train), keys(split.validation)) == ({"wave/a.avi", "run/d.avi"}, {"wave/b.avi", "run/c.avi"})
    assert split.warnings == ()


def test_charades_is_divided_or_validated_with_its_test_part(tmp_path: Path) -> None:
    for part, names in (("train", "abcde"), ("test", "fg")):
        rows = [f"{name},c00{number % 2} 0 1,9" for number, name in enumerate(names)]
        (tmp_path / f"{part}.csv").write_text("\n".join(["id,actions,length", *rows]))
        write(tmp_path, **{name: name * (1 + ord(name)) for name in names})
    split = read_splits(tmp_path / "train.csv", validation=tmp_path / "test.csv")
    assert (keys(split.train), keys(split.validation)) == ({*"abcde"}, {*"fg"})
    assert len(read_splits(tmp_path / "train.csv", validation_share=0.4).validation.examples) == 2
