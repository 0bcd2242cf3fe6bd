"""The record of what is done: kept whatever happens, refused where it does not fit."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from quovadis.errors import OutputError
from quovadis.runs.ledger import Ledger, file_identity

SETTINGS = {"pool": "all", "clip_frames": 79, "stride": None, "fps": 25.0, "weights": "ü"}


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "video.mp4"
    path.write_bytes(b"some video")
    return path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "results" / "ledger.sqlite"


def assert_one_line(error: OutputError, place: Path) -> None:
    assert "\n" not in str(error)
    assert str(place.parent) in str(error)


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_what_is_stored_is_loaded_in_a_later_run(place: Path, video: Path) -> None:
    with Ledger(place, SETTINGS) as ledger:
        assert ledger.load("a", video) is None
        ledger.store("a", video, b"\0result\xff")
        assert ledger.load("a", video) == b"\0result\xff"
    with Ledger(place, SETTINGS) as ledger:
        assert ledger.load("a", video) == b"\0result\xff"
        assert ledger.load("b", video) is None
        assert list(ledger.results()) == [("a", b"\0result\xff")]


def test_a_later_result_takes_the_place_of_an_earlier_one(place: Path, video: Path) -> None:
    with Ledger(place, SETTINGS) as ledger:
        ledger.store("a", video, b"first")
        ledger.store("a", video, b"second")
        assert list(ledger.results()) == [("a", b"second")]


def test_several_results_are_kept_and_others_forgotten_at_once(place: Path, video: Path) -> None:
    with Ledger(place, SETTINGS) as ledger:
        ledger.store("a", video, b"first")
        ledger.update({"b": (video, b"second"), "c": (video, b"third")}, forget=["a", "unknown"])
        assert list(ledger.results()) == [("b", b"second"), ("c", b"third")]
        assert ledger.load("b", video) == b"second"
        assert ledger.load("a", video) is None


def test_the_order_of_settings_does_not_matter(place: Path, video: Path) -> None:
    with Ledger(place, SETTINGS) as ledger:
        ledger.store("a", video, b"result")
    with Ledger(place, dict(reversed(SETTINGS.items()))) as ledger:
        assert ledger.load("a", video) == b"result"


KILLED = """
import os, signal, sys
from pathlib import Path
from quovadis.runs.ledger import Ledger

ledger = Ledger(Path(sys.argv[1]), {"pool": "all"})
ledger.__enter__()
for number in range(5):
    ledger.store(str(number), Path(sys.argv[2]), b"result")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_what_a_killed_process_had_stored_is_there_and_its_lock_is_not(place: Path, video: Path) -> None:
    run = subprocess.run([sys.executable, "-c", KILLED, str(place), str(video)], check=False, timeout=60)
    assert run.returncode == -signal.SIGKILL
    with Ledger(place, {"pool": "all"}) as ledger:
        assert [ledger.load(str(number), video) for number in range(5)] == [b"result"] * 5


# --- which video ------------------------------------------------------------------------------------------------------


