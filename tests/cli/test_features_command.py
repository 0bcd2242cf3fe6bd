"""`quovadis features` with the real network."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from quovadis.cli.main import TERMINATED
from support import command_line
from support.command_line import load_fakes
from support.fake_engine import MeanEngine
from support.synthetic import moving_squares, write_video


def quovadis(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return command_line.quovadis("features", "-w", "rgb-scratch", "--threads", "2", *arguments)


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


@pytest.mark.usefixtures("one_network")
def test_two_videos_give_two_arrays_and_a_line_each_and_a_second_run_the_same_as_json(
    assets: Path, tmp_path: Path
) -> None:
    sources = [assets / "clips" / "archery.avi", assets / "clips" / "horse_riding.gif"]
    options = ("-o", tmp_path / "out", "--clip-frames", "16", "--stride", "64")
    run = quovadis(*sources, *options)
    assert run.returncode == 0, run.stderr
    # 131 and 116 frames at 25 a second: windows of 16 at 0 and 64; 128 is too near the end, or after it.
    archery, horse = (np.load(tmp_path / "out" / f"{name}.npy") for name in ("archery", "horse_riding"))
    assert archery.shape == horse.shape == (2, 1024)
    assert archery.dtype == np.float32
    assert np.isfinite(archery).all()
    assert not np.allclose(archery, horse)
    document = json.loads((tmp_path / "out" / "archery.json").read_text())
    np.testing.assert_allclose(document["start_seconds"], [0, 2.56])
    np.testing.assert_allclose(document["end_seconds"], [0.64, 3.2])
    assert listing(tmp_path / "out") == [
        "archery.json", "archery.npy", "horse_riding.json", "horse_riding.npy",
    ]  # fmt: skip
    assert run.stdout.splitlines() == [
        f"{tmp_path / 'out' / 'archery.npy'}: 2 x 1024",
        f"{tmp_path / 'out' / 'horse_riding.npy'}: 2 x 1024",
    ]
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.npy")}
    again = quovadis(*sources, *options, "--json")
    assert again.returncode == 0, again.stderr
    document = json.loads(again.stdout)
    assert [video["source"] for video in document] == [str(source) for source in sources]
    assert document[0] == {
        "source": str(sources[0]),
        "files": ["archery.npy", "archery.json"],
        "shape": [2, 1024],
        "notes": [],
        "incomplete": False,
    }
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.npy")} == before


def test_like_video_features_leaves_out_what_is_too_short_with_one_line_and_does_the_rest(
    assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_fakes(monkeypatch, features=MeanEngine())
    short, long = assets / "clips" / "sign_language_thanks.mkv", assets / "clips" / "archery.avi"
    run = quovadis(short, long, "-o", tmp_path / "out", "--like", "video_features")
    assert run.returncode == 1
    errors = [line for line in run.stderr.splitlines() if line.startswith("quovadis: error:")]
    assert len(errors) == 1, run.stderr
    assert str(short) in errors[0]
    assert "51 frames are too few: features need 65" in errors[0]
    assert "Traceback" not in run.stderr
    assert listing(tmp_path / "out") == ["archery_fps.npy", "archery_rgb.npy", "archery_timestamps_ms.npy"]
    # 131 frames: (131 - 1) // 64 stacks.
    features = np.load(tmp_path / "out" / "archery_rgb.npy")
    assert features.shape == (2, 1024)
    assert features.dtype == np.float32
    assert np.load(tmp_path / "out" / "archery_fps.npy") == pytest.approx(25)
    np.testing.assert_allclose(np.load(tmp_path / "out" / "archery_timestamps_ms.npy"), [2560, 5120])


def test_where_nothing_can_be_opened_nothing_is_loaded_or_made(assets: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    sources = [tmp_path / "absent.mp4", tmp_path / "empty.mp4"]
    run = quovadis(*sources, "-o", tmp_path / "out", "-w", "no-such-weights")
    assert run.returncode == 1
    assert [line.startswith("quovadis: error: ") for line in run.stderr.splitlines()] == [True, True]
    assert all(str(source) in run.stderr for source in sources)
    assert run.stdout == ""
    assert not (tmp_path / "out").exists()
    assert quovadis(*sources, "-o", tmp_path / "out", "--json").stdout == "[]\n"


def test_notes_are_told_once_and_again_by_a_later_run(
    assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_fakes(monkeypatch, features=MeanEngine())
    source = assets / "clips" / "sign_language_thanks.mkv"
    lines = []
    for _ in range(2):
        run = quovadis(source, "-o", tmp_path / "out")
        assert run.returncode == 0
        lines.append([line for line in run.stderr.splitlines() if "looped" in line])
    assert lines[0] == lines[1] == [f"quovadis: note: {source}: shorter than a window: looped to 79 frames"]


def test_features_like_the_originals_say_where_they_are_of_other_weights(
    rgb_scratch_path: Path, assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The weights are the real ones.
    monkeypatch.setattr("quovadis.recognizer.open_engine", lambda *_, **__: MeanEngine())
    source = assets / "clips" / "sign_language_thanks.mkv"
    options = ("--like", "video_features", "--clip-frames", "16")
    for name, noted in (("auto", True), ("rgb-scratch", False)):
        run = quovadis(source, "-o", tmp_path / name, *options, "-w", name)
        assert run.returncode == 0, run.stderr
        # 51 frames: three stacks of 16 and what follows them.
        assert np.load(tmp_path / name / "sign_language_thanks_rgb.npy").shape == (3, 1024)
        said = "note: video_features' own features are those of rgb-imagenet, and these are of rgb-scratch"
        assert (said in run.stderr) == noted


def test_terminated_it_says_what_ctrl_c_says_and_leaves_nothing_half_done(
    rgb_scratch_path: Path, assets: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    short = write_video(tmp_path / "short.mp4", moving_squares(9))
    # Hundreds of windows follow the only one of the first video.
    sources = [short, *(assets / "clips" / name for name in ("archery.avi", "arm_wrestling.mp4"))]
    command = [sys.executable, "-m", "quovadis", "features", *map(str, sources), "-o", str(out)]
    command += ["-w", "rgb-scratch", "--threads", "2", "--workers", "1", "--clip-frames", "9", "--stride", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not list(out.glob("*.json")):
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=900)
    assert process.returncode == TERMINATED
    assert "Traceback" not in errors
    assert errors.splitlines()[-1] == "quovadis: stopped; the same command resumes from here"
    assert "short.npy" in listing(out)
    assert "arm_wrestling.npy" not in listing(out)
    assert not list(out.glob(".*.part"))
