"""What the files of each video are called: by its name, and where two have the same, by its folder too."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from types import MappingProxyType

from quovadis.features.formats import FeatureFormat
from quovadis.inference.feature_options import PRESETS, FeatureOptions, Preset
from quovadis.options import ModelOptions
from quovadis.runs.settings import given_options
from quovadis.video.keys import STANDARD_INPUT_KEY
from quovadis.video.source import STANDARD_INPUT, is_address, local_path, shown_name

_LONGEST_BYTES = 200
"""Of a name; file systems take 255, and suffixes are added to it."""


_OPTIONS = ("endpoint", "pool", "dense", "clip_frames", "stride", "windows", "crops", "fps", "file_format")
"""Those that the name of a folder states, in this order."""
_PLAIN_OPTIONS = ("endpoint", "pool", "file_format")
"""Those whose value says enough."""


def default_folder(
    preset: Preset | None, options: FeatureOptions, file_format: FeatureFormat, model: ModelOptions
) -> Path:
    """Return the folder of features where none is named: another one for other options, so that none is in the way.

    `features`, and with options that are not the defaults what they are, such as `features-i3d`,
    `features-Mixed_4f-space-hdf5` or `features-stride-8`.
    """
    usual = FeatureOptions() if preset is None else PRESETS[preset]
    base = given_options({**usual.settings(), "format": "video_features" if preset == "video_features" else "npy"})
    given = given_options({**options.settings(), "format": file_format})
    parts = [] if preset is None else [str(preset)]
    for name in _OPTIONS:
        if given.get(name) and given[name] != base.get(name):
            parts += [] if name in _PLAIN_OPTIONS else [name.replace("_", "-")]
            parts += (
                []
                if given[name] is True
                else [f"{given[name]:g}" if name == "fps" and given[name] != "native" else str(given[name])]
            )
    weights = os.fspath(model.weights)
    if weights != ModelOptions().weights:
        # Weights of one name in two folders are others, and so may be those of two formats.
        parts.append(_cut("__".join(filter(None, map(_plain, Path(weights).parts)))))
    parts += [model.precision] if model.precision not in (None, "f32") else []
    return Path("-".join(["features", *parts]))


def output_names(sources: Sequence[str], known: Mapping[str, str] = MappingProxyType({})) -> list[str]:
    """Return a name for each video, all different, also where upper and lower case are one.

    The file's name without suffix, if no other video has it; else with as many of the folders before it, joined by
    `__`, as it takes; else, as of `a.mp4` beside `a.avi`, with its suffix. A run over a part of the videos, once the
    others have their names, gives the same names as one run over all.

    Args:
        sources: paths or addresses.
        known: names of other videos, by path or address.
    """
    candidates = [list(_candidates(source)) for source in sources]
    others = [list(_candidates(source)) for source in known]
    seen = Counter(name for names in candidates + others for name in {name.casefold() for name in names})
    used = {name.casefold() for name in known.values()}
    result = []
    for names in candidates:
        unique = (name for name in names if seen[name.casefold()] == 1)
        # The same video named twice ends here.
        numbered = (f"{names[0]}-{number}" for number in count(2))
        name = next(name for choice in (unique, numbered) for name in choice if name.casefold() not in used)
        used.add(name.casefold())
        result.append(name)
    return result


def _candidates(source: str) -> Iterator[str]:
    if source.startswith(STANDARD_INPUT_KEY):
        yield shown_name(STANDARD_INPUT)
        return
    # Of an address neither the user nor the password.
    address = re.sub(r"^[^/?#]*@", "", source.partition("?")[0].rpartition("://")[2])
    path = Path(address or source) if is_address(source) else local_path(source)
    parts = [_plain(part) for part in path.absolute().parts]
    stem = _plain(path.name if path.is_dir() else path.stem) or "video"
    for last in (stem, _plain(path.name)):
        for depth in range(len(parts)):
            yield _cut("__".join([*parts[len(parts) - 1 - depth : -1], last]))


def _plain(part: str) -> str:
    """Return a name without what cannot stand in a file's name."""
    return part.strip("/\\").replace("/", "_").replace("\\", "_").replace(":", "_").lstrip(".")


def _cut(name: str) -> str:
    encoded = name.encode("utf-8", "surrogatepass")
    return name if len(encoded) <= _LONGEST_BYTES else encoded[:_LONGEST_BYTES].decode("utf-8", "ignore")
