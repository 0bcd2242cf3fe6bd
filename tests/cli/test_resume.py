"""`--resume` of classify and fvd: killed at any moment and run again, the result is that of an undisturbed run."""

from __future__ import annotations

import json
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from quovadis.interrupts import INTERRUPTED
from quovadis.runs.ledger import Ledger
from support.command_line import load_fakes, quovadis
from support.fake_engine import CornerEngine, FakeEngine, MeanEngine
from support.killed_runs import run_process, write_videos
from support.ledgers import done_in

LENGTHS = {"a.mp4": 30, "b.mp4": 41, "c.mp4": 12, "d.avi": 21}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("resume")
    write_videos(folder / "real", LENGTHS)
    write_videos(folder / "fake", dict(reversed(LENGTHS.items())))
    (folder / "real" / "broken.mp4").write_bytes(b"no video")
    return folder


def command(name: str, videos: Path, *more: str | Path) -> list[str | Path]:
    if name == "fvd":
        return ["fvd", videos / "real", videos / "fake", "--frames", "9", "--frames", "16", "--json", *more]
    return ["classify", videos / "real", videos / "fake", "--clip-frames", "9", "--json", *more]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """The engine of both commands in this process."""
    corners, means = CornerEngine(), MeanEngine()
    load_fakes(monkeypatch, fvd=corners, classify=means)
    return means


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize(
    ("name", "workers"),
    [
        ("classify", "3"),
        ("fvd", "1"),
        pytest.param("classify", "1", marks=pytest.mark.soak),
        pytest.param("fvd", "3", marks=pytest.mark.soak),
    ],
)
def test_killed_and_resumed_is_the_same_bytes_as_undisturbed(
    name: str, workers: str, videos: Path, engine: FakeEngine, tmp_path: Path
) -> None:
    whole = quovadis(*command(name, videos))
    resumed = command(name, videos, "--resume", tmp_path / "done.sqlite", "--workers", workers)
    for kill_after, moment in ((1, "after"), (1, "before"), (3, "after")):
        killed = run_process(*resumed, kill_after=kill_after, moment=moment)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert killed.stdout == b""
    for _ in range(2):
        assert quovadis(*resumed).stdout == whole.stdout
    assert json.loads(whole.stdout)


@pytest.mark.parametrize("workers", [1, 4])
def test_results_of_several_workers_are_those_of_one_in_the_same_order(
    workers: int, videos: Path, engine: FakeEngine, tmp_path: Path
) -> None:
    plain = quovadis(*command("classify", videos))
    found = quovadis(*command("classify", videos, "--workers", str(workers)))
    assert found.stdout == plain.stdout
    assert found.stderr == plain.stderr
    sources = [Path(one["source"]).name for one in json.loads(found.stdout)["results"]]
    assert sources == [*LENGTHS, *LENGTHS]
    assert found.returncode == 1


