"""Which TensorFlow checkpoint a path names: people give any of its files, or the folder that they lie in."""

from __future__ import annotations

import re
from pathlib import Path

from quovadis.errors import WeightsError
from quovadis.weights.detect import DATA_SUFFIX, INDEX_SUFFIX, META_SUFFIX, STATE_FIELD
from quovadis.weights.file_sample import quoted


def index_path(path: Path) -> Path:
    """Return the index of the checkpoint that `path` names, in any of the ways of `find_prefix`.

    Raises:
        WeightsError: there is none, or a folder holds several.
    """
    return index_of(find_prefix(path))


def index_of(prefix: Path) -> Path:
    """Return the index of a checkpoint by its prefix."""
    return prefix.with_name(prefix.name + INDEX_SUFFIX)


def find_prefix(path: Path) -> Path:
    """Return the prefix of the checkpoint that `path` names.

    Args:
        path: the prefix itself, or the `.index`, `.data-…` or `.meta` file; the text file `checkpoint`, which names the
            newest one beside it; or a folder.

    Raises:
        WeightsError: there is none, or a folder holds several.
    """
    if path.is_dir():
        return _prefix_in_folder(path)
    name = path.name
    for suffix in (INDEX_SUFFIX, META_SUFFIX):
        name = name.removesuffix(suffix)
    if match := DATA_SUFFIX.search(name):
        name = name[: match.start()]
    prefix = path.with_name(name)
    if prefix.with_name(name + INDEX_SUFFIX).is_file():
        return prefix
    if newest := _newest(path):
        if path.with_name(newest + INDEX_SUFFIX).is_file():
            return path.with_name(newest)
        if path.with_name(newest).is_file():
            raise WeightsError(f"{path}: not weights but a note that {newest} beside it is the newest: give that file")
        raise WeightsError(
            f"{path}: not weights but a note that {newest} is the newest checkpoint; its files {newest}"
            f"{INDEX_SUFFIX} and {newest}.data-… are not beside it: fetch them too"
        )
    if path.name.endswith(META_SUFFIX):
        raise WeightsError(
            f"{path}: not weights but the graph of a TensorFlow checkpoint; the weights are in {name}{INDEX_SUFFIX} "
            f"and {name}.data-…, which are not beside it: fetch them too"
        )
    if path.is_file() and path.suffix.lower() in _MEDIA_SUFFIXES:
        raise WeightsError(
            f"{path}: by its name a video or an image, and not weights; give it to quovadis classify as the source, "
            "and a file of weights here"
        )
    if path.is_file() and path.name == name:
        raise WeightsError(
            f"{path}: not a file of weights in a format that can be read; docs/weights.md lists the formats"
        )
    if path.is_file():
        raise WeightsError(
            f"{path}: only the values of a TensorFlow checkpoint, whose index {name}{INDEX_SUFFIX} is not beside it: "
            "fetch it too"
        )
    raise WeightsError(f"{path}: not a TensorFlow checkpoint: there is no file {name}{INDEX_SUFFIX}")


_MEDIA_SUFFIXES = frozenset(
    {
        *(".3gp", ".avi", ".flv", ".gif", ".h264", ".h265", ".hevc", ".jpeg", ".jpg", ".m4v", ".mjpeg", ".mkv", ".mov"),
        *(".mp4", ".mpeg", ".mpg", ".ogv", ".png", ".ts", ".webm", ".webp", ".wmv"),
    }
)
"""Of files whose content says nothing, such as damaged ones."""


def _prefix_in_folder(folder: Path) -> Path:
    newest = _newest(folder / "checkpoint")
    if newest and (folder / (newest + INDEX_SUFFIX)).is_file():
        return folder / newest
    indexes = sorted(folder.glob("*" + INDEX_SUFFIX))
    if newest and not indexes:
        return find_prefix(folder / "checkpoint")
    if len(indexes) != 1:
        count = "no" if not indexes else "several"
        kind = "weights" if not indexes else "TensorFlow checkpoints"
        raise WeightsError(f"{folder}: {count} {kind} directly in this folder; {_advice_for_folder(folder)}")
    return indexes[0].with_suffix("")


def _newest(state: Path) -> str | None:
    """Return the checkpoint that a state file of TensorFlow names; only a name within the folder is followed."""
    found = re.search(rf'^{STATE_FIELD}\s*"([^"]+)"', _beginning(state), re.MULTILINE) if state.is_file() else None
    # A file that was written on Windows has its separators.
    name = found[1].replace("\\", "/").rpartition("/")[2] if found else ""
    return name if name.isprintable() and name not in (".", "..") and name else None


_FILES_IN_FOLDERS: tuple[tuple[str, str], ...] = (
    ("variables/variables" + INDEX_SUFFIX, "it is a TensorFlow SavedModel: give its {}"),
    ("data.pkl", "it is an unpacked PyTorch file: give the packed file that it was made from"),
    ("*" + INDEX_SUFFIX, "name the file: {}"),
    ("*.safetensors", "give the file in it: {}"),
    ("*.pt", "give the file in it: {}"),
    ("*.pth", "give the file in it: {}"),
    ("*.bin.index.json", "it holds a model that is split into several files, which are not read"),
    ("*.onnx", "give the file in it: {}"),
    ("*.xml", "give the file in it: {}"),
    ("*.pb", "give the file in it: {}"),
    ("*.ckpt", "give the file in it: {}"),
    ("*.bin", "give the file in it: {}"),
    ("*/*" + INDEX_SUFFIX, "name the file: {}"),
    *((f"*.{suffix}", "give {} to quovadis classify as the source") for suffix in ("mp4", "avi", "mkv", "mov", "jpg")),
)
"""What folders hold that are given as weights, and what to say about it; the first that is there is reported."""


def _advice_for_folder(folder: Path) -> str:
    for pattern, advice in _FILES_IN_FOLDERS:
        names = sorted(str(path.relative_to(folder)) for path in folder.glob(pattern))
        if names:
            named = [quoted(name) for name in names[:3]]
            return advice.format(" or ".join(named) + (", …" if len(names) > 3 else ""))
    return "give the folder or the file that holds the weights"


def _beginning(path: Path) -> str:
    """Return as much of a text file as any state file holds that TensorFlow wrote; nothing if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(1 << 16).decode("utf-8", "replace")
    except OSError:
        return ""
