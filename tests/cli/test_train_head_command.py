"""quovadis train --stage head: what it reads, what it refuses, and what it leaves alone."""

from __future__ import annotations

import hashlib
import html
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

from quovadis.architecture import variable_shapes
from quovadis.cli.train import _next_commands
from quovadis.training.clips import ClipSampling
from quovadis.training.config import read_config, resolve
from quovadis.training.options import RunOptions, TrainingOptions
from quovadis.training.synthetic import write_motion_dataset
from quovadis.weights import Weights
from quovadis.weights.model import make_weights
from support.command_line import quovadis
from support.fake_engine import FakeEngine, recognizer

pytestmark = pytest.mark.slow

CLIPS = ["--frames", "9", "--views", "1", "--head-clips", "1"]


class CoarseEngine(FakeEngine):
    """Features are the mean colours of a grid of 16 by 16 over the first frame; one is enough for all trainings."""

    def close(self) -> None:
        pass

    def answer(self, clip: NDArray[Any], steps: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        grid = clip[0].reshape(16, 14, 16, 14, 3).mean((1, 3)).reshape(-1)
        features = np.zeros((steps, 1024), np.float32)
        features[:, : len(grid)] = grid
        return np.zeros((steps, 400), np.float32), features


def backbone(value: float) -> Weights:
    tensors = {name: np.full(shape, value, np.float32) for name, shape in variable_shapes(2).items()}
    return make_weights(tensors, Path(f"backbone {value}"), f"backbone {value}")


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_motion_dataset(tmp_path_factory.mktemp("motion") / "videos", videos_per_class=2, frames=9, size=64)


@pytest.fixture(scope="module")
def engine() -> Iterator[FakeEngine]:
    """What computes the features; `-w a` and `-w b` are other weights."""
    engine = CoarseEngine()
    weights = {"a": backbone(0.0), "b": backbone(1.0)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("quovadis.training.run.load", lambda *_, **__: recognizer(engine))
        patch.setattr("quovadis.training.run.load_weights", lambda name, **_: weights[name])
        yield engine


def train(dataset: Path, run: Path, *more: str | Path) -> subprocess.CompletedProcess[str]:
    return quovadis("train", dataset, "--out", run, "-w", "a", *CLIPS, *more)


@pytest.fixture(scope="module")
def run(videos: Path, engine: FakeEngine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that is done."""
    done = train(videos, folder := tmp_path_factory.mktemp("runs") / "run")
    assert done.returncode == 0, done.stderr
    return folder


def content(run: Path) -> dict[str, str]:
    """Digests of what the run made, but for the report, which tells the time."""
    files = [path for path in run.iterdir() if path.suffix in (".safetensors", ".toml", ".json", ".csv")]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize(
    ("more", "differs"),
    [
        (["--label-smoothing", "0.1"], "without --label-smoothing, and this run is with --label-smoothing 0.1;"),
        (["--head-clips", "2"], "with --head-clips 1, and this run is with --head-clips 2;"),
        (["--no-flip"], "with --flip, and this run is without --flip;"),
        (["-w", "b"], "with --weights backbone 0.0, and this run is with --weights backbone 1.0;"),
        (["--validation-share", "0.4"], "without --validation-share, and this run is with --validation-share 0.4;"),
        (["--seed", "1"], "without --seed and with dataset "),
        (["--stage", "full"], "with --stage head, and this run is with --stage full;"),
    ],
)
def test_another_training_in_the_same_folder_is_refused(more: list[str], differs: str, videos: Path, run: Path) -> None:
    before = content(run)
    own = CLIPS[: 4 if "full" in more else 6]
    done = quovadis("train", videos, "--out", run, "-w", "a", *own, *more)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"quovadis: error: {run}: holds results made {differs}")
    assert line.endswith("choose another --out, or --restart to start over")
    assert content(run) == before


def test_the_same_command_again_makes_the_same_of_the_same_features(
    videos: Path, run: Path, engine: FakeEngine
) -> None:
    before, table, clips = load_file(run / "best.safetensors"), (run / "history.csv").read_text(), len(engine.shapes)
    again = train(videos, run)
    assert again.returncode == 0, again.stderr
    after = load_file(run / "best.safetensors")
    assert [name for name in before if not np.array_equal(before[name], after[name])] == []
    assert (run / "history.csv").read_text() == table
    assert len(engine.shapes) == clips


def next_training(page: Path) -> list[str]:
    """What a report says to run to train the whole network, as arguments."""
    (line,) = re.findall("quovadis train [^<]*", html.unescape(page.read_text()))
    return shlex.split(line)[1:]


def test_the_next_training_takes_the_same_clips_of_the_same_videos(videos: Path, run: Path, tmp_path: Path) -> None:
    command = next_training(run / "report.html")
    best, config = run / "best.safetensors", run / "config.toml"
    expected = ["train", videos, "--out", f"{run}-full", "--stage", "full", "--from", "Mixed_5b", "-w", best]
    assert command == list(map(str, [*expected, "--config", config]))
    sampling = resolve(read_config(str(config)), {"stage": "full"}, TrainingOptions(), RunOptions(), ClipSampling())[2]
    assert (sampling.frames, sampling.views) == (9, 1)
    # Its options are right: it comes as far as the dataset.
    done = quovadis("train", tmp_path / "absent", *command[2:])
    assert (done.returncode, done.stderr.splitlines()[-1].endswith("absent: no such file or folder")) == (1, True)


def test_the_next_training_after_the_usual_options_needs_no_configuration() -> None:
    usual = TrainingOptions(head_clips=1), RunOptions(weights="rgb-scratch"), ClipSampling(views=3)
    command = _next_commands(Path("videos"), Path("runs/x"), *usual)[-1]
    best = "runs/x/best.safetensors"
    assert command == f"quovadis train videos --out runs/x-full --stage full --from Mixed_5b -w {best}"


def test_options_of_a_recipe_for_another_stage_are_told_and_left_out(
    videos: Path, tmp_path: Path, engine: FakeEngine
) -> None:
    config = tmp_path / "mine.toml"
    config.write_text('stage = "full"\nsteps = 500\nhead_rate = 0.3\nlabel_smoothing = 0.1\n')
    done = train(videos, tmp_path / "run", "--config", config, "--stage", "head")
    assert done.returncode == 0, done.stderr
    assert "quovadis: note: without effect in the stage head: --steps, --head-rate" in done.stderr.splitlines()
    resolved = (tmp_path / "run" / "config.toml").read_text()
    assert "label_smoothing = 0.1\n" in resolved
    assert not {"steps", "epochs", "head_rate", "from_endpoint"} & {
        line.partition(" ")[0] for line in resolved.split("\n")
    }
    # What was resolved is the same training.
    again = train(videos, tmp_path / "run", "--config", tmp_path / "run" / "config.toml", "--quiet")
    assert (again.returncode, again.stderr) == (0, "")
