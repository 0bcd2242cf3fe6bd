"""Which pictures of a folder make its video: one series of frames, told apart from others by name."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from quovadis.errors import VideoError
from quovadis.video.images import images_in, natural_key
from quovadis.video.signatures import animation_kind

_RGB_WORDS = frozenset(
    {"img", "image", "images", "im", "frame", "frames", "rgb", "color", "colour", "pic", "picture", "photo"}
)
_OTHER_WORDS = frozenset(
    {"flow", "flowx", "flowy", "tvl", "depth", "mask", "masks", "seg", "segmentation", "semantic", "instance", "label"}
    | {"ir", "thermal", "gt", "disparity", "disp", "normals", "alpha", "heatmap", "pose"}
    | {"thumb", "thumbs", "thumbnail", "preview", "cover", "poster"}
)
_FLOW_LETTERS = frozenset("xyuv")
"""Of optical flow's two directions, where a name is nothing else: `x_00001.jpg`."""
_JPEG = (".jpg", ".jpeg")
_MAX_NAMED = 4
_MIN_FRAMES_PER_SINGLE = 4
"""Images of a series per single image, from which on single images are taken for covers and left out."""


class FrameSeries(NamedTuple):
    """The frames of a folder's video."""

    paths: list[Path]
    """In natural order of their names."""
    notes: tuple[str, ...] = ()
    """What was left out, in plain sentences."""


def frame_series(folder: Path) -> FrameSeries:
    """Return the frames of the video that the pictures in `folder` make; none if there are no pictures.

    Images whose names differ only in their numbers are a series. Of several series the one that is named as RGB is
    taken (`img_`, `image_`, `frame_`, plain numbers ...), else the only one that is not named as something else
    (`flow_x_`, `depth_`, `mask_` ...); single pictures beside a longer series are left out. Where hardly any picture
    has a number, all of them are the video. Animations do not count: each is a video of its own.

    Raises:
        VideoError: there are several series, and their names do not say which one is the video.
        OSError: the folder cannot be read.
    """
    images = images_in(folder)
    animated = set(animations_among(images))
    return choose_series(folder, [path for path in images if path not in animated])


def animations_among(images: Iterable[Path]) -> list[Path]:
    """Return which images are animations.

    Of a series the first image is checked, and the others only if that one is an animation: a folder may hold
    hundreds of thousands of frames, and opening each takes long on a network drive.
    """
    found: list[Path] = []
    for series in _by_pattern(images).values():
        if animation_kind(series[0]) is not None:
            found.extend(path for path in series if animation_kind(path) is not None)
    return found


def choose_series(folder: Path, images: Sequence[Path]) -> FrameSeries:
    """Return the frames among `images`, which all lie in `folder`, as `frame_series` does.

    Raises:
        VideoError: there are several series, and their names do not say which one is the video.
    """
    groups = _split(_by_pattern(images))
    if sum(map(_is_rgb, groups)) == 1 and all(_is_rgb(name) or _is_other(name) for name in groups):
        # However few: the names tell all.
        series = groups
    else:
        series = {name: paths for name, paths in groups.items() if len(paths) > 1}
    in_series = sum(map(len, series.values()))
    singles = len(images) - in_series
    if in_series < _MIN_FRAMES_PER_SINGLE * singles or not series:
        # Loose images, or names that say nothing.
        return FrameSeries(sorted(images, key=natural_key))
    name = _rgb_name(folder, series)
    left = [f"{len(paths)} {other}" for other, paths in series.items() if other != name]
    if singles:
        left.append(f"{singles} other {'picture' if singles == 1 else 'pictures'}")
    notes = [f"frames are {name}; left out: {_listed(left)}"] if left else []
    if not left and _words(name) & {"flow", "flowx", "flowy"}:
        notes.append(f"frames are {name}, named as optical flow; RGB frames are expected")
    return FrameSeries(sorted(series[name], key=natural_key), tuple(notes))


