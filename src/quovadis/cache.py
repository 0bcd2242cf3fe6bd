"""What lies in the cache's folder, and its removal."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from filelock import FileLock, Timeout

from quovadis.engines.compiled_cache import CompiledGraphCache
from quovadis.engines.quantization import Quantization
from quovadis.environment import compiled_graphs_folder, home, quantization_folder, samples_folder, weights_folder
from quovadis.errors import CacheError
from quovadis.progress import Notify
from quovadis.samples import EARLIER_NAMES, SOURCES
from quovadis.weights.catalogue import CATALOGUE

CacheKind: TypeAlias = Literal["weights", "samples", "compiled", "calibrations"]
CACHE_KINDS: tuple[CacheKind, ...] = get_args(CacheKind)

_UNUSABLE = "damaged, or of another version"
_CALIBRATION = re.compile(r"[0-9a-f]{64}\.npz")
_UNFINISHED = re.compile(r"tmp.*\.part|\.[0-9a-f]{64}\.npz\.\d+\.part")
_ABANDONED_SECONDS = 3600
"""Age from which on an unfinished file of a folder without a lock is taken to be left by a process that has ended."""


@dataclass(frozen=True)
class CachedItem:
    """One thing in the cache."""

    kind: CacheKind
    name: str
    belongs_to: str
    """What it is, or what it was made for."""
    paths: tuple[Path, ...]
    bytes: int
    modified: str
    """When it was last written, in UTC, as in 2026-11-27T09:30:00+00:00."""
    is_unusable: bool = False
    """Whether it is damaged, or of another version, so that it is made again when it is needed."""

    def to_dict(self) -> dict[str, Any]:
        """Return everything in JSON's types."""
        return {**asdict(self), "paths": [str(path) for path in self.paths]}


def cached_items() -> list[CachedItem]:
    """Return everything in the cache that is Quovadis's own; other files there are left out."""
    return [*_weights(), *_samples(), *_compiled(), *_calibrations()]


def remove(items: Iterable[CachedItem], notify: Notify) -> list[CachedItem]:
    """Remove items from the cache, and return those that are gone.

    What another process is fetching stays, and so does what lies outside the cache's folder, where a link led to it.

    Args:
        items: out of `cached_items`.
        notify: called with a line on each item that stays.

    Raises:
        CacheError: a file cannot be removed.
    """
    return [item for item in items if _remove(item, notify)]


def _remove(item: CachedItem, notify: Notify) -> bool:
    folder = item.paths[0].parent
    if not folder.resolve().is_relative_to(home().resolve()):
        notify(f"{item.name}: not removed: {folder} is a link that leads out of the cache")
        return False
    lock = folder / ".lock"
    try:
        # Calibrations and compiled graphs are written under other names, and read at once.
        with FileLock(lock, timeout=0) if lock.exists() else nullcontext():
            for path in item.paths:
                path.unlink(missing_ok=True)
    except Timeout:
        notify(f"{item.name}: not removed: another process is fetching it")
        return False
    except OSError as error:
        raise CacheError(f"{error.filename or folder}: cannot be removed: {error.strerror}") from error
    return True


def _weights() -> Iterator[CachedItem]:
    for name, entry in CATALOGUE.items():
        names = [file.name for file in entry.files]
        yield from _item("weights", name, entry.description, _fetched(weights_folder(name), names))


def _samples() -> Iterator[CachedItem]:
    for name in (*(source.file.name for source in SOURCES), *EARLIER_NAMES):
        text = "quovadis sample" + (" of an earlier version" if name in EARLIER_NAMES else "")
        yield from _item("samples", name, text, _fetched(samples_folder(), [name]))


def _compiled() -> Iterator[CachedItem]:
    folder = compiled_graphs_folder()
    for path, key in CompiledGraphCache(folder).stored():
        text = _compiled_for(key)
        yield from _item("compiled", path.stem[:12], text or _UNUSABLE, [path], is_unusable=text is None)
    yield from _unfinished("compiled", folder)


def _compiled_for(key: str) -> str | None:
    """Return what a graph was compiled for; None: it is damaged, or of another version."""
    try:
        software, _, device, _, weights, calibration, graph = ast.literal_eval(key)
    except (ValueError, SyntaxError):
        return None
    ours, openvino = software.split()
    precision = "int8" if calibration else "f32"
    versions = f"quovadis {ours}, OpenVINO {openvino.partition('-')[0]}"
    return f"weights {weights[:12]} on {device} in {precision} ({graph.split()[0]}), {versions}"


def _calibrations() -> Iterator[CachedItem]:
    folder = quantization_folder()
    for path in sorted(folder.glob("*.npz")):
        if _CALIBRATION.fullmatch(path.name):
            found = Quantization.load(path)
            made_of = None if found is None else found.provenance
            text = _UNUSABLE if made_of is None else f"{made_of.weights}: {made_of}"
            yield from _item("calibrations", path.stem[:12], text, [path], is_unusable=made_of is None)
    yield from _unfinished("calibrations", folder)


def _unfinished(kind: CacheKind, folder: Path) -> Iterator[CachedItem]:
    for path in sorted(folder.glob("*.part")):
        with suppress(OSError):
            is_abandoned = time.time() - path.stat().st_mtime > _ABANDONED_SECONDS
            if is_abandoned and _UNFINISHED.fullmatch(path.name):
                yield from _item(kind, path.name, "left by a process that ended early", [path])


def _fetched(folder: Path, names: Sequence[str]) -> list[Path]:
    """Return files of these names, and what an interrupted download of them left."""
    return [path for name in names for path in (folder / name, folder / f"{name}.part") if path.is_file()]


def _item(
    kind: CacheKind, name: str, belongs_to: str, paths: Sequence[Path], *, is_unusable: bool = False
) -> Iterator[CachedItem]:
    """Yield the item of these files, unless there are none."""
    with suppress(OSError):
        states = [path.stat() for path in paths]
        if states:
            modified = datetime.fromtimestamp(max(state.st_mtime for state in states), UTC)
            size = sum(state.st_size for state in states)
            date = modified.isoformat(timespec="seconds")
            yield CachedItem(kind, name, belongs_to, tuple(paths), size, date, is_unusable)