def test_a_file_of_another_size_or_time_is_another_video(place: Path, video: Path) -> None:
    with Ledger(place, SETTINGS) as ledger:
        ledger.store("a", video, b"result")
        before = video.stat()
        video.write_bytes(b"longer video")
        os.utime(video, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert ledger.load("a", video) is None
        video.write_bytes(b"some video")
        os.utime(video, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
        assert ledger.load("a", video) is None
        os.utime(video, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert ledger.load("a", video) == b"result"
        # Its result is known, whatever became of the file.
        video.unlink()
        assert ledger.load("a", video) is None
        assert list(ledger.results()) == [("a", b"result")]


def test_a_file_that_was_moved_is_known_by_size_and_time_of_change(place: Path, video: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "two\nlines.mp4"
    with Ledger(place, SETTINGS) as ledger:
        ledger.store("a", video, b"result")
        ledger.store("absent", tmp_path / "absent.mp4", b"result")
        shutil.copy2(video, elsewhere)
        status = elsewhere.stat()
        assert ledger.is_same_elsewhere("a", elsewhere)
        assert not ledger.is_same_elsewhere("unknown", elsewhere)
        # What is not there is not the same as something else that is not.
        assert not ledger.is_same_elsewhere("absent", tmp_path / "elsewhere.mp4")
        ledger.update({"b": (elsewhere, b"result")})
        assert ledger.is_same_elsewhere("b", video)
        os.utime(elsewhere, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
        assert not ledger.is_same_elsewhere("a", elsewhere)
        elsewhere.write_bytes(b"longer video")
        os.utime(elsewhere, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert not ledger.is_same_elsewhere("a", elsewhere)


def test_a_folder_of_frames_that_was_moved_is_known_by_what_lies_in_it(place: Path, tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    (folder / "1.png").touch()
    with Ledger(place, SETTINGS) as ledger:
        ledger.store("a", folder, b"result")
        moved = folder.rename(tmp_path / "moved")
        assert ledger.is_same_elsewhere("a", moved)
        (moved / "2.png").touch()
        assert not ledger.is_same_elsewhere("a", moved)


def test_a_folder_of_frames_is_another_when_a_frame_is_added(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    (folder / "1.png").touch()
    before, status = file_identity(folder), folder.stat()
    assert file_identity(folder) == before
    (folder / "2.png").touch()
    os.utime(folder, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert file_identity(folder) != before


@pytest.mark.parametrize("change", ["content", "size alone", "time alone", "name", "swapped"])
def test_a_folder_of_frames_is_another_when_a_frame_is_changed_in_place(change: str, tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    first, second = folder / "1.png", folder / "2.png"
    for frame, content in ((first, b"one"), (second, b"longer")):
        frame.write_bytes(content)
        os.utime(frame, ns=(0, len(content)))
    status = folder.stat()
    before = file_identity(folder)
    match change:
        case "content":
            first.write_bytes(b"two")
        case "size alone":
            first.write_bytes(b"other")
            os.utime(first, ns=(0, 3))
        case "time alone":
            os.utime(first, ns=(0, 4))
        case "name":
            first.rename(folder / "3.png")
        case "swapped":
            first.rename(folder / "3.png")
            second.rename(first)
            (folder / "3.png").rename(second)
    os.utime(folder, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert file_identity(folder) != before


@pytest.mark.skipif(os.name != "posix", reason="links need no rights on POSIX systems")
def test_a_folder_with_a_link_that_leads_nowhere_has_an_identity_too(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "1.png").symlink_to(tmp_path / "absent")
    before = file_identity(tmp_path / "frames")
    (tmp_path / "absent").write_bytes(b"now there")
    assert file_identity(tmp_path / "frames") != before


def test_a_file_elsewhere_is_another(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a", "b")]
    for path in paths:
        path.write_bytes(b"same")
        os.utime(path, ns=(0, 0))
    assert file_identity(paths[0]) != file_identity(paths[1])


def test_what_is_no_file_such_as_an_address_is_always_the_same(place: Path) -> None:
    address = Path("http://host/clip.mp4")
    assert file_identity(address) == file_identity(address)
    with Ledger(place, SETTINGS) as ledger:
        ledger.store("a", address, b"result")
        assert ledger.load("a", address) == b"result"


@pytest.mark.skipif(os.name != "posix", reason="names that are no text exist on POSIX systems")
def test_names_that_are_no_text_are_kept_apart(place: Path, tmp_path: Path) -> None:
    paths = [Path(os.fsdecode(os.fsencode(tmp_path) + name)) for name in (b"/\xff.mp4", b"/\xfe.mp4")]
    with Ledger(place, SETTINGS) as ledger:
        for path in paths:
            path.touch()
            ledger.store(str(path), path, path.name.encode("utf-8", "surrogateescape"))
        assert [ledger.load(str(path), path) for path in paths] == [b"\xff.mp4", b"\xfe.mp4"]


# --- what is refused --------------------------------------------------------------------------------------------------


def test_other_settings_are_refused_with_those_that_differ_and_nothing_is_lost(place: Path, video: Path) -> None:
    with Ledger(place, SETTINGS) as ledger:
        ledger.store("a", video, b"result")
    changed = {**SETTINGS, "pool": "space", "stride": 40, "new": True}
    with pytest.raises(OutputError) as refused, Ledger(place, changed):
        pass
    said = str(refused.value)
    assert (
        'made with `pool="all"` and without `stride`, and this run is with `pool="space"` and with `stride=40`' in said
    )
    assert "clip_frames" not in said
    assert "`restart=True`" in said
    assert_one_line(refused.value, place)
    with Ledger(place, SETTINGS) as ledger:
        assert ledger.load("a", video) == b"result"


def test_restart_forgets_results_and_settings(place: Path, video: Path) -> None:
    with Ledger(place, SETTINGS) as ledger:
        ledger.store("a", video, b"result")
    with Ledger(place, {"pool": "none"}, restart=True) as ledger:
        assert list(ledger.results()) == []
        ledger.store("b", video, b"result")
    with Ledger(place, {"pool": "none"}) as ledger:
        assert ledger.load("b", video) == b"result"
    with pytest.raises(OutputError, match="holds results made with `pool"), Ledger(place, SETTINGS):
        pass


def test_restart_of_nothing_is_a_beginning(place: Path, video: Path) -> None:
    with Ledger(place, SETTINGS, restart=True) as ledger:
        assert ledger.load("a", video) is None


def read_all(place: Path, video: Path) -> None:
    with Ledger(place, SETTINGS) as ledger:
        for key, _ in ledger.results():
            ledger.load(key, video)


def damage_all(content: bytes) -> bytes:
    return b"this is no database, whatever it is called\n" * 400


def damage_the_header(content: bytes) -> bytes:
    return b"\xff" * 100 + content[100:]


def damage_results(content: bytes) -> bytes:
    """Overwrite what is not looked at before a result is."""
    return content[: len(content) // 2] + b"\xff" * (len(content) - len(content) // 2)


def damage_settings(content: bytes) -> bytes:
    return content.replace(b'"pool"', b"?pool?")


def other_database(content: bytes) -> bytes:
    return content.replace(b"result BLOB", b"unrelated B")


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


@pytest.mark.parametrize(
    "damage", [damage_all, damage_the_header, damage_results, damage_settings, other_database, cut]
)
def test_a_damaged_record_is_one_clear_error_and_restart_helps(
    place: Path, video: Path, damage: Callable[[bytes], bytes]
) -> None:
    with Ledger(place, SETTINGS) as ledger:
        for number in range(50):
            ledger.store(str(number), video, b"result" * 100)
    place.write_bytes(damage(place.read_bytes()))
    with pytest.raises(OutputError, match="cannot be used as the record of what is done") as refused:
        read_all(place, video)
    assert "`restart=True`" in str(refused.value)
    assert_one_line(refused.value, place)
    with Ledger(place, SETTINGS, restart=True) as ledger:
        ledger.store("a", video, b"result")
        assert list(ledger.results()) == [("a", b"result")]


def other_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE settings (name TEXT)")


def text_file(path: Path) -> None:
    path.write_text("notes\n")


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("make", [text_file, other_tables, Path.mkdir, os.mkfifo])
def test_a_named_file_that_no_run_has_written_is_refused_and_left(
    tmp_path: Path, make: Callable[[Path], None], restart: bool
) -> None:
    path = tmp_path / "mine"
    make(path)
    before = path.stat(), path.read_bytes() if path.is_file() else None
    with pytest.raises(OutputError, match="mine: not a record of what is done") as refused:
        Ledger(path, SETTINGS, restart=restart, is_named=True).__enter__()
    assert refused.value.option is None
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before[0].st_ino, before[0].st_mtime_ns)
    assert (path.read_bytes() if path.is_file() else None) == before[1]


@pytest.mark.parametrize("text", ["[1]", "5", "[{}]", "null"])
def test_damaged_settings_are_one_clear_error(place: Path, text: str) -> None:
    with Ledger(place, SETTINGS):
        pass
    with closing(sqlite3.connect(place)) as database, database:
        database.execute("UPDATE settings SET text = ?", (text,))
    with pytest.raises(OutputError, match="cannot be used as the record of what is done") as refused:
        Ledger(place, SETTINGS).__enter__()
    assert_one_line(refused.value, place)


def test_a_second_run_at_the_same_time_is_refused_and_a_later_one_is_not(place: Path) -> None:
    with Ledger(place, SETTINGS):
        for restart in (False, True):
            with pytest.raises(OutputError, match="another run is at work here") as refused:
                Ledger(place, SETTINGS, restart=restart).__enter__()
            assert_one_line(refused.value, place)
    with Ledger(place, SETTINGS):
        pass


def test_a_refused_ledger_holds_nothing_locked(place: Path) -> None:
    with Ledger(place, SETTINGS):
        pass
    refused = Ledger(place, {"pool": "other"})
    with pytest.raises(OutputError, match="holds results made with `pool"):
        refused.__enter__()
    with Ledger(place, SETTINGS):
        pass


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "ledger.sqlite", tmp_path / "file" / "deeper" / "ledger.sqlite"):
        with pytest.raises(OutputError, match="the folder cannot be made") as refused, Ledger(place, SETTINGS):
            pass
        assert_one_line(refused.value, place)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="this system has no /proc, where no folder can be made")
def test_a_folder_that_cannot_be_made_is_said_to_be_the_matter() -> None:
    place = Path("/proc/quovadis/ledger.sqlite")
    with (
        pytest.raises(OutputError, match=r"^/proc/quovadis: .*folder cannot be made") as refused,
        Ledger(place, {}),
    ):
        pass
    assert_one_line(refused.value, place)


def test_a_result_that_cannot_be_stored_is_an_error_and_what_is_done_is_kept(place: Path, video: Path) -> None:
    with Ledger(place, SETTINGS) as ledger:
        ledger.store("a", video, b"result")
        # Someone else writes to the database and does not finish.
        with sqlite3.connect(place, isolation_level=None) as other:
            other.execute("PRAGMA busy_timeout = 0")
            ledger._connection.execute("PRAGMA busy_timeout = 0")
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(OutputError, match="what is done is kept") as refused:
                ledger.store("b", video, b"result")
            other.execute("ROLLBACK")
        other.close()
        assert_one_line(refused.value, place)
        assert list(ledger.results()) == [("a", b"result")]


def test_a_closed_ledger_says_so(place: Path, video: Path) -> None:
    with Ledger(place, SETTINGS) as ledger:
        pass
    with pytest.raises(OutputError, match="closed"):
        ledger.load("a", video)


def test_a_video_that_changes_while_it_is_worked_on_is_not_done(place: Path, video: Path) -> None:
    with Ledger(place, {}) as ledger:
        assert ledger.load("a", video) is None
        video.write_bytes(b"another video")
        ledger.store("a", video, b"of the one before")
        assert ledger.load("a", video) is None