def _by_pattern(images: Iterable[Path]) -> dict[str, list[Path]]:
    """Group by the name without its suffix, each number in it replaced; in the order of the first of each group."""
    groups: dict[str, list[Path]] = defaultdict(list)
    for path in images:
        groups[re.sub(r"\d+", "0", path.stem).casefold()].append(path)
    return groups


def _split(groups: dict[str, list[Path]]) -> dict[str, list[Path]]:
    """Take groups apart that hold several series; return all by a name with `*` for the frame's number."""
    series: dict[str, list[Path]] = {}
    for paths in groups.values():
        for part in _by_suffix(paths):
            for piece in _by_source(part):
                series.setdefault(_name(piece), []).extend(piece)
    return series


def _by_suffix(paths: list[Path]) -> list[list[Path]]:
    """Take apart frames that are there in two formats, such as pictures as JPEG and masks as PNG."""
    if max(Counter(path.stem.casefold() for path in paths).values()) == 1:
        return [paths]
    formats: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        formats[path.suffix.lower()].append(path)
    return list(formats.values())


def _by_source(paths: list[Path]) -> list[list[Path]]:
    """Take apart `cam1_0001` and `cam2_0001`: a word with a number, and frames that begin at the same number in each.

    Dates and times, whose parts have no words, stay together, and so do shots whose frames are numbered throughout.
    """
    sources: dict[str, list[tuple[int, Path]]] = defaultdict(list)
    for path in paths:
        match = re.fullmatch(r"(.*?)(\d+)(\D*)", path.stem)
        if match is None:
            return [paths]
        sources[match[1].casefold()].append((int(match[2]), path))
    firsts = {min(numbers)[0] for numbers in sources.values()}
    are_named = all(re.search(r"[^\W\d_]", source) and not re.search(r"\d{4}", source) for source in sources)
    if len(sources) < 2 or len(firsts) > 1 or not are_named or min(map(len, sources.values())) < 2:
        return [paths]
    return [[path for _, path in numbers] for numbers in sources.values()]


def _name(paths: list[Path]) -> str:
    first = paths[0]
    stems = {re.sub(r"\d+(?=\D*$)", "*", path.stem) for path in paths}
    suffixes = {path.suffix for path in paths}
    stem = stems.pop() if len(stems) == 1 else re.sub(r"\d+", "*", first.stem)
    return stem + (first.suffix if len(suffixes) == 1 else ".*")


def _words(name: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", Path(name).stem.casefold()))


def _is_rgb(name: str) -> bool:
    return not _is_other(name) and (not _words(name) or bool(_words(name) & _RGB_WORDS))


def _is_other(name: str) -> bool:
    words = _words(name)
    return bool(words & _OTHER_WORDS) or (len(words) == 1 and words <= _FLOW_LETTERS)


def _rgb_name(folder: Path, series: dict[str, list[Path]]) -> str:
    if len(series) == 1:
        return next(iter(series))
    likely = [name for name in series if not _is_other(name)]
    named = [name for name in likely if _is_rgb(name)]
    for names in (named, likely):
        if len(names) == 1:
            return names[0]
        jpegs = [name for name in names if Path(name).suffix.lower() in _JPEG]
        # One picture in two formats: what is not to lose anything, such as masks and depth, is no JPEG.
        if len(jpegs) == 1 and len({Path(name).stem.casefold() for name in names}) == 1:
            return jpegs[0]
    counts = [f"{len(paths)} {name}" for name, paths in series.items()]
    if not likely:
        raise VideoError(f"{folder}: no RGB frames in it, only {_listed(counts)}; give the folder of RGB frames")
    raise VideoError(f"{folder}: images of several series, {_listed(counts)}; put each series into its own folder")


def _listed(items: list[str]) -> str:
    more = [f"{len(items) - _MAX_NAMED} more series"] if len(items) > _MAX_NAMED else []
    return ", ".join(items[:_MAX_NAMED] + more)