def test_what_is_done_is_not_done_again_however_the_video_is_named(
    videos: Path, engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = ("--resume", tmp_path / "done.sqlite", "--clip-frames", "9", "--json")
    quovadis("classify", videos / "real" / "a.mp4", *more)
    count = len(engine.shapes)
    monkeypatch.chdir(videos)
    found = json.loads(quovadis("classify", Path("real", "a.mp4"), *more).stdout)["results"]
    assert [one["source"] for one in found] == [str(Path("real", "a.mp4"))]
    assert len(engine.shapes) == count
    quovadis("classify", Path("real", "a.mp4"), *more, "--restart")
    assert len(engine.shapes) == 2 * count


def test_the_real_set_is_measured_once_for_several_fake_ones(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = CornerEngine()
    load_fakes(monkeypatch, fvd=engine)
    more = ("--frames", "9", "--resume", tmp_path / "done.sqlite", "--json")
    quovadis("fvd", videos / "real", videos / "fake", *more)
    assert len(engine.shapes) == 8
    quovadis("fvd", videos / "real", videos / "fake" / "..", *more)
    # The folder above has both: its videos are another set's.
    assert len(engine.shapes) == 16
    quovadis("fvd", videos / "real", videos / "fake", *more)
    assert len(engine.shapes) == 16


def test_another_precision_is_refused_and_another_version_is_not(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = command("classify", videos, "--resume", tmp_path / "done.sqlite")
    first, second = MeanEngine(), MeanEngine("2")
    load_fakes(monkeypatch, classify=first)
    assert quovadis(*run).returncode == 1
    load_fakes(monkeypatch, classify=second)
    results = json.loads(quovadis(*run).stdout)["results"]
    assert {one["engine"]["version"] for one in results} == {"1"}
    assert second.shapes == []
    second.description = {**second.description, "precision": "int8"}
    refused = quovadis(*run)
    assert refused.returncode == 1
    assert refused.stderr.splitlines() == [
        f"quovadis: error: {tmp_path / 'done.sqlite'}: holds results made with --precision f32, and this run is with "
        "--precision int8; give another file to --resume, or --restart to start over"
    ]


def test_the_flags_that_differ_are_named_with_both_values(videos: Path, engine: FakeEngine, tmp_path: Path) -> None:
    run = ("classify", videos / "real" / "a.mp4", "--resume", tmp_path / "done.sqlite")
    quovadis(*run, "--clip-frames", "9")
    for more, made, now in (
        (["--clip-frames", "9", "--stride", "8"], "without --stride", "with --stride 8"),
        (["--clip-frames", "9", "--start", "2"], "without --start", "with --start 2"),
        (["--clip-frames", "10"], "with --clip-frames 9", "with --clip-frames 10"),
        (["--clip-frames", "9", "--clip", "centre"], "with --clip all", "with --clip centre"),
        (["--dense"], "without --dense", "with --dense"),
    ):
        (line,) = quovadis(*run, *more).stderr.splitlines()
        kept, _, asked = line.partition(", and this run is ")
        assert made in kept
        assert now in asked


def test_a_file_to_resume_from_spares_videos(videos: Path, engine: FakeEngine) -> None:
    path = videos / "real" / "a.mp4"
    before = path.read_bytes()
    for name in ("classify", "fvd"):
        refused = quovadis(*command(name, videos, "--resume", path, "--restart"))
        assert refused.returncode == 1
        assert "would overwrite this video" in refused.stderr
    assert path.read_bytes() == before


@pytest.mark.parametrize(("name", "option"), [("classify", "-o"), ("classify", "--plot"), ("fvd", "--stats")])
def test_a_file_to_resume_from_is_for_nothing_else(
    name: str, option: str, videos: Path, engine: FakeEngine, tmp_path: Path
) -> None:
    # Of several videos pictures go into a folder.
    both = tmp_path / {"--plot": "one", "--stats": "one.npz"}.get(option, "one.json")
    refused = quovadis(
        *command(name, videos, "--resume", both, option, tmp_path / "." / ".." / tmp_path.name / both.name)
    )
    assert refused.returncode == 2
    assert "--resume needs a file of its own" in " ".join(refused.stderr.split())
    assert not both.exists()


@pytest.mark.parametrize("name", ["classify", "fvd"])
def test_restart_needs_a_file_to_restart(name: str, videos: Path, engine: FakeEngine) -> None:
    assert quovadis(*command(name, videos, "--restart")).returncode == 2


@pytest.mark.parametrize("name", ["classify", "fvd"])
def test_a_restart_that_is_stopped_says_whether_the_earlier_results_are_still_there(
    name: str, videos: Path, engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = tmp_path / "done.sqlite"
    run = command(name, videos, "--resume", ledger)
    quovadis(*run)
    whole, earlier = ledger.read_bytes(), done_in(ledger)
    assert earlier > 1
    store = Ledger.store

    def stop_before(*_: object) -> None:
        raise KeyboardInterrupt

    def stop_after(*values: object) -> None:
        store(*values)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(Ledger, "store", stop_before)
    stopped = quovadis(*run, "--restart")
    assert stopped.returncode == INTERRUPTED
    assert stopped.stderr.splitlines()[-1] == (
        "quovadis: stopped before the first new result: all that the earlier run has done is still there"
    )
    assert ledger.read_bytes() == whole

    monkeypatch.setattr(Ledger, "store", stop_after)
    stopped = quovadis(*run, "--restart")
    assert stopped.stderr.splitlines()[-1] == (
        "quovadis: stopped; the same command without --restart resumes from here"
    )
    assert done_in(ledger) == 1


def test_a_restart_that_is_stopped_while_the_network_loads_has_discarded_nothing(
    videos: Path, engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = command("fvd", videos, "--resume", tmp_path / "done.sqlite")
    quovadis(*run)
    earlier = done_in(tmp_path / "done.sqlite")

    def load(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("quovadis.cli.fvd.load", load)
    stopped = quovadis(*run, "--restart")
    assert "stopped before the first new result" in stopped.stderr
    assert "resumes from here" not in stopped.stderr
    assert done_in(tmp_path / "done.sqlite") == earlier


@pytest.mark.parametrize("name", ["classify", "fvd"])
@pytest.mark.parametrize("damage", [b"{", b"[]\n", b'{"clips": [[]]}\n', b"[[9, 1, 5]]\n\0"], ids=repr)
def test_a_damaged_result_is_one_clear_error(
    name: str, damage: bytes, videos: Path, engine: FakeEngine, tmp_path: Path
) -> None:
    run = command(name, videos, "--resume", tmp_path / "done.sqlite")
    quovadis(*run)
    if name == "fvd" and damage == b"[]\n":
        damage = b"[]\n\0\0\0\0"
    with closing(sqlite3.connect(tmp_path / "done.sqlite")) as database, database:
        database.execute("UPDATE videos SET result = ? WHERE key LIKE '%b.mp4%'", (damage,))
    refused = quovadis(*run)
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert "cannot be used as the record of what is done" in line
    assert "--restart" in line
