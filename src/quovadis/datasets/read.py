"""Reads a dataset of any form, which is detected from its content."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from quovadis.datasets.dataset import (
    Annotation,
    Classes,
    Dataset,
    Example,
    check_keys,
    check_labels,
    check_paths,
    own_labels,
    read_text,
)
from quovadis.datasets.kinetics import is_kinetics_csv, read_kinetics_csv, read_kinetics_json
from quovadis.datasets.locate import AN_ADDRESS, NO_FRAMES, VideoFinder
from quovadis.datasets.plain import read_folders, read_list
from quovadis.errors import DatasetError
from quovadis.fields import check_path, check_value
from quovadis.video.source import is_address

DatasetFormat: TypeAlias = Literal["auto", "kinetics-csv", "kinetics-json", "folders", "list"]

_FIX = "fix the dataset"
_ADVICE = {"list": "part path and class with a tab where a path holds spaces or commas"}


def read_dataset(
    source: str | os.PathLike[str],
    labels: Sequence[str] | None,
    *,
    videos: str | os.PathLike[str] | None = None,
    file_format: DatasetFormat = "auto",
    split: str | None = None,
    subset: int | None = None,
) -> Dataset:
    """Read a dataset and look for its videos.

    Args:
        source: an annotation file, or a folder with one folder for each class.
        labels: the network's class names, in output order; None: the dataset's own, as for a network to be trained.
        videos: the folder with the videos; None: that of the annotation.
        file_format: how to read it; `auto`: a folder is `folders`, `.json` is `kinetics-json`, a file whose first line,
            but for empty ones and comments, names the columns of Kinetics is `kinetics-csv`, any other is a `list`, of
            paths and classes or of MMAction2's frame folders.
        split: which part to take where the form has parts; None: validation for JSON, else all.
        subset: how many of the videos that exist to take, from the beginning; None: all.

    Raises:
        DatasetError: it cannot be read, has classes that the network does not have, names a video twice, or is empty;
            or an argument is of another type.
    """
    if isinstance(source, str) and is_address(source):
        raise DatasetError(f"{source}: an address; download the dataset, and give its path")
    source = check_path("source", source, DatasetError)
    check_value("videos", videos, str | os.PathLike | None, DatasetError)
    videos = None if videos is None else check_path("videos", videos, DatasetError)
    check_value("labels", labels, Sequence[str] | None, DatasetError)
    check_value("split", split, str | None, DatasetError)
    subset = check_value("subset", subset, int | None, DatasetError, at_least=1)
    check_value("file_format", file_format, DatasetFormat, DatasetError)
    check_exists(source, videos)
    finder = VideoFinder(_videos_folder(source, videos))
    if source.is_dir() and file_format in ("auto", "folders"):
        file_format, annotations = "folders", read_folders(source)
    else:
        file_format, annotations = _read_file(source, file_format, split, finder)
    if split is not None and file_format in ("folders", "list"):
        raise DatasetError(f"{source}: {file_format} have no splits; leave `split` out")
    dataset = assemble(source, file_format, annotations, labels, finder)
    return dataset if subset is None else dataset.first(subset)


def check_exists(source: Path, videos: Path | None) -> None:
    """Refuse a dataset, or a folder of its videos, that is not there: known before any weights are loaded.

    Raises:
        DatasetError: naming it.
    """
    if not source.exists():
        raise DatasetError(f"{source}: no such file or folder")
    if videos is not None and not videos.exists():
        raise DatasetError(f"{videos}: no such folder; give the folder of the videos with `videos`")


def assemble(
    source: Path,
    file_format: str,
    annotations: Sequence[Annotation],
    labels: Sequence[str] | None,
    finder: VideoFinder,
) -> Dataset:
    """Return a dataset of annotations, and look for its videos.

    Args:
        source: of the annotations, for messages.
        file_format: the form that they came in.
        annotations: at least one.
        labels: class names, in the order of their indices; None: those of the annotations.
        finder: of the videos.

    Raises:
        DatasetError: a class that is not among the labels, a video that is named twice, or none that is there.
    """
    labels = own_labels(annotations, source) if labels is None else labels
    check_labels(annotations, classes := Classes(labels), source, _ADVICE.get(file_format, _FIX))
    check_keys(annotations, source)
    examples = []
    for annotation in annotations:
        index = classes.index(annotation.label)
        if index is not None:
            examples.append(_example(annotation, index, finder))
    check_paths(examples, source)
    dataset = Dataset(source, file_format, tuple(examples), tuple(labels))
    if not dataset.existing and all(example.why_missing == AN_ADDRESS for example in examples):
        raise DatasetError(f"{source}: its videos are addresses, but only local ones are read: download them")
    if not dataset.existing:
        if not finder.root.exists():
            raise DatasetError(f"{finder.root}: no such folder; give the folder of the videos with `videos`")
        raise DatasetError(
            f"{source}: none of its videos exists; the first would be "
            f"{finder.root / annotations[0].paths[0]}; give their folder with `videos`"
        )
    return dataset


def _example(annotation: Annotation, label: int, finder: VideoFinder) -> Example:
    found = finder.find(annotation.paths)
    if annotation.frames is not None and found.path is not None:
        if not annotation.frames:
            return Example(annotation.key, label, None, NO_FRAMES)
        if not found.path.is_dir():
            return Example(annotation.key, label, None, "a video, not a folder of frames")
    return Example(annotation.key, label, *found, annotation.frames)


def _read_file(
    source: Path, file_format: DatasetFormat, split: str | None, finder: VideoFinder
) -> tuple[DatasetFormat, list[Annotation]]:
    text = read_text(source, "give an annotation file, or a folder for each class")
    if file_format == "auto":
        is_json = source.suffix.lower() == ".json"
        file_format = "kinetics-json" if is_json else "kinetics-csv" if is_kinetics_csv(text) else "list"
    if file_format == "kinetics-json":
        return file_format, read_kinetics_json(source, text, split)
    if file_format == "kinetics-csv":
        return file_format, read_kinetics_csv(source, text, split)
    if file_format == "folders":
        raise DatasetError(f"{source}: not a folder; give the folder that holds one for each class")
    return file_format, read_list(source, text, finder)


def _videos_folder(source: Path, videos: Path | None) -> Path:
    chosen = videos if videos is not None else source if source.is_dir() else source.parent
    return chosen.absolute()
