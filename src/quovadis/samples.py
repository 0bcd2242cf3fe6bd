"""A short clip to try things on."""

from __future__ import annotations

from pathlib import Path

from quovadis.durable import exclusive_lock
from quovadis.environment import samples_folder
from quovadis.errors import DownloadError
from quovadis.fetch.files import OfficialFile, PackageFile, RepositoryFile
from quovadis.fetch.sources import fetch
from quovadis.progress import DownloadProgress, Notify, ignore_download_progress, ignore_notice

SOURCES: tuple[RepositoryFile | PackageFile, ...] = (
    RepositoryFile(
        path="data/v_CricketShot_g04_c01_rgb.gif",
        file=OfficialFile(
            name="v_CricketShot_g04_c01_rgb.gif",
            size=2_450_717,
            sha256="26502e0daa557579befad05035d4f37c8ee59a7f963e9e06be32477303a23f89",
        ),
    ),
    PackageFile(
        requirement="sports2d==0.8.0",
        archive_sha256="9791c58c3bf44572c71d9d26249899d6be3494d07ad88e1567139f2e319e44ed",
        source_distribution=False,
        member="Sports2D/Demo/demo.mp4",
        file=OfficialFile(
            name="backflip.mp4",
            size=3_968_304,
            sha256="d9a66417185647b112304b57093f0c180f37a768e6a14daca75ca541f3b78039",
        ),
    ),
)
"""The original repository's sample, a cricket shot; then a back flip off a wall, from the package sports2d (BSD)."""
EARLIER_NAMES = ("bikes.mp4",)
"""Samples that earlier versions have left in the cache."""


def sample_clip(*, progress: DownloadProgress = ignore_download_progress, notify: Notify = ignore_notice) -> Path:
    """Return the path of a sample clip, from the cache or from the first source that gives one.

    Args:
        progress: called as bytes come in.
        notify: called with a line when another process is waited for.

    Raises:
        DownloadError: no source gave one; the message says why for each.
        CacheError: the cache cannot be written.
    """
    folder = samples_folder()
    reasons = []
    with exclusive_lock(folder, notify):
        for source in SOURCES:
            if (folder / source.file.name).is_file():
                return folder / source.file.name
        for source in SOURCES:
            try:
                return fetch(source, folder, progress=progress)
            except DownloadError as error:
                reasons.append(str(error))
    raise DownloadError(f"no sample clip is available: {'; '.join(dict.fromkeys(reasons))}; give a video of your own")
