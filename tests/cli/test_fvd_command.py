"""quovadis fvd over tiny folders."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quovadis import Recognizer, __version__
from quovadis.fvd import load_statistics
from quovadis.metrics import fvd as fvd_of
from quovadis.metrics import kvd
from support.command_line import quovadis, quovadis_process
from support.video_sets import noise_videos, saved

REAL, FAKE = 5, 3
"""Videos of each set."""
SMALL = ("--frames", "9", "--threads", "2")


def fvd(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return quovadis("fvd", *arguments, **environment)


def assert_one_line_error(run: subprocess.CompletedProcess[str], *needles: str) -> None:
    assert run.returncode == 1
    assert run.stdout == ""
    (line,) = run.stderr.splitlines()
    assert line.startswith("quovadis: error: ")
    for needle in needles:
        assert needle in line


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Neither weights nor a way to them."""
    return {"QUOVADIS_OFFLINE": "1", "QUOVADIS_HOME": str(tmp_path_factory.mktemp("empty"))}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`real` and `fake`, and `real` once more in two shards."""
    path = tmp_path_factory.mktemp("sets")
    for name, count, seed in (("real", REAL, 0), ("fake", FAKE, 1)):
        for number, frames in enumerate(noise_videos(count, frames=9, seed=seed, size=(40, 60))):
            saved(path / name / f"{number}.npy", frames)
    saved(path / "fake" / "short.npy", noise_videos(1, frames=8)[0])
    (path / "fake" / "bad.mp4").write_bytes(b"no video")
    for number in range(REAL):
        shard = path / ("shard1" if number < 2 else "shard2")
        shard.mkdir(exist_ok=True)
        shutil.copy(path / "real" / f"{number}.npy", shard)
    return path


@pytest.fixture(scope="module")
def first_run(folder: Path, rgb_scratch_path: Path) -> subprocess.CompletedProcess[str]:
    return quovadis_process("fvd", folder / "real", folder / "fake", *SMALL, "--stats", folder / "real.npz", "--json")


def document_in(run: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert run.returncode == 0, run.stderr
    document = json.loads(run.stdout)
    assert isinstance(document, dict)
    return document


def distance_in(run: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    (distance,) = document_in(run)["distances"]
    assert isinstance(distance, dict)
    return distance


def test_json_on_stdout_is_one_document_and_what_to_heed_is_on_stderr(
    first_run: subprocess.CompletedProcess[str], folder: Path
) -> None:
    distance = distance_in(first_run)
    assert (distance["frames"], distance["dimensions"]) == (9, 400)
    assert (distance["clips_a"], distance["clips_b"]) == (REAL, FAKE)
    assert distance["fvd"] > 1
    assert isinstance(distance["kvd"], float)
    assert distance["interval"] is None
    lines = first_run.stderr.splitlines()
    assert len(lines) == 4, first_run.stderr
    assert "quovadis: left out: short.npy: too short for clips of 9 frames" in lines
    assert any(line.startswith("quovadis: left out: bad.mp4: ") for line in lines)
    for name, count in (("real", REAL), ("fake", FAKE)):
        warning = (
            f"quovadis: warning: {folder / name}: {count} clips of 9 frames in 400 dimensions: the covariance has rank"
        )
        assert any(line.startswith(warning) for line in lines)


def test_the_document_says_all_that_the_figure_depends_on(
    first_run: subprocess.CompletedProcess[str], folder: Path, borrowed_model: Recognizer
) -> None:
    document = document_in(first_run)
    assert (document["quovadis"], document["covariance"]) == (__version__, "unbiased")
    for name, count in (("real", REAL), ("fake", FAKE + 2)):
        settings, (measured,) = document[name]["settings"], document[name]["measured"]
        assert (settings["coordinate_mode"], settings["clips"], settings["frame_step"]) == ("asymmetric", "first", 1)
        assert settings["features"] == "logits"
        assert settings["weights_sha256"] == borrowed_model.weights.sha256
        assert (measured["source"], measured["videos"]) == (str(folder / name), count)
        assert measured["weights"] == "rgb-scratch"
        assert measured["precision"] == "f32"
    assert [video["name"] for video in document["fake"]["measured"][0]["left_out"]] == ["bad.mp4", "short.npy"]


@pytest.mark.usefixtures("one_network")
def test_a_length_that_is_too_long_does_not_cost_the_others_theirs(
    first_run: subprocess.CompletedProcess[str], folder: Path
) -> None:
    run = fvd(folder / "real", folder / "fake", *SMALL, "--frames", "12", "--json", "--quiet")
    assert run.returncode == 1
    document = json.loads(run.stdout)
    (distance,), expected = document["distances"], distance_in(first_run)
    assert (distance["frames"], distance["fvd"]) == (9, pytest.approx(expected["fvd"], rel=1e-9))
    message = (
        f"{folder / 'real'}: has no clips of 12 frames, but of 9; ask for these, or measure it again with --frames 12"
    )
    assert message in document["missing"]
    assert f"quovadis: error: {message}" in run.stderr.splitlines()


@pytest.mark.usefixtures("one_network")
def test_stylegan_v_compares_random_clips_with_first_ones(folder: Path) -> None:
    run = fvd(folder / "real", folder / "fake", *SMALL, "--like", "stylegan-v")
    assert run.returncode == 0, run.stderr
    assert "clips: random of the real, first of the fake videos" in run.stdout
    assert "covariance: population" in run.stdout
    assert "resize: half-pixel" in run.stdout


def test_kept_statistics_of_other_settings_are_not_used_for_what_is_asked_for(
    first_run: subprocess.CompletedProcess[str], folder: Path, offline: dict[str, str]
) -> None:
    kept = folder / "real.npz"
    run = fvd(folder / "real", "--stats", kept, "--features", "pooled", **offline)
    assert_one_line_error(run, f"{kept} was measured with other settings (--features: logits, not pooled)")
    assert_one_line_error(fvd(kept, kept, "--like", "stylegan-v", **offline), "--resize: asymmetric, not half-pixel")
    assert_one_line_error(fvd(kept, kept, "--frames", "16", **offline), "has no clips of 16 frames, but of 9")


def test_mistakes_in_any_source_are_told_before_the_network_is_loaded(
    first_run: subprocess.CompletedProcess[str], folder: Path, offline: dict[str, str]
) -> None:
    real, absent = folder / "real", folder / "absent"
    for arguments in ((real, absent), (real, real, "--more-real", absent), (real, folder / "fake", "--videos", "2")):
        more = ("--more-fake", absent) if "--videos" in arguments else ()
        assert_one_line_error(fvd(*arguments, *more, **offline), str(absent))
    kept = folder / "real.npz"
    for options, needle in (
        (("--clips", "random", "--seed", "7"), "--clips: first, not random"),
        (("--stats", kept, "--videos", "2"), f"of {REAL} videos, and --videos asks for 2"),
    ):
        sources = (kept, kept) if "--seed" in options else (real, real)
        assert_one_line_error(fvd(*sources, *options, **offline), str(kept), needle)


@pytest.mark.usefixtures("one_network")
def test_statistics_alone_are_told_as_json_too(folder: Path, tmp_path: Path) -> None:
    run = fvd(folder / "real", *SMALL, "--videos", "3", "--stats", tmp_path / "kept.npz", "--json")
    (measured,) = json.loads(run.stdout)["measured"]
    assert (measured["videos"], measured["most_videos"], measured["allow_partial"]) == (3, 3, False)


@pytest.mark.usefixtures("one_network")
def test_kept_statistics_stand_for_the_real_videos(first_run: subprocess.CompletedProcess[str], folder: Path) -> None:
    kept = folder / "real.npz"
    # The folder is not looked at: it need not be there.
    run = fvd(folder / "absent", folder / "fake", *SMALL, "--stats", kept, "--json")
    found, expected = distance_in(run), distance_in(first_run)
    said = f"quovadis: {kept} exists: its statistics of {REAL} clips are used in place of {folder / 'absent'}"
    assert said in run.stderr
    assert found["fvd"] == pytest.approx(expected["fvd"], rel=1e-9)
    assert found["kvd"] == pytest.approx(expected["kvd"], rel=1e-9)


@pytest.mark.usefixtures("one_network")
def test_shards_are_merged_to_what_the_whole_gives(
    first_run: subprocess.CompletedProcess[str], folder: Path, offline: dict[str, str]
) -> None:
    merged = folder / "merged.npz"
    run = fvd(folder / "shard1", "--more-real", folder / "shard2", *SMALL, "--stats", merged)
    assert (run.returncode, run.stdout, run.stderr) == (0, f"{merged}\n", "")
    (whole,), (parts,) = (load_statistics(path).lengths.values() for path in (folder / "real.npz", merged))
    assert parts.moments.count == REAL
    np.testing.assert_allclose(parts.moments.mean, whole.moments.mean, rtol=1e-9)
    # Compared with each other, both need no network.
    distance = distance_in(fvd(folder / "real.npz", merged, "--json", **offline))
    assert distance["fvd"] == pytest.approx(0, abs=1e-6)


def test_a_set_to_be_measured_otherwise_is_refused_before_it_is_measured(
    first_run: subprocess.CompletedProcess[str], folder: Path
) -> None:
    run = fvd(folder / "real.npz", folder / "fake", *SMALL, "--like", "stylegan-v")
    assert_one_line_error(run, "other settings (--resize: asymmetric, not half-pixel, --clips: first, not random)")
    run = fvd(folder / "real", folder / "fake", *SMALL, "--stats", folder / "real.npz", "--features", "pooled")
    assert_one_line_error(run, "other settings (--features: logits, not pooled)")


def test_features_need_no_weights(tmp_path: Path, offline: dict[str, str]) -> None:
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(40, 5)), generator.normal(0.4, 1.1, size=(30, 5))
    sources = [saved(tmp_path / "a.npy", a), saved(tmp_path / "b.npy", b)]
    run = fvd(*sources, "--json", "--bootstrap", "20", **offline)
    distance = distance_in(run)
    assert run.stderr == ""
    assert distance["frames"] == 0
    assert distance["fvd"] == pytest.approx(fvd_of(a, b), rel=1e-9)
    assert distance["kvd"] == pytest.approx(kvd(a, b), rel=1e-9)
    assert 0 <= distance["interval"]["lower"] <= distance["fvd"] <= distance["interval"]["upper"]
    drawn = fvd(*sources, "--bootstrap", "20", **offline).stdout
    assert f"{distance['interval']['lower']:.4f} – {distance['interval']['upper']:.4f}" in drawn
    table = fvd(*sources, "--like", "stylegan-v", "--no-kvd", **offline)
    assert f"{fvd_of(a, b, covariance='population'):.4f}" in table.stdout
    assert table.stderr == ""


def test_what_cannot_be_measured_is_one_line_and_needs_no_network(tmp_path: Path, offline: dict[str, str]) -> None:
    features = saved(tmp_path / "a.npy", np.random.default_rng(0).normal(size=(40, 5)))
    absent = tmp_path / "absent"
    assert_one_line_error(fvd(absent, features, **offline), f"{absent}: no such file or folder")
    assert_one_line_error(fvd(features, f"{absent}.npz", **offline), f"{absent}.npz: no such file")
    assert_one_line_error(
        fvd(features, features, "--stats", f"{features}/a.npz", **offline), f"{features}/a.npz: cannot be written"
    )


@pytest.mark.parametrize(
    "options", [(), ("--frames", "8", "b"), ("--like", "inception", "b"), ("--bootstrap", "1", "b")], ids=str
)
def test_a_wrong_command_line_exits_with_2(options: tuple[str, ...]) -> None:
    run = fvd("a", *options)
    assert run.returncode == 2
    assert "Traceback" not in run.stderr
