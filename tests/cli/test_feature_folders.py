"""`quovadis features` without `-o`: commands in a row do not refuse each other, and what does is told in flags."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.command_line import load_fakes, quovadis
from support.fake_engine import MeanEngine
from support.killed_runs import write_videos


@pytest.fixture(autouse=True)
def videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    load_fakes(monkeypatch, features=MeanEngine())
    monkeypatch.chdir(tmp_path)
    return write_videos(tmp_path / "videos", {"a.mp4": 30})


def test_commands_in_a_row_have_folders_of_their_own(tmp_path: Path) -> None:
    for options, folder in (
        ([], "features"),
        (["--like", "i3d"], "features-i3d"),
        (["--endpoint", "Mixed_4f"], "features-Mixed_4f"),
        (["--fps", "native", "--clip-frames", "16"], "features-clip-frames-16-fps-native"),
        (["--stride", "8"], "features-stride-8"),
    ):
        run = quovadis("features", "videos", *options)
        assert run.returncode == 0, run.stderr
        assert run.stdout.startswith(f"{Path(folder, 'a.npy')}: ")
        # And go on where they were.
        assert quovadis("features", "videos", *options).stdout == run.stdout


@pytest.mark.parametrize(
    ("options", "made", "now"),
    [
        (["--like", "i3d"], "without --dense", "with --dense"),
        (["--endpoint", "Mixed_4f"], "with --endpoint Mixed_5c", "with --endpoint Mixed_4f"),
        (["--stride", "8"], "without --stride", "with --stride 8"),
        (["--format", "npz"], "with --format npy", "with --format npz"),
        (["--fps", "native"], "with --fps 25", "with --fps native"),
        (["--windows", "full"], "without --windows", "with --windows full"),
        (["--crops", "3"], "with --crops 1", "with --crops 3"),
        (["--like", "video_features"], "without --like", "with --like video_features"),
    ],
)
def test_one_folder_for_two_is_refused_by_the_flags_that_differ(options: list[str], made: str, now: str) -> None:
    assert quovadis("features", "videos", "-o", "out").returncode == 0
    refused = quovadis("features", "videos", "-o", "out", *options)
    assert refused.returncode == 1
    line = refused.stderr.splitlines()[-1]
    kept, _, asked = line.removeprefix("quovadis: error: out: holds results made ").partition(", and this run is ")
    assert made in kept
    assert now in asked
    assert line.endswith("; give another folder to --output, or --restart to start over")
    assert "_" not in line.replace("video_features", "").replace("Mixed_", "")


@pytest.mark.parametrize("command", [("features", "videos"), ("evaluate", "list.csv")], ids=lambda one: one[0])
def test_a_folder_that_is_meant_as_a_file_is_refused(command: tuple[str, ...], tmp_path: Path) -> None:
    wrong = quovadis(*command, "-o", "x.json")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith(
        "quovadis: error: --output: results go into a folder, but x.json is named like a file\n"
    )
    assert not (tmp_path / "x.json").exists()
    (tmp_path / "existing.csv").write_text("of someone else")
    taken = quovadis(*command, "-o", "existing.csv")
    assert taken.returncode == 1
    assert (
        taken.stderr
        == "quovadis: error: existing.csv: is a file, but results go into a folder; choose another --output\n"
    )
    below = quovadis(*command, "-o", "existing.csv/out")
    assert below.returncode == 1
    assert "existing.csv/out: cannot be written: " in below.stderr


def test_a_folder_may_be_called_anything_once_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "run.json").mkdir()
    assert quovadis("features", "videos", "-o", "run.json").returncode == 0
