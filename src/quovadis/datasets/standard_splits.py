"""The official parts of UCF-101 and HMDB-51, read from the lists that come with them.

UCF-101 (https://www.crcv.ucf.edu/data/UCF101.php): `classInd.txt`, `trainlist01.txt` and `testlist01.txt`, to 03.
HMDB-51 (https://serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database): `<class>_test_split1.txt`, to 3,
with 1 (training), 2 (testing) or 0 (neither) for each video.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from quovadis.datasets.dataset import Annotation, Dataset, read_text
from quovadis.datasets.locate import VideoFinder
from quovadis.datasets.read import assemble
from quovadis.errors import DatasetError

_SPLITS = (1, 2, 3)
_TRAINING, _TESTING = "1", "2"
"""Of HMDB-51."""


class StandardSplit(NamedTuple):
    """The two parts of one split."""

    train: Dataset
    test: Dataset


def has_standard_lists(folder: Path) -> bool:
    """Tell whether a folder holds the lists of UCF-101 or HMDB-51."""
    return folder.is_dir() and ((folder / "classInd.txt").is_file() or bool(_hmdb_lists(folder, 1)))


def read_standard_split(lists: Path, *, videos: Path | None = None, split: int = 1) -> StandardSplit:
    """Read one of the three official splits.

    Args:
        lists: the folder with the lists.
        videos: the folder with the videos, in it or in a folder for each class; None: that of the lists.
        split: 1, 2 or 3.

    Raises:
        DatasetError: there is no such split, a list cannot be read, or none of the videos is there.
    """
    if split not in _SPLITS:
        raise DatasetError(f"{lists}: has splits 1, 2 and 3, not {split}", option="split")
    if (lists / "classInd.txt").is_file():
        name, (labels, train, test) = "ucf101", _read_ucf101(lists, split)
    elif found := _hmdb_lists(lists, split):
        name, (labels, train, test) = "hmdb51", _read_hmdb51(found, split)
    else:
        raise DatasetError(
            f"{lists}: no lists of UCF-101 (classInd.txt) or HMDB-51 (*_test_split{split}.txt) in this folder"
        )
    finder = VideoFinder((videos or lists).absolute())
    parts = []
    for part, chosen in (("training", train), ("test", test)):
        if not chosen:
            raise DatasetError(f"{lists}: split {split} names no {part} videos; get the lists again")
        parts.append(assemble(lists, name, chosen, labels, finder))
    return StandardSplit(*parts)


_Lists = tuple[Sequence[str], list[Annotation], list[Annotation]]
"""Names of the classes; training and test videos."""


def _read_ucf101(lists: Path, split: int) -> _Lists:
    names = {}
    path = lists / "classInd.txt"
    for number, line in _lines(path):
        index, _, name = line.partition(" ")
        of_class = _class_number(index)
        if of_class is None or not name.strip():
            raise DatasetError(f"{path}: line {number} is no number and name of a class; get the file again")
        names[of_class] = name.strip()
    files = [lists / f"{part}list0{split}.txt" for part in ("train", "test")]
    train, test = ([_ucf101_video(file, number, line, names) for number, line in _lines(file)] for file in files)
    return [names[index] for index in sorted(names)], train, test


def _class_number(text: str) -> int | None:
    """Return a number of a class, which has few digits; None: it is none."""
    return int(text) if text.isdecimal() and len(text) < 10 else None


def _ucf101_video(path: Path, number: int, line: str, names: dict[int, str]) -> Annotation:
    # Training lists count classes from 1; test lists name the class by its folder alone.
    video, _, index = line.partition(" ")
    folder = PurePosixPath(video).parent.name
    label = names.get(_class_number(index.strip()) or 0, "") if index.strip().isdecimal() else folder
    if label not in names.values():
        raise DatasetError(f"{path}: line {number} has a class that is not in classInd.txt; get the lists again")
    return _annotation(video, label, number)


def _read_hmdb51(lists: Sequence[Path], split: int) -> _Lists:
    train, test, labels = [], [], []
    for path in lists:
        label = path.name.removesuffix(f"_test_split{split}.txt")
        labels.append(label)
        for number, line in _lines(path):
            video, _, part = line.rpartition(" ")
            if part == _TRAINING:
                train.append(_annotation(f"{label}/{video.strip()}", label, number))
            elif part == _TESTING:
                test.append(_annotation(f"{label}/{video.strip()}", label, number))
            elif part != "0" or not video:
                raise DatasetError(f"{path}: line {number} is no video and 0, 1 or 2; get the list again")
    return labels, train, test


def _annotation(video: str, label: str, number: int) -> Annotation:
    path = PurePosixPath(video)
    # Without suffix: a video of another format, or a folder of its frames.
    paths = (video, path.name, str(path.with_suffix("")), path.stem)
    return Annotation(video, label, paths, number)


def _hmdb_lists(folder: Path, split: int) -> list[Path]:
    return sorted(folder.glob(f"*_test_split{split}.txt"))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    lines = read_text(path).splitlines()
    return ((number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip())
