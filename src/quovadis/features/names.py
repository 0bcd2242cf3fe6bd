"""What the files of each video are called: by its name, and where two have the same, by its folder too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from quovadis.video.source import is_address, local_path


def output_names(sources: Sequence[str], taken: Iterable[str] = ()) -> list[str]:
    """Return a name for each video, all different.

    The file's name without suffix, if no other video has it; else with as many of the folders before it, joined by
    `__`, as it takes; else, as of `a.mp4` beside `a.avi`, with its suffix.

    Args:
        sources: paths or addresses.
        taken: names that belong to other videos.
    """
    candidates = [list(_candidates(source)) for source in sources]
    seen = Counter(name for names in candidates for name in set(names))
    used = set(taken)
    result = []
    for names in candidates:
        free = (name for name in names if seen[name] == 1 and name not in used)
        # The same video named twice ends here.
        numbered = (f"{names[0]}-{number}" for number in range(2, len(sources) + len(used) + 3))
        name = next(free, None) or next(name for name in numbered if name not in used)
        used.add(name)
        result.append(name)
    return result


def _candidates(source: str) -> Iterator[str]:
    path = Path(source.partition("?")[0].rpartition("://")[2] or source) if is_address(source) else local_path(source)
    parts = [_plain(part) for part in path.absolute().parts]
    stem = _plain(path.name if path.is_dir() else path.stem) or "video"
    for depth in range(len(parts)):
        yield "__".join([*parts[len(parts) - 1 - depth : -1], stem])
    for depth in range(len(parts)):
        yield "__".join([*parts[len(parts) - 1 - depth : -1], _plain(path.name)])


def _plain(part: str) -> str:
    """Return a name without what cannot stand in a file's name."""
    return part.strip("/\\").replace("/", "_").replace("\\", "_").replace(":", "_").lstrip(".")
