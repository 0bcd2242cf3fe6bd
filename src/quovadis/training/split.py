"""Which videos are trained on, and which are kept to validate with."""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from quovadis.datasets import Dataset, DatasetFormat, Example, read_dataset
from quovadis.datasets.charades import is_charades_csv, read_charades
from quovadis.datasets.kinetics import is_kinetics_csv, read_kinetics_csv, read_kinetics_json
from quovadis.datasets.plain import unread_folders
from quovadis.datasets.standard_splits import has_standard_lists, read_standard_split
from quovadis.errors import DatasetError
from quovadis.escape import counted, escaped
from quovadis.fields import FUNCTION, check_path, check_value, check_values
from quovadis.video.fingerprints import path_fingerprint, sample_fingerprint

VALIDATION_SHARE = 0.2
"""Of the videos of each class, where nothing else says which are kept to validate with."""
_TRAINING_NAMES = ("train", "training")
_MAX_NAMED = 5
"""Names in one message."""


@dataclass(frozen=True)
class DatasetSplit:
    """The two parts of a dataset, with the same classes; all their videos exist."""

    train: Dataset
    validation: Dataset
    warnings: tuple[str, ...] = ()
    """What may make the figures wrong, a sentence each."""


def read_splits(
    source: str | os.PathLike[str],
    *,
    labels: Sequence[str] | None = None,
    videos: Path | None = None,
    file_format: DatasetFormat = "auto",
    validation: Path | None = None,
    validation_share: float | None = None,
    split: int | None = None,
    seed: int = 0,
) -> DatasetSplit:
    """Read a dataset of any form, and divide it as its own lists do, or by share where it has none.

    Args:
        source: an annotation file; a folder with one folder for each class; or a folder with the official lists of
            UCF-101 or HMDB-51. A file of Kinetics with a part for validation is divided into its parts.
        labels: class names, in the order of their indices; None: the dataset's own.
        videos: the folder with the videos; None: that of the annotation.
        file_format: how to read it, as `read_dataset` has it.
        validation: another annotation or folder, whose videos are those to validate with; None: of `source`.
        validation_share: of the videos of each class, where they are divided by share; None: a fifth.
        split: which of the official splits of UCF-101 and HMDB-51; None: the first.
        seed: of the division by share, 0 or more.

    Raises:
        DatasetError: it cannot be read, or cannot be divided; or an argument has no effect, or is of another type.
    """
    source = check_path("source", source, DatasetError)
    check_values(Sequence[str] | None, DatasetError, labels=labels)
    check_values(str | os.PathLike | None, DatasetError, videos=videos, validation=validation)
    check_value("split", split, int | None, DatasetError)
    seed = check_value("seed", seed, int, DatasetError, at_least=0)
    videos, validation = (None if path is None else Path(path) for path in (videos, validation))
    share = VALIDATION_SHARE if validation_share is None else validation_share
    form = None if file_format == "auto" else file_format
    if validation is None and has_standard_lists(source):
        why = "the official lists divide the dataset and name its classes"
        _refuse_unread(source, why, labels=labels, file_format=form, validation_share=validation_share)
        return check_split(*read_standard_split(source, videos=videos, split=1 if split is None else split))
    if validation is not None:
        _refuse_unread(
            source, "`validation` says what to validate with", split=split, validation_share=validation_share
        )
    _refuse_unread(source, "no official lists of UCF-101 or HMDB-51 are there", split=split)
    if is_charades_csv(source):
        _refuse_unread(source, "it is a file of Charades", labels=labels, file_format=form)
        train = read_charades(source, videos=videos)
        if validation is not None:
            return check_split(train, read_charades(validation, videos=videos))
        return split_videos(train, validation_share=share, seed=seed)
    parts = _own_parts(source, file_format) if validation is None else None
    if parts is not None:
        _refuse_unread(source, "it has a part for validation", validation_share=validation_share)
        train = read_dataset(source, labels, videos=videos, file_format=file_format, split=parts[0])
        own = read_dataset(source, train.labels, videos=videos, file_format=file_format, split=parts[1])
        return check_split(train, own)
    train = read_dataset(source, labels, videos=videos, file_format=file_format)
    if validation is not None:
        is_list = not validation.is_dir()
        folder = videos if is_list else None
        own_format: DatasetFormat = file_format if is_list == (not source.is_dir()) else "auto"
        return check_split(train, read_dataset(validation, train.labels, videos=folder, file_format=own_format))
    return split_videos(train, validation_share=share, seed=seed)


def _refuse_unread(source: Path, why: str, **given: Any) -> None:
    for name, value in given.items():
        if value is not None:
            raise DatasetError(f"{source}: `{name}` has no effect here: {why}; leave it out", option=name)


