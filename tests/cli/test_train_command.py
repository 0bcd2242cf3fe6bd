"""quovadis train: what it takes, and what it refuses."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from quovadis.training import ClipSampling, RunOptions, TrainingOptions
from quovadis.training.synthetic import write_motion_dataset
from support.command_line import quovadis


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_motion_dataset(tmp_path_factory.mktemp("motion") / "videos", videos_per_class=2, frames=9, size=64)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--amp", "fp16"], "--amp fp16 is for --device cuda; leave it out on CPU"),
        (["--schedule", "step"], "--milestones are for --schedule step, which needs them"),
        (["--config", "paper-kinetic"], "paper-kinetic: no such file, nor a recipe"),
        (["--from", "Mixed_9"], 'no layer is called "Mixed_9"'),
        (["--epochs", "0"], "--epochs"),
        (["--crop", "300"], "cannot be cut out of a short side of 256: give --crop at most --short-side"),
    ],
)
def test_a_wrong_command_line_is_said_at_once(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = quovadis("train", "absent", "--out", tmp_path / "run", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "run").exists()


def test_flags_and_a_configuration_go_together(tmp_path: Path) -> None:
    (config := tmp_path / "steps.toml").write_text('schedule = "step"\nmilestones = [5]\n')
    done = quovadis("train", tmp_path / "absent", "--out", tmp_path / "run", "--schedule", "step", "--config", config)
    assert done.returncode == 1
    assert "absent: no such file or folder" in done.stderr


def test_without_pytorch_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    done = quovadis("train", tmp_path, "--out", tmp_path / "run")
    assert done.returncode == 1
    assert 'quovadis train needs PyTorch: run pip install "quovadis[train]"' in done.stderr


def test_stages_that_cannot_be_are_refused(videos: Path, tmp_path: Path) -> None:
    done = quovadis("train", videos, "--out", tmp_path / "run", "-w", "random")
    assert done.returncode == 1
    assert "random weights have no features to learn from: choose --stage full" in done.stderr


def test_a_class_with_one_video_is_named(videos: Path, tmp_path: Path) -> None:
    (lone := tmp_path / "videos" / "lone").mkdir(parents=True)
    (lone / "a.mp4").write_bytes(next(videos.rglob("*.mp4")).read_bytes())
    done = quovadis("train", tmp_path / "videos", "--out", tmp_path / "run", "-w", "random", "--stage", "full")
    assert done.returncode == 1
    assert 'the class "lone" has one video, ' in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.fixture
def small_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    from quovadis.torch import I3D

    def small(weights: object, labels: tuple[str, ...], options: object) -> I3D:
        return I3D(len(labels), width=1 / 16, pool=(2, 1, 1))

    monkeypatch.setattr("quovadis.training.run.initial_network", small)


@pytest.mark.usefixtures("small_networks")
def test_a_video_that_cannot_be_read_is_listed_while_the_training_goes_on(videos: Path, tmp_path: Path) -> None:
    from quovadis.training.run import SilentObserver, train

    shutil.copytree(videos, tmp_path / "videos")
    broken = next((tmp_path / "videos").iterdir()) / "broken.mp4"
    broken.write_bytes(b"no video")
    listed: list[bool] = []

    class Observer(SilentObserver):
        def step(self, report: object) -> None:
            listed.append((tmp_path / "run" / "skipped.json").exists())

    train(
        tmp_path / "videos",
        tmp_path / "run",
        run=RunOptions(weights="random", validation=str(videos)),
        options=TrainingOptions(stage="full", epochs=2, batch=3, workers=0),
        sampling=ClipSampling(frames=9, short_side=32, crop=32),
        observer=Observer(),
    )
    assert listed[-1]
    assert str(broken.relative_to(tmp_path / "videos")) in json.loads((tmp_path / "run" / "skipped.json").read_text())


@pytest.mark.usefixtures("small_networks")
def test_a_small_training_from_files_to_weights(videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "run"
    arguments = ["-w", "random", "--stage", "full", "--epochs", "2", "--batch", "3", "--workers", "0"]
    sampling = ["--frames", "9", "--short-side", "32", "--crop", "32", "--no-flip"]
    done = quovadis("train", videos, "--out", run, *arguments, *sampling)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"next: quovadis classify VIDEO -w {run / 'best.safetensors'}"
    assert "quovadis: step 4: video top-1" in done.stderr
    assert {path.name for path in run.iterdir()} == {
        *("best.safetensors", "last.safetensors", "state.ckpt", "config.toml", "split.json"),
        *("history.jsonl", "history.csv", "predictions.jsonl", "report.html", "tensorboard"),
    }
    again = quovadis("train", videos, "--out", run, *arguments, *sampling, "--momentum", "0.8")
    assert again.returncode == 1
    assert "with --momentum 0.9, and this run is with --momentum 0.8; give another one to --out" in again.stderr
    before = (run / "best.safetensors").read_bytes(), (run / "config.toml").read_bytes()
    (run / "state.ckpt").rename(tmp_path / "state.ckpt")
    monkeypatch.setattr("quovadis.training.run.load_weights", lambda *_, **__: None)
    head = quovadis("train", videos, "--out", run, "-w", "rgb-scratch", *sampling)
    assert head.returncode == 1
    assert head.stderr == (
        f"quovadis: error: {run}: holds results made with --stage full, and this run is with --stage head; "
        "give another one to --out, or --restart to start over\n"
    )
    assert before == ((run / "best.safetensors").read_bytes(), (run / "config.toml").read_bytes())
    config = quovadis("train", videos, "--out", tmp_path / "again", "--config", run / "config.toml", "--quiet")
    assert (config.returncode, config.stdout, config.stderr) == (0, "", "")
