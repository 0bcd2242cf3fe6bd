"""What the files of each video are called: by its name, and where two have the same, by its folder too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from types import MappingProxyType

from quovadis.video.source import is_address, local_path

_LONGEST_BYTES = 200
"""Of a name; file systems take 255, and suffixes are added to it."""


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
    path = Path(source.partition("?")[0].rpartition("://")[2] or source) if is_address(source) else local_path(source)
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
