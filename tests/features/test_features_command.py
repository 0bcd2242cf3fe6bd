"""`quovadis features`, run as users run it: in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest


def quovadis(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command with stdout and stderr kept apart."""
    return subprocess.run(
        [sys.executable, "-m", "quovadis", "features", *map(str, arguments), "-w", "rgb-scratch", "--threads", "2"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "COLUMNS": "120"},
    )


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_two_videos_give_two_arrays_and_a_line_each_and_a_second_run_the_same_as_json(
    rgb_scratch_path: Path, assets: Path, tmp_path: Path
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
    seconds = np.load(tmp_path / "out" / "archery_seconds.npy")
    np.testing.assert_allclose(seconds, [[0, 0.64], [2.56, 3.2]])
    assert listing(tmp_path / "out") == [
        "archery.npy", "archery_seconds.npy", "horse_riding.npy", "horse_riding_seconds.npy",
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
        "files": ["archery.npy", "archery_seconds.npy"],
        "shape": [2, 1024],
        "notes": [],
    }
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.npy")} == before


def test_like_video_features_leaves_out_what_is_too_short_with_one_line_and_does_the_rest(
    rgb_scratch_path: Path, assets: Path, tmp_path: Path
) -> None:
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