def _own_parts(source: Path, file_format: DatasetFormat) -> tuple[str, str] | None:
    """Return what a file of Kinetics calls its parts for training and validation; None: it has not both."""
    if source.is_dir() or file_format not in ("auto", "kinetics-csv", "kinetics-json"):
        return None
    try:
        text = source.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None
    is_json = source.suffix.lower() == ".json" if file_format == "auto" else file_format == "kinetics-json"
    if not is_json and not is_kinetics_csv(text):
        return None
    read = read_kinetics_json if is_json else read_kinetics_csv
    for name in _TRAINING_NAMES:
        # A part that is not there, or a file that cannot be read: reading it whole says so.
        with suppress(DatasetError):
            for part in (name, "validation"):
                read(source, text, part)
            return name, "validation"
    return None


def split_videos(
    dataset: Dataset,
    *,
    validation_share: float = VALIDATION_SHARE,
    seed: int = 0,
    group: Callable[[Example], str] = lambda example: example.key,
    check_content: bool = True,
) -> DatasetSplit:
    """Divide the videos of each class by share: at least one of them on either side.

    What side a video is on follows from the seed, the names of its class's videos and the share, whatever their order:
    the videos with the lowest digests of seed and name validate. Of videos with several classes, all are divided as
    those of one class.

    Args:
        dataset: those of its videos that exist are divided.
        validation_share: of the videos of each class, above 0 and below 1.
        seed: another one divides in another way.
        group: returns what videos have in common that are to stay together, such as the recording that they were cut
            out of.
        check_content: whether videos of the same content on both sides are looked for.

    Raises:
        DatasetError: a share out of range, or a class with one video, or with one group of videos.
    """
    check_values(Dataset, DatasetError, dataset=dataset)
    check_values(FUNCTION, DatasetError, group=group)
    check_values(bool, DatasetError, check_content=check_content)
    validation_share = check_value("validation_share", validation_share, float, DatasetError)
    seed = check_value("seed", seed, int, DatasetError, at_least=0)
    if not 0 < validation_share < 1:
        raise DatasetError(
            f"a share of {validation_share} leaves nothing to train on or to validate with: give one above 0, below 1",
            option="validation_share",
        )
    of_class: dict[int, dict[str, list[Example]]] = defaultdict(lambda: defaultdict(list))
    for example in dataset.existing:
        of_class[example.label][group(example)].append(example)
    validation: set[str] = set()
    for label, groups in of_class.items():
        if len(groups) < 2:
            videos = [example.key for examples in groups.values() for example in examples]
            raise DatasetError(_too_few(dataset, label, videos))
        wanted = validation_share * sum(map(len, groups.values()))
        ordered = sorted(groups, key=lambda name: hashlib.sha256(f"{seed}\0{escaped(name)}".encode()).digest())
        taken = 0
        for number, name in enumerate(ordered[:-1]):
            if number and taken + len(groups[name]) / 2 > wanted:
                break
            validation.update(example.key for example in groups[name])
            taken += len(groups[name])
    parts = [
        replace(dataset, examples=tuple(e for e in dataset.existing if (e.key in validation) is is_validation))
        for is_validation in (False, True)
    ]
    made = _checked(parts[0], parts[1], check_content=check_content)
    return replace(made, warnings=(*_unread(dataset), *made.warnings))


def _too_few(dataset: Dataset, label: int, videos: Sequence[str]) -> str:
    if label < 0:
        return f"{dataset.source}: has one video, {videos[0]}, which cannot be on both sides: add videos"
    few = f"one video, {videos[0]}," if len(videos) == 1 else f"one group of {len(videos)} videos, {videos[0]} …,"
    return (
        f'{dataset.source}: the class "{dataset.labels[label]}" has {few} which cannot be on both sides: add videos of '
        "it, or remove it"
    )


def check_split(train: Dataset, validation: Dataset, *, check_content: bool = True) -> DatasetSplit:
    """Return two parts of a dataset with what may make the figures wrong.

    That is videos on both sides, videos that are missing, and classes on one side alone.

    Args:
        train: what is trained on.
        validation: what is kept to validate with, of the same classes.
        check_content: whether videos of the same content on both sides are looked for: those of the same size are read.

    Raises:
        DatasetError: a part without videos.
    """
    made = _checked(train, validation, check_content=check_content)
    return replace(made, warnings=(*_unread(train), *_unread(validation), *made.warnings))


def _checked(train: Dataset, validation: Dataset, *, check_content: bool) -> DatasetSplit:
    for dataset, what in ((train, "to train on"), (validation, "to validate with")):
        if not dataset.existing:
            raise DatasetError(f"{dataset.source}: none of its {len(dataset.examples)} videos {what} is there")
    train, validation = (replace(part, examples=part.existing) for part in (train, validation))
    warnings = [*_missing_classes(train, validation)]
    if check_content:
        pairs = list(duplicates(train.examples, validation.examples))
        if pairs:
            named = "; ".join(f"{a} is the same as {b}" for a, b in pairs[:_MAX_NAMED])
            more = f"; and {len(pairs) - _MAX_NAMED} more" if len(pairs) > _MAX_NAMED else ""
            warnings.append(
                f"{train.source}: the training and the validation part have videos in common, so accuracy is "
                f"overestimated: {named}{more}"
            )
    return DatasetSplit(train, validation, tuple(warnings))


