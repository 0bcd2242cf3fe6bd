"""quovadis train: what it takes, and what it refuses."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
import torch
from filelock import FileLock

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
        (["--from", "Mixed_5b"], "--from has no effect in the stage head, which trains the last layer alone: choose"),
        (["-w", "random"], "random weights have no features to learn from: choose --stage full"),
        (["--epochs", "0"], "--epochs"),
        (["--ghost-batch", "4"], "--ghost-batch must divide the batch of 6, and 4 does not"),
        (["--validation-share", "0"], "--validation-share must be above 0 and below 1, not 0"),
        (["--crop", "300"], "cannot be cut out of a short side of 256: give --crop at most --short-side"),
        (
            ["--epochs", "3"],
            "--epochs has no effect in the stage head, which trains the last layer alone: choose --stage",
        ),
        (["--stage", "head", "--head-rate", "0.01"], "--head-rate has no effect in the stage head"),
        (
            ["--config", "paper-kinetics", "--stage", "head", "--warmup", "9"],
            "--warmup has no effect in the stage head",
        ),
        (["--stage", "full", "--head-clips", "3"], "--head-clips has no effect in the stage full, which computes no"),
        (
            ["--stage", "full", "--from", "Logits", "--backbone-rate", "0.1"],
            "--backbone-rate has no effect with --from Logits, which trains the last layer alone: leave",
        ),
        (
            ["--stage", "full", "--from", "Logits", "--ghost-batch", "3"],
            "--ghost-batch has no effect with --from Logits",
        ),
        (["--stage", "full", "--engine", "native"], "--engine has no effect in the stage full"),
        (["--stage", "full", "--epochs", "3", "--steps", "9"], "--epochs has no effect with --steps: leave one of"),
    ],
)
def test_a_wrong_command_line_is_said_at_once(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = quovadis("train", "absent", "--out", tmp_path / "run", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "run").exists()


def test_flags_and_a_configuration_go_together(tmp_path: Path) -> None:
    (config := tmp_path / "steps.toml").write_text('schedule = "step"\nmilestones = [5]\n')
    done = quovadis(
        "train",
        tmp_path / "absent",
        "--out",
        tmp_path / "run",
        "--stage",
        "full",
        "--schedule",
        "step",
        "--config",
        config,
    )
    assert done.returncode == 1
    assert "absent: no such file or folder" in done.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("head_rate = 0.01\n", "--head-rate has no effect in the stage head"),
        ('stage = "full"\nhead_clips = 9\n', "--head-clips has no effect in the stage full"),
        ('stage = "full"\nsteps = 3\nepochs = 9\n', "--epochs has no effect with --steps"),
        (
            'stage = "full"\nfrom_endpoint = "Logits"\nbackbone_rate = 0.1\n',
            "--backbone-rate has no effect with --from Logits",
        ),
    ],
)
def test_a_configuration_has_options_for_its_own_stage(content: str, message: str, tmp_path: Path) -> None:
    (config := tmp_path / "mine.toml").write_text(content)
    done = quovadis("train", tmp_path / "absent", "--out", tmp_path / "run", "--config", config)
    assert done.returncode == 2
    assert f"{config}: {message}" in done.stderr


def test_a_recipe_may_state_a_rate_for_layers_that_are_left_as_they_are(tmp_path: Path) -> None:
    options = ["--config", "paper-finetune", "--from", "Logits"]
    done = quovadis("train", tmp_path / "absent", "--out", tmp_path / "run", *options)
    assert done.returncode == 1
    assert "absent: no such file or folder" in done.stderr


@pytest.mark.parametrize("option", ["--split", "--validation-share"])
def test_divisions_that_a_dataset_does_not_have_are_refused(option: str, videos: Path, tmp_path: Path) -> None:
    more = [option, "1"] if option == "--split" else [option, "0.3", "--validation", videos]
    done = quovadis("train", videos, "--out", tmp_path / "run", *more)
    assert done.returncode == 1
    assert f"{videos}: {option} has no effect here: " in done.stderr
    assert not (tmp_path / "run").exists()


def test_without_pytorch_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    done = quovadis("train", tmp_path, "--out", tmp_path / "run")
    assert done.returncode == 1
    assert 'quovadis train needs PyTorch: run pip install "quovadis[train]"' in done.stderr


@pytest.mark.parametrize("stage", ["head", "full"])
def test_clips_too_small_for_the_network_are_refused(
    stage: str, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # They are not read before this is known.
    monkeypatch.setattr("quovadis.training.run.load_weights", lambda *_, **__: object())
    weights = ["-w", "random"] if stage == "full" else []
    sampling = ["--frames", "9", "--short-side", "64", "--crop", "64"]
    done = quovadis("train", videos, "--out", tmp_path / "run", "--stage", stage, *weights, *sampling)
    assert done.returncode == 1
    needed = "frames of 64x64 pixels are too small: the network needs at least 193x193: give a larger --crop"
    assert done.stderr.splitlines() == [f"quovadis: error: {needed}"]


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


SMALL = ["--frames", "9", "--short-side", "32", "--crop", "32", "--no-flip", "--workers", "0"]


@pytest.mark.usefixtures("small_networks")
def test_unreadable_videos_are_counted_and_named_also_by_names_that_are_no_text(videos: Path, tmp_path: Path) -> None:
    odd = os.fsdecode(b"odd \xff.mp4")
    source = next(videos.rglob("*.mp4")).read_bytes()
    for label in ("one", "two"):
        (folder := tmp_path / "videos" / label).mkdir(parents=True)
        for name in ("a.mp4", "b.mp4", odd):
            (folder / name).write_bytes(source)
        (folder / f"damaged {odd}").write_bytes(source[:100])
    run = tmp_path / "run"
    arguments = ["-w", "random", "--stage", "full", "--epochs", "1", "--batch", "1", "--quiet", *SMALL]
    done = quovadis("train", tmp_path / "videos", "--out", run, *arguments, "--validation-share", "0.5")
    assert done.returncode == 0, done.stderr
    skipped = json.loads((run / "skipped.json").read_text())
    assert skipped.keys() == {f"one/damaged {odd}", f"two/damaged {odd}"}
    counted = f"quovadis: warning: 2 of 8 videos could not be read: {run / 'skipped.json'} says why"
    assert done.stderr.splitlines()[-1] == counted
    split = json.loads((run / "split.json").read_text())
    assert all(Path(path).exists() for part in ("train", "validation") for path in split[part].values())


@pytest.mark.usefixtures("small_networks")
def test_a_validation_part_that_cannot_be_read_is_said(videos: Path, tmp_path: Path) -> None:
    for label in {path.parent.name for path in videos.rglob("*.mp4")}:
        (folder := tmp_path / "others" / label).mkdir(parents=True)
        (folder / "empty.mp4").touch()
    arguments = ["-w", "random", "--stage", "full", "--steps", "1", *SMALL, "--validation", tmp_path / "others"]
    done = quovadis("train", videos, "--out", tmp_path / "run", *arguments)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("none of the videos to validate with could be read: replace them")


@pytest.mark.usefixtures("small_networks")
def test_too_little_memory_names_flags(videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr("quovadis.torch.I3D.forward", fail)
    done = quovadis(
        "train", videos, "--out", tmp_path / "run", "-w", "random", "--stage", "full", "--batch", "4", *SMALL
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "quovadis: error: the machine has too little free memory to train on 4 clips at a time: give a smaller "
        "--batch, and more of --accumulate for as many clips in a step, or set --checkpoint-activations, or set "
        "--amp bf16"
    )


@pytest.mark.usefixtures("small_networks")
def test_a_class_of_which_no_video_can_be_read_is_named(videos: Path, tmp_path: Path) -> None:
    shutil.copytree(videos, tmp_path / "videos")
    (folder := tmp_path / "videos" / "zzz").mkdir()
    for number in range(3):
        (folder / f"{number}.mp4").write_bytes(b"no video")
    arguments = ["-w", "random", "--stage", "full", "--epochs", "1", "--quiet", *SMALL]
    done = quovadis("train", tmp_path / "videos", "--out", tmp_path / "run", *arguments)
    assert done.returncode == 0, done.stderr
    assert 'the class "zzz" is never trained on, and cannot be recognised' in done.stderr.splitlines()[-1]


@pytest.mark.usefixtures("small_networks")
def test_a_video_that_cannot_be_read_is_listed_while_the_training_goes_on(videos: Path, tmp_path: Path) -> None:
    from quovadis.training.observer import SilentObserver
    from quovadis.training.run import train

    shutil.copytree(videos, tmp_path / "videos")
    broken = max((tmp_path / "videos").iterdir()) / "broken.mp4"
    broken.write_bytes(b"no video")
    listed: list[bool] = []

    class Observer(SilentObserver):
        def step(self, report: object) -> None:
            # The first step may be done before the video's turn has come.
            path = tmp_path / "run" / "skipped.json"
            listed.append(path.exists() and "broken.mp4" in path.read_text())

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
        *("best.safetensors", "last.safetensors", "state.ckpt", "state.ckpt.lock", "config.toml", "split.json"),
        *("history.jsonl", "history.csv", "predictions.jsonl", "report.html", "tensorboard"),
    }
    with FileLock(run / "state.ckpt.lock"):
        (run / "skipped.json").write_text("of the other one")
        other = quovadis("train", videos, "--out", run, *arguments, *sampling)
    assert other.returncode == 1
    assert other.stderr.endswith(f"{run}: another training is at work here; choose another --out\n")
    assert (run / "skipped.json").read_text() == "of the other one"
    again = quovadis("train", videos, "--out", run, *arguments, *sampling, "--momentum", "0.8")
    assert again.returncode == 1
    assert "with --momentum 0.9, and this run is with --momentum 0.8; choose another --out" in again.stderr
    assert "momentum = 0.9\n" in (run / "config.toml").read_text()
    before = (run / "best.safetensors").read_bytes(), (run / "config.toml").read_bytes()
    (run / "state.ckpt").rename(tmp_path / "state.ckpt")
    with monkeypatch.context() as patch:
        patch.setattr("quovadis.training.run.load_weights", lambda *_, **__: None)
        head = quovadis("train", videos, "--out", run, "-w", "rgb-scratch", *sampling[:2])
    assert head.returncode == 1
    assert head.stderr == (
        f"quovadis: error: {run}: holds results made with --stage full, and this run is with --stage head; "
        "choose another --out, or --restart to start over\n"
    )
    assert before == ((run / "best.safetensors").read_bytes(), (run / "config.toml").read_bytes())
    (tmp_path / "state.ckpt").rename(run / "state.ckpt")
    config = quovadis("train", videos, "--out", tmp_path / "again", "--config", run / "config.toml", "--quiet")
    assert (config.returncode, config.stdout, config.stderr) == (0, "", "")
    (run / "best.safetensors").unlink()
    gone = quovadis("train", videos, "--out", run, *arguments, *sampling)
    assert gone.returncode == 1
    assert "the training is done, but its weights are gone; --restart trains again" in gone.stderr
