"""Downloads from a server that drops, lies, hangs and refuses."""

from __future__ import annotations

import hashlib
import random
import socket
from pathlib import Path

import pytest

from quovadis.errors import CacheError, DownloadError
from quovadis.fetch.files import OfficialFile
from quovadis.fetch.http import Patience, download
from quovadis.progress import ignore_download_progress
from support.loopback import Behaviour, serve

CONTENT = random.Random(0).randbytes(300_000)
FILE = OfficialFile(name="data.bin", size=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())


class Waits(list[float]):
    """Takes the pauses instead of sleeping."""


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def patience(waits: Waits) -> Patience:
    return Patience(attempts=3, connect_seconds=2, read_seconds=0.3, sleep=waits.append)


def fetch(address: str, folder: Path, patience: Patience, file: OfficialFile = FILE) -> Path:
    destination = folder / file.name
    download(address, destination, file, progress=ignore_download_progress, patience=patience)
    return destination


def test_a_file_arrives_whole_and_progress_counts_its_bytes(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int | None]] = []
    with serve(CONTENT) as server:
        download(server.address, tmp_path / "data.bin", FILE, progress=lambda *step: seen.append(step))
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["data.bin"]
    assert seen[-1] == ("data.bin", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)


@pytest.mark.parametrize(
    "behaviours",
    [("drop",), ("drop", "drop"), ("drop", "no ranges"), ("error",), ("busy", "error"), ("hang",), ("drop", "hang")],
    ids=" then ".join,
)
def test_a_passing_failure_is_overcome(tmp_path: Path, patience: Patience, behaviours: tuple[Behaviour, ...]) -> None:
    with serve(CONTENT, *behaviours) as server:
        assert fetch(server.address, tmp_path, patience).read_bytes() == CONTENT


def test_a_dropped_connection_is_resumed_where_it_broke_off(tmp_path: Path, patience: Patience) -> None:
    with serve(CONTENT, "drop") as server:
        fetch(server.address, tmp_path, patience)
    assert server.ranges == [None, f"bytes={len(CONTENT) // 2}-"]


def test_the_pause_that_a_server_asks_for_is_kept(tmp_path: Path, patience: Patience, waits: Waits) -> None:
    with serve(CONTENT, "error") as server:
        fetch(server.address, tmp_path, patience)
    assert waits == [7.0]


def test_pauses_grow(tmp_path: Path, patience: Patience, waits: Waits) -> None:
    with serve(CONTENT, "busy", "busy") as server:
        fetch(server.address, tmp_path, patience)
    assert waits == [0.5, 1.0]


def test_a_part_left_by_a_killed_process_is_gone_on_from(tmp_path: Path, patience: Patience) -> None:
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:1000])
    with serve(CONTENT) as server:
        assert fetch(server.address, tmp_path, patience).read_bytes() == CONTENT
    assert server.ranges == ["bytes=1000-"]


@pytest.mark.parametrize("part", [b"wrong" * 100, CONTENT + b"longer", bytes(len(CONTENT))])
def test_a_part_that_is_not_the_files_is_thrown_away(tmp_path: Path, patience: Patience, part: bytes) -> None:
    (tmp_path / "data.bin.part").write_bytes(part)
    with serve(CONTENT) as server:
        assert fetch(server.address, tmp_path, patience).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("behaviour", "complaint"),
    [
        ("missing", "status 404"),
        ("wrong bytes", "wrong checksum"),
        ("oversize", "more than the 300,000 bytes"),
    ],
)
def test_a_lasting_failure_is_said_and_leaves_nothing_behind(
    tmp_path: Path, patience: Patience, behaviour: Behaviour, complaint: str
) -> None:
    with serve(CONTENT, *[behaviour] * 10) as server:
        with pytest.raises(DownloadError, match=complaint) as caught:
            fetch(server.address, tmp_path, patience)
        assert server.address in str(caught.value)
        assert len(server.ranges) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_keeps_failing_is_given_up_after_the_attempts(tmp_path: Path, patience: Patience) -> None:
    with serve(CONTENT, *["error"] * 10) as server:
        with pytest.raises(DownloadError, match="status 503"):
            fetch(server.address, tmp_path, patience)
        assert len(server.ranges) == 3


def test_a_refused_connection_is_said_in_one_line(tmp_path: Path, patience: Patience) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(DownloadError, match="refused") as caught:
        fetch(address, tmp_path, patience)
    assert "\n" not in str(caught.value)


def test_a_name_that_does_not_resolve_is_not_tried_again(tmp_path: Path, patience: Patience, waits: Waits) -> None:
    with pytest.raises(DownloadError):
        fetch("http://no-such-host.invalid", tmp_path, patience)
    assert waits == []


def test_a_protocol_that_does_not_exist_is_not_tried_again(tmp_path: Path, patience: Patience, waits: Waits) -> None:
    with pytest.raises(DownloadError):
        fetch("gopher://127.0.0.1/", tmp_path, patience)
    assert waits == []


def test_a_git_hash_is_checked_where_that_is_what_is_known(tmp_path: Path, patience: Patience) -> None:
    blob = hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT, usedforsecurity=False).hexdigest()
    known = OfficialFile(name="data.bin", size=len(CONTENT), git_sha1=blob)
    other = OfficialFile(name="data.bin", size=len(CONTENT), git_sha1="0" * 40)
    with serve(CONTENT) as server:
        with pytest.raises(DownloadError, match="wrong checksum"):
            fetch(server.address, tmp_path, patience, other)
        assert fetch(server.address, tmp_path, patience, known).exists()


def test_a_cache_that_cannot_be_written_is_named_with_the_setting(tmp_path: Path, patience: Patience) -> None:
    with serve(CONTENT) as server, pytest.raises(CacheError, match="QUOVADIS_HOME"):
        fetch(server.address, tmp_path / "absent", patience)