def lost_classes(split: DatasetSplit, unreadable: Collection[str]) -> list[str]:
    """Return a sentence for each part in which no video of some class could be read.

    Args:
        split: of the dataset.
        unreadable: what the dataset calls the videos that could not be read.
    """
    train, validation = (
        replace(part, examples=tuple(one for one in part.examples if one.key not in unreadable))
        for part in (split.train, split.validation)
    )
    return [warning for warning in _missing_classes(train, validation) if warning not in split.warnings]


def dataset_fingerprint(split: DatasetSplit) -> str:
    """Return a digest of which videos are on which side, in which order, of which classes, and of which size.

    The order counts because clips are drawn by their number.
    """
    digest = hashlib.sha256()
    for part in (split.train, split.validation):
        digest.update(json.dumps([*part.labels, "\n"]).encode())
        for example in part.examples:
            size = example.path.stat().st_size if example.path is not None and example.path.is_file() else 0
            actions = [asdict(action) for action in example.actions or ()]
            digest.update(json.dumps([example.key, example.label, size, actions]).encode())
    return digest.hexdigest()


def _unread(dataset: Dataset) -> Iterable[str]:
    """Yield what of a dataset is left out: videos that it names, and folders in its folder."""
    if missing := dataset.missing:
        total = counted(len(dataset.examples), "video")
        yield (
            f"{dataset.source}: {len(missing)} of {total} cannot be found; the first: {missing[0].key}: "
            f"{missing[0].why_missing}"
        )
    if dataset.format == "folders":
        folders = unread_folders(dataset.source, {example.key for example in dataset.examples})
        if folders:
            named = ", ".join(folders[:_MAX_NAMED])
            more = f" and {len(folders) - _MAX_NAMED} more" if len(folders) > _MAX_NAMED else ""
            yield (
                f"{dataset.source}: folders that are not read: {named}{more}; the videos of a class must lie directly "
                "in its folder"
            )


def _missing_classes(train: Dataset, validation: Dataset) -> Iterable[str]:
    for part, other, consequence in (
        (train, validation, "is never trained on, and cannot be recognised"),
        (validation, train, "is not validated with"),
    ):
        found = _classes(part)
        # A class may have no video at all, such as one of which all are missing.
        wanted = set(range(len(train.labels))) if part is train else _classes(other)
        missing = [train.labels[label] for label in sorted(wanted - found)]
        if missing:
            more = f", nor are {len(missing) - 1} more" if len(missing) > 1 else ""
            yield f'{part.source}: the class "{missing[0]}" {consequence}{more}'


def _classes(dataset: Dataset) -> set[int]:
    if dataset.is_multi_label:
        return {action.label for example in dataset.examples for action in example.actions or ()}
    return {example.label for example in dataset.examples}


def duplicates(train: Iterable[Example], validation: Iterable[Example]) -> Iterable[tuple[str, str]]:
    """Yield the keys of videos of the same content, the first to train on, the second to validate with.

    Files are compared by their sizes, then by samples of them, and only those that agree in both are read as a whole.
    What cannot be read is the same as nothing.
    """
    pairs = _same(train, validation, _size)
    for compare in (sample_fingerprint, path_fingerprint):
        tell = partial(_content, fingerprint=compare)
        pairs = [pair for firsts, seconds in pairs for pair in _same(firsts, seconds, tell)]
    for firsts, seconds in pairs:
        for example in seconds:
            yield firsts[0].key, example.key


def _same(
    train: Iterable[Example], validation: Iterable[Example], tell: Callable[[Example], str | None]
) -> list[tuple[list[Example], list[Example]]]:
    """Return the videos of both sides of which the same is told, together; None is told of what is the same as none."""
    sides: dict[str, tuple[list[Example], list[Example]]] = defaultdict(lambda: ([], []))
    for number, examples in enumerate((train, validation)):
        for example in examples:
            told = tell(example)
            if told is not None:
                sides[told][number].append(example)
    return [(firsts, seconds) for firsts, seconds in sides.values() if firsts and seconds]


def _size(example: Example) -> str | None:
    path = example.path
    try:
        if path is None:
            return None
        files = [path] if not path.is_dir() else [file for file in path.iterdir() if not file.name.startswith(".")]
        return str(sum(file.stat().st_size for file in files)) if files else None
    except OSError:
        return None


def _content(example: Example, fingerprint: Callable[[Path], str]) -> str | None:
    try:
        return None if example.path is None else f"{fingerprint(example.path)} {example.frames}"
    except OSError:
        return None
