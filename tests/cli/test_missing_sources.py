"""A source that is not there is refused before weights are loaded, whichever command is given it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.command_line import load_fakes, quovadis
from support.fake_engine import MeanEngine


@pytest.mark.parametrize("command", ["classify", "features", "evaluate", "fvd", "train"])
def test_before_weights_that_cannot_be_loaded(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if command == "train":
        pytest.importorskip("torch")
    more = {"fvd": ["absent-too"], "train": ["--out", "runs"]}.get(command, [])
    run = quovadis(command, "absent", *more, "-w", "no-such-weights")
    assert run.returncode == 1
    assert "absent: no such file" in run.stderr
    assert "no-such-weights" not in run.stderr


def test_so_is_a_folder_of_videos_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.mp4 archery\n")
    run = quovadis("evaluate", tmp_path / "list.txt", "--videos", tmp_path / "absent", "-w", "no-such-weights")
    assert run.returncode == 1
    assert "absent: no such folder; give the folder of the videos with --videos" in run.stderr


def test_classify_still_writes_its_records(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    sources = [tmp_path / "absent.mp4", tmp_path / "empty.mp4"]
    run = quovadis("classify", *sources, "--json", "-w", "no-such-weights")
    assert run.returncode == 1
    document = json.loads(run.stdout)
    assert document["results"] == []
    assert [failure["source"] for failure in document["failures"]] == [str(source) for source in sources]
    stopped = quovadis("classify", *sources, "--json", "-w", "no-such-weights", "--fail-fast")
    assert len(json.loads(stopped.stdout)["failures"]) == 1


@pytest.mark.parametrize("restart", [False, True], ids=["resumed", "restarted"])
def test_a_video_that_is_gone_keeps_its_result_in_a_file_to_resume_from(
    restart: bool, assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_fakes(monkeypatch, classify=MeanEngine())
    video = tmp_path / "clip.gif"
    video.write_bytes((assets / "clips" / "horse_riding.gif").read_bytes())
    command = ["classify", video, "--clip", "centre", "--resume", tmp_path / "done.sqlite", "--json"]
    assert quovadis(*command).returncode == 0
    kept = (tmp_path / "done.sqlite").read_bytes()
    video.unlink()
    run = quovadis(*command, *(["--restart"] if restart else []))
    assert run.returncode == 1
    assert f"{video}: no such file" in run.stderr
    # Not even a restart throws away what is done before there is something in its place.
    assert (tmp_path / "done.sqlite").read_bytes() == kept
