"""Every form of dataset gives the same labelled videos, and every mistake in one has a message of its own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from quovadis.datasets import Dataset, example_source, read_dataset
from quovadis.errors import DatasetError
from quovadis.labels import kinetics400
from support.colours import FORMS, VIDEOS


def read(source: Path, text: str, **options: object) -> Dataset:
    source.write_text(text, encoding="utf-8")
    return read_dataset(source, kinetics400(), **options)  # type: ignore[arg-type]


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    for name in ("one.mp4", "archery/two.mkv", "riding_a_bike/three.webm", "x-1_000005_000015.mp4", "with space.avi"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def test_all_forms_give_the_same_examples(dataset: Dataset) -> None:
    labels = {path.stem if path.suffix else path.name: e.label for e in dataset.examples if (path := e.path)}
    assert labels == {video.name: video.label for video in VIDEOS}
    assert not dataset.missing


def test_examples_keep_the_order_of_their_annotation(written: dict[str, tuple[Path, Path | None]]) -> None:
    for form in ("kinetics-csv", "list", "kinetics-json", "frames"):
        annotation, folder = written[form]
        found = read_dataset(annotation, kinetics400(), videos=folder)
        assert [e.path.name.removesuffix(".mp4") for e in found.examples if e.path] == [v.name for v in VIDEOS]


def test_the_form_is_told_by_the_source(written: dict[str, tuple[Path, Path | None]]) -> None:
    # Each is written when it is first asked for.
    sources = {form: written[form] for form in FORMS}
    found = {form: read_dataset(a, kinetics400(), videos=v).format for form, (a, v) in sources.items()}
    assert found == {name: name for name in FORMS} | {"frames": "kinetics-json"}


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("one.mp4\tarchery", "one.mp4"),
        ("one.mp4,archery", "one.mp4"),
        ('one.mp4, "archery"', "one.mp4"),
        ("one.mp4 archery", "one.mp4"),
        ("one.mp4 5", "one.mp4"),
        ("one 5", "one.mp4"),
        ("with space.avi 5", "with space.avi"),
        ("with space.avi\tARCHERY", "with space.avi"),
        ("archery/two 5", "two.mkv"),
    ],
)
def test_a_list_parts_its_columns_in_every_usual_way(tmp_path: Path, videos: Path, line: str, name: str) -> None:
    (example,) = read(tmp_path / "list.txt", f"# a comment\n\n{line}\n", videos=videos).examples
    assert example.label == 5
    assert example.path is not None
    assert example.path.name == name


def test_labels_may_have_underscores_and_any_case(tmp_path: Path, videos: Path) -> None:
    found = read_dataset(videos, kinetics400())
    assert [(e.key, kinetics400()[e.label]) for e in found.examples] == [
        ("archery/two.mkv", "archery"),
        ("riding_a_bike/three.webm", "riding a bike"),
    ]


def test_kinetics_csv_takes_any_order_of_columns_and_times_with_fractions(tmp_path: Path, videos: Path) -> None:
    text = "split,time_end,time_start,youtube_id,label\nval,15.0,5.0,x-1,archery\n"
    (example,) = read(tmp_path / "a.csv", text, videos=videos).examples
    assert example.key == "x-1_000005_000015"
    assert example.path == videos / "x-1_000005_000015.mp4"


def test_a_split_is_chosen_by_any_of_its_names(tmp_path: Path, videos: Path) -> None:
    header = "label,youtube_id,time_start,time_end,split\n"
    text = header + "archery,x-1,5,15,validate\narchery,y-1,5,15,train\n"
    for split in ("val", "validation", "validate"):
        (example,) = read(tmp_path / "a.csv", text, videos=videos, split=split).examples
        assert example.key == "x-1_000005_000015"
    assert len(read(tmp_path / "a.csv", text, videos=videos).examples) == 2


def test_missing_videos_are_kept(tmp_path: Path, videos: Path) -> None:
    found = read(tmp_path / "list.txt", "one 5\ngone 5\n", videos=videos)
    assert [example.key for example in found.missing] == ["gone"]
    assert len(found.examples) == 2


def test_addresses_are_told_from_videos_that_are_missing(tmp_path: Path, videos: Path) -> None:
    address = "https://host.example/one.mp4"
    found = read(tmp_path / "list.txt", f"one 5\n{address} 5\n", videos=videos)
    assert [(example.key, example.why_missing) for example in found.missing] == [
        (address, "an address, but only local videos are evaluated: download it")
    ]
    with pytest.raises(DatasetError, match="its videos are addresses, but only local ones are read"):
        read(tmp_path / "list.txt", f"{address} 5\n", videos=videos)


def test_a_subset_is_the_first_that_exist_in_order_of_annotation(tmp_path: Path, videos: Path) -> None:
    found = read(tmp_path / "list.txt", "gone 5\none 5\nlost 5\nwith space 5\narchery/two 5\n", videos=videos, subset=2)
    assert [example.key for example in found.examples] == ["gone", "one", "lost", "with space"]
    assert len(found.existing) == 2


KINETICS_JSON = {
    "labels": ["archery", "abseiling"],
    "database": {
        "one": {"subset": "validation", "annotations": {"label": "archery"}},
        "x-1_000005_000015": {"subset": "training", "annotations": {"label": "abseiling"}},
        "tested": {"subset": "testing", "annotations": {}},
    },
}
"""As `kinetics_json.py` of 3D-ResNets writes it: the test part has no labels."""


def test_only_the_chosen_part_of_json_needs_labels(tmp_path: Path, videos: Path) -> None:
    text = json.dumps(KINETICS_JSON)
    (example,) = read(tmp_path / "a.json", text, videos=videos).examples
    assert (example.key, example.label) == ("one", 5)
    (example,) = read(tmp_path / "a.json", text, videos=videos, split="training").examples
    assert (example.key, example.label) == ("x-1_000005_000015", 0)
    with pytest.raises(DatasetError, match=r"a\.json: tested has no label"):
        read(tmp_path / "a.json", text, videos=videos, split="testing")


@pytest.mark.parametrize(
    "before_rows",
    [
        "Label, YouTube_ID ,time_start,Time_End,split\n",
        '"label", "youtube_id", "time_start", "time_end", "split"\n',
        "\n# of 2017\nlabel,youtube_id,time_start,time_end,split\n",
    ],
)
def test_the_header_of_a_csv_may_be_written_in_many_ways(tmp_path: Path, videos: Path, before_rows: str) -> None:
    found = read(tmp_path / "a.csv", before_rows + "archery, x-1,5,15,val\n", videos=videos)
    assert found.format == "kinetics-csv"
    assert [(example.key, example.label) for example in found.existing] == [("x-1_000005_000015", 5)]
    with pytest.raises(DatasetError, match=f"line {before_rows.count(chr(10)) + 1} "):
        read(tmp_path / "a.csv", before_rows + "archery,x-1,five,15,val\n", videos=videos)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "one.mp4 5\n./one.mp4 5\n"),
        ("a.txt", "one.mp4 5\none 6\n"),
        ("a.txt", "archery/../one.mp4 5\none.mp4 5\n"),
        ("a.txt", "linked.mp4 5\none.mp4 5\n"),
        (
            "a.json",
            json.dumps(
                {
                    "database": {
                        k: {"subset": "val", "annotations": {"label": 5}} for k in ("archery/two", "archery/two.mkv")
                    }
                }
            ),
        ),
    ],
)
def test_a_video_that_is_named_twice_in_two_ways_counts_once(
    tmp_path: Path, videos: Path, name: str, text: str
) -> None:
    (videos / "linked.mp4").symlink_to(videos / "one.mp4")
    with pytest.raises(DatasetError, match="are the same video") as caught:
        read(tmp_path / name, text, videos=videos)
    assert str(tmp_path / name) in str(caught.value)


# --- folders of frames ----------------------------------------------------------------------------------------------


def write_frames(folder: Path, *names: str, declared: str | None = None) -> None:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_bytes(b"x")
    if declared is not None:
        (folder / "n_frames").write_text(declared)


@pytest.fixture
def extracted(tmp_path: Path) -> Path:
    """Of five folders of one class, two with frames."""
    root = tmp_path / "archery"
    write_frames(root / "a", declared="0")
    write_frames(root / "b", "image_00001.jpg")
    write_frames(root / "c", "image_00001.jpg", declared="-1\n")
    write_frames(root / "d")
    write_frames(root / "e", "image_00001.jpg", declared="1")
    return tmp_path


@pytest.mark.parametrize("form", ["folders", "list", "kinetics-json", "kinetics-csv"])
def test_folders_without_frames_are_missing_and_no_part_of_a_subset(extracted: Path, form: str) -> None:
    """As the accuracy checker, which passes over them before it counts."""
    if form == "folders":
        found = read_dataset(extracted, kinetics400(), subset=2)
    elif form == "list":
        found = read(extracted / "a.txt", "".join(f"archery/{n} 5\n" for n in "abcde"), subset=2)
    elif form == "kinetics-json":
        database = {name: {"subset": "validation", "annotations": {"label": "archery"}} for name in "abcde"}
        found = read(extracted / "a.json", json.dumps({"labels": ["archery"], "database": database}), subset=2)
    else:
        for name in "abcde":
            (extracted / "archery" / name).rename(extracted / "archery" / f"{name}_000001_000002")
        rows = "".join(f"archery,{name},1,2,val\n" for name in "abcde")
        found = read(extracted / "a.csv", f"label,youtube_id,time_start,time_end,split\n{rows}", subset=2)
    assert found.format == form
    assert [e.path.name[0] for e in found.existing if e.path] == ["b", "e"]
    assert [e.why_missing for e in found.missing] == ["no frames in it"] * 3


def test_a_video_stands_in_for_an_empty_folder_of_its_name(extracted: Path) -> None:
    (extracted / "archery" / "d.mp4").write_bytes(b"x")
    found = read(extracted / "a.txt", "archery/d 5\narchery/a 5\ngone 5\n")
    assert [example.path for example in found.existing] == [extracted / "archery" / "d.mp4"]
    assert [example.why_missing for example in found.missing] == ["no frames in it", "no such video"]


def test_an_animated_picture_is_an_example_and_a_still_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "archery"
    folder.mkdir()
    first, second = Image.new("RGB", (8, 8)), Image.new("RGB", (8, 8), "red")
    first.save(folder / "clip.webp", save_all=True, append_images=[second])
    first.save(folder / "poster.webp")
    (example,) = read_dataset(tmp_path, kinetics400()).examples
    assert example.path == folder / "clip.webp"
    found = read(tmp_path / "a.txt", "archery/clip 5\narchery/poster 5\n")
    assert [example.path for example in found.existing] == [folder / "clip.webp"]


def test_a_folder_of_frames_is_an_example_and_other_files_are_not(tmp_path: Path) -> None:
    folder = tmp_path / "archery" / "clip"
    folder.mkdir(parents=True)
    (folder / "image_00001.jpg").write_bytes(b"x")
    (tmp_path / "archery" / "notes.txt").write_text("x")
    (tmp_path / ".hidden").mkdir()
    (example,) = read_dataset(tmp_path, kinetics400()).examples
    assert example.path == folder


@pytest.mark.parametrize(
    ("name", "text", "needle"),
    [
        ("a.txt", "one somersaulting backwards\n", 'no class "somersaulting backwards"'),
        ("a.txt", "one 400\n", 'no class "400"'),
        ("a.txt", "one\n", "line 1 has 1 column, not"),
        ("a.txt", "one,5,5\n", "line 1 has 3 columns"),
        ("a.txt", "one 5\none 6\n", "one is listed twice"),
        ("a.txt", "\n# nothing\n", "no videos in it"),
        ("a.txt", "gone 5\n", "none of its videos exists; the first would be"),
        ("a.csv", "label,youtube_id,time_start,time_end,split\narchery,x,five,15,val\n", "line 2"),
        ("a.csv", "youtube_id,time_start,time_end,split\nx,5,15,test\n", "test list without labels"),
        ("a.csv", "label,youtube_id,time_start,time_end,split\n", "no videos"),
        ("a.csv", "label,youtube_id,time_start,time_end,split\narchery,x-1,inf,15,val\n", "line 2"),
        ("a.csv", f"# huge\nlabel,youtube_id,time_start,time_end,split\n{'x' * 200_000},x,5,15,val\n", "line 3"),
        ("a.csv", f"label,youtube_id,time_start,time_end,split\n{'9' * 5000},x,5,15,val\n", "line 2"),
        ("a.txt", f"one {'9' * 5000}\n", "(line 1)"),
        ("a.txt", f"\none,{'x' * 200_000}\n", "line 2 cannot be read"),
        ("a.txt", "my dir/x.mp4 archery\n", "part path and class with a tab"),
        ("a.json", "{", "not JSON"),
        ("a.json", "[" * 100_000, "not JSON"),
        ("a.json", f'{{"database": {{"x": {{"subset": {"9" * 5000}}}}}}}', "a number has more than 4,300 digits"),
        ("a.json", '{"database": {"one": {"subset": "validation", "annotations": {}}}}', "one has no label"),
        ("a.json", '{"database": {"one": {"subset": "validation", "annotations": null}}}', "one has no label"),
        ("a.json", '{"labels": []}', "database"),
        ("a.json", '{"database": {"x": {"subset": "validation"}}}', "annotations"),
        (
            "a.json",
            '{"labels": ["abseiling"], "database": {"one": {"subset": "val", "annotations": {"label": "archery"}}}}',
            "not among its labels",
        ),
    ],
)
def test_a_mistake_has_one_message_that_names_the_file(
    tmp_path: Path, videos: Path, name: str, text: str, needle: str
) -> None:
    with pytest.raises(DatasetError) as caught:
        read(tmp_path / name, text, videos=videos)
    assert str(tmp_path / name) in str(caught.value)
    assert needle in str(caught.value)
    assert len(str(caught.value)) < 500 + len(str(tmp_path))


def test_unknown_classes_are_named_but_not_all_of_many(tmp_path: Path, videos: Path) -> None:
    text = "".join(f"video{n}\tclass {n}\n" for n in range(9))
    with pytest.raises(DatasetError, match="and 4 more"):
        read(tmp_path / "a.txt", text, videos=videos)


def test_sources_that_are_no_datasets(tmp_path: Path, videos: Path) -> None:
    with pytest.raises(DatasetError, match="no such file or folder"):
        read_dataset(tmp_path / "gone.csv", kinetics400())
    with pytest.raises(DatasetError, match="no folders with videos"):
        read_dataset(videos / "archery", kinetics400())
    (tmp_path / "video.mp4").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match="not UTF-8"):
        read_dataset(tmp_path / "video.mp4", kinetics400())
    with pytest.raises(DatasetError, match="have no splits"):
        read_dataset(videos, kinetics400(), split="val")
    with pytest.raises(DatasetError, match="unknown file_format"):
        read_dataset(videos, kinetics400(), file_format="zip")  # type: ignore[arg-type]
    (tmp_path / "list.txt").write_text("one 5\n")
    with pytest.raises(DatasetError, match="not a folder"):
        read_dataset(tmp_path / "list.txt", kinetics400(), file_format="folders")


# --- MMAction2's lists of frame folders -----------------------------------------------------------------------------


@pytest.fixture
def rawframes(tmp_path: Path) -> Path:
    """Folders of three and five frames, one whose name ends in a number, and a video whose name does."""
    for name, count in (("some/dir-1", 3), ("some/dir-2", 5), ("clip 12", 5)):
        write_frames(tmp_path / name, *(f"img_{number:05d}.jpg" for number in range(1, count + 1)))
    (tmp_path / "my video 12.mp4").write_bytes(b"x")
    return tmp_path


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (("some/dir-1 3 5", "some/dir-2 5 0"), [("some/dir-1", 0, 3), ("some/dir-2", 0, 5)]),
        (("some/dir-1 1 2 5", "some/dir-2 0 5 0"), [("some/dir-1", 1, 3), ("some/dir-2", 0, 5)]),
        (("some/dir-2 0 2 5", "some/dir-2 2 3 5"), [("some/dir-2", 0, 2), ("some/dir-2", 2, 5)]),
        (("some/dir-1\t3\t5", "some/dir-2\t5\t5"), [("some/dir-1", 0, 3), ("some/dir-2", 0, 5)]),
        (("clip 12 5 5", "clip 12 3 5"), [("clip 12", 0, 5), ("clip 12", 0, 3)]),
        (("clip 12 1 4 5",), [("clip 12", 1, 5)]),
        (("some/dir-1 3 5", "gone 7 5"), [("some/dir-1", 0, 3), (None, None, None)]),
    ],
)
def test_a_list_of_frame_folders_is_read_with_and_without_offset(
    rawframes: Path, lines: tuple[str, ...], found: list[tuple[str | None, int | None, int | None]]
) -> None:
    examples = read(rawframes / "list.txt", "\n".join(lines)).examples
    assert [
        (str(e.path.relative_to(rawframes)), e.frames.start, e.frames.stop) if e.path and e.frames else (None,) * 3
        for e in examples
    ] == found
    assert len({example.key for example in examples}) == len(examples)


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (("my video 12 5",), "my video 12.mp4"),
        (("my video 12.mp4 5", "gone 3 5"), "my video 12.mp4"),
        (("my video 12 5", "some/dir-1 3 5"), "my video 12.mp4"),
        (("my video 12\t5",), "my video 12.mp4"),
        (("clip 12 5",), "clip 12"),
    ],
)
def test_a_list_of_paths_that_end_in_numbers_stays_one(rawframes: Path, lines: tuple[str, ...], name: str) -> None:
    example = read(rawframes / "list.txt", "\n".join(lines)).existing[0]
    assert example.path == rawframes / name
    assert example.frames is None


@pytest.mark.parametrize(
    ("text", "needle"),
    [
        ("some/dir-1 3 5 6 7\nsome/dir-2 5 5\n", "line 1 has several classes"),
        ("some/dir-1 3 1 5 6 7\n", "line 1 has several classes"),
        ("some/dir-1 9999999999 5\n", "line 1: no video has that many frames"),
        ("some/dir-1 3 5\nsome/dir-1 3 6\n", "is listed twice"),
        ("some/dir-1 3 5\n./some/dir-1 3 6\n", "are the same video"),
        ("some/dir-1 3 400\n", 'no class "400"'),
        ("gone/a 3 5\ngone/b 4 5\n", "the first would be"),
    ],
)
def test_a_mistake_in_a_list_of_frame_folders_has_a_message(rawframes: Path, text: str, needle: str) -> None:
    with pytest.raises(DatasetError, match=re.escape(needle)) as caught:
        read(rawframes / "list.txt", text)
    assert str(rawframes / "list.txt") in str(caught.value)


def test_a_folder_of_no_frames_or_a_video_in_its_place_is_missing(rawframes: Path) -> None:
    (rawframes / "film.mp4").write_bytes(b"x")
    found = read(rawframes / "list.txt", "some/dir-1 0 5\nfilm 9 5\nsome/dir-2 5 5\n")
    assert [example.why_missing for example in found.missing] == ["no frames in it", "a video, not a folder of frames"]


def test_a_folder_of_videos_that_does_not_exist_is_named(tmp_path: Path) -> None:
    annotation = tmp_path / "list.txt"
    annotation.write_text("one.mp4 5\n")
    with pytest.raises(DatasetError, match=r"absent: no such folder; give the folder of the videos with `videos`"):
        read_dataset(annotation, kinetics400(), videos=tmp_path / "absent")


def test_where_no_folder_is_there_the_message_names_the_folder(rawframes: Path) -> None:
    with pytest.raises(DatasetError, match=r"none of its videos exists.*gone/a; give their folder with `videos`"):
        read(rawframes / "list.txt", "gone/a 3 5\ngone/b 4 5\n")


def test_paths_may_be_text(tmp_path: Path, videos: Path) -> None:
    (tmp_path / "list.txt").write_text("one 5\n")
    found = read_dataset(str(tmp_path / "list.txt"), kinetics400(), videos=str(videos))
    assert found == read_dataset(tmp_path / "list.txt", kinetics400(), videos=videos)
    assert example_source(str(videos / "one.mp4")) == example_source(videos / "one.mp4")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"source": None}, "source must be text or a path, not None"),
        ({"source": ""}, "'': an empty name; give a source"),
        ({"source": "https://example.com/val.csv"}, "https://example.com/val.csv: an address; download the dataset"),
        ({"labels": "archery"}, "labels must be a list of text or None, not 'archery'"),
        ({"labels": [1, 2]}, "labels must be a list of text"),
        ({"videos": 3}, "videos must be text, a path or None, not 3"),
        ({"split": 3}, "split must be text or None, not 3"),
        ({"subset": "1"}, "subset must be a whole number or None, not '1'"),
        ({"subset": 0}, "subset must be 1 or more, not 0"),
        ({"subset": 1.5}, "subset must be a whole number or None, not 1.5"),
    ],
)
def test_an_argument_of_another_type_is_refused_by_name(tmp_path: Path, given: dict[str, object], message: str) -> None:
    with pytest.raises(DatasetError, match=re.escape(message)):
        read_dataset(**{"source": tmp_path, "labels": kinetics400(), **given})  # type: ignore[arg-type]


@pytest.mark.parametrize("header", ["path,label", "Video , Class", '"file","category"'])
def test_a_first_line_that_names_the_columns_of_a_list_is_none_of_its_videos(header: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.mp4").write_bytes(name.encode())
    (tmp_path / "list.csv").write_text(f"# mine\n{header}\none.mp4,run\ntwo.mp4,jump\n")
    found = read_dataset(tmp_path / "list.csv", None)
    assert (found.labels, [example.key for example in found.examples]) == (("jump", "run"), ["one.mp4", "two.mp4"])


def test_a_null_byte_in_a_list_is_a_video_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "one.mp4").write_bytes(b"one")
    (tmp_path / "list.txt").write_bytes(b"one.mp4\trun\n\0two/two.mp4\trun\n")
    assert [example.path for example in read_dataset(tmp_path / "list.txt", None).missing] == [None]


@pytest.mark.parametrize("name", ["clip.mp4", "run/monday/clip.mp4"])
def test_videos_in_no_folder_of_a_class_or_too_deep_are_named(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(DatasetError, match=f"no folders with videos in it, only {name}; give a folder for each class"):
        read_dataset(tmp_path, None)
