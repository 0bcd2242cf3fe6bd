"""The stage `head` on windows of real clips, from the command line to every engine and format."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors import safe_open

import quovadis as package
from quovadis.engines import open_engine
from quovadis.torch import I3D, normalize
from quovadis.weights import read_weights
from support.command_line import quovadis
from support.renamed_clips import CLIP_FRAMES, CLIPS, write_renamed_clips

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dataset(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("renamed")
    write_renamed_clips(assets / "clips", folder)
    return folder


def train(dataset: Path, weights: Path, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    lists = [dataset / "train.txt", "--validation", dataset / "validation.txt", "--labels", dataset / "labels.txt"]
    sampling = ["--frames", str(CLIP_FRAMES), "--head-clips", "2", "--views", "1", "--no-flip"]
    return quovadis("train", *lists, "-w", weights, "--out", out, *sampling, *more)


@pytest.fixture(scope="module")
def trained(
    dataset: Path, rgb_scratch_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    out = tmp_path_factory.mktemp("runs") / "x"
    return out, train(dataset, rgb_scratch_path, out)


@pytest.fixture(scope="module")
def best(trained: tuple[Path, subprocess.CompletedProcess[str]]) -> Path:
    return trained[0] / "best.safetensors"


@pytest.fixture(scope="module")
def expected(best: Path, clips: NDArray[np.uint8]) -> NDArray[np.float32]:
    return open_engine(read_weights(best).tensors, name="native").run(clips).logits


@pytest.fixture(scope="module")
def clips(cricket_frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return cricket_frames[np.newaxis, :CLIP_FRAMES]


def test_later_windows_are_recognised(trained: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    out, done = trained
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"trained: {out / 'best.safetensors'} (video top-1 100.0 %)",
        f"report: {out / 'report.html'}",
        f"next: quovadis classify VIDEO -w {out / 'best.safetensors'}",
    ]
    assert "video top-1 100.0 %, clip top-1 100.0 %" in done.stderr
    videos = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    assert [video["labels"] for video in videos] == [[video["predicted"]] for video in videos]
    assert sorted(video["predicted"] for video in videos) == sorted(CLIPS)


def test_the_file_says_what_it_is(best: Path) -> None:
    with safe_open(best, "np") as file:
        metadata = file.metadata()
    assert json.loads(metadata["labels"]) == list(CLIPS)
    assert json.loads(metadata["input"]) == {
        "clip_frames": CLIP_FRAMES,
        "fps": 25.0,
        "short_side": 256,
        "crop_size": 224,
        "mean": 127.5,
        "scale": 127.5,
    }
    told = json.loads(metadata["training"])
    assert told["stage"] == "head"
    assert told["initial_weights"] == "rgb-scratch"
    assert len(told["dataset_sha256"]) == 64
    assert told["options"]["head_clips"] == 2


def test_every_engine_has_the_same_logits(best: Path, clips: NDArray[np.uint8], expected: NDArray[np.float32]) -> None:
    weights = read_weights(best)
    assert weights.labels == tuple(CLIPS)
    with torch.inference_mode():
        found = I3D.from_pretrained(weights)(normalize(torch.tensor(clips)))
    assert isinstance(found, torch.Tensor)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-3)
    logits = open_engine(weights.tensors, name="openvino").run(clips).logits
    np.testing.assert_allclose(logits, expected, atol=1e-3)


def test_a_video_is_classified_by_its_new_name(best: Path, assets: Path) -> None:
    model = package.load(best)
    found = model.classify(assets / "clips" / CLIPS["bow and arrow"], clip_frames=CLIP_FRAMES, duration_seconds=1.0)
    assert found.top(1)[0].label == "bow and arrow"


# Every format with classes of its own is a matter of tests/test_own_classes.py.
@pytest.mark.parametrize("suffix", [".onnx", pytest.param(".pb", marks=pytest.mark.soak)])
def test_it_converts_with_its_classes(
    suffix: str, best: Path, clips: NDArray[np.uint8], expected: NDArray[np.float32], tmp_path: Path
) -> None:
    done = package.convert(best, tmp_path / f"model{suffix}", verify=False)
    (model,) = done.models
    read = read_weights(model.path)
    assert read.num_classes == len(CLIPS)
    assert read.labels == tuple(CLIPS)
    np.testing.assert_allclose(open_engine(read.tensors, name="native").run(clips).logits, expected, atol=1e-3)


def test_a_second_run_computes_no_features_again(
    dataset: Path, rgb_scratch_path: Path, best: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("a clip was read")

    monkeypatch.setattr("quovadis.training.clips.ClipDataset.clip", fail)
    before = read_weights(best)
    done = train(dataset, rgb_scratch_path, best.parent, "--label-smoothing", "0.1", "--restart")
    assert done.returncode == 0, done.stderr
    assert read_weights(best).sha256 != before.sha256
