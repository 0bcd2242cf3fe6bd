"""`quovadis inflate`, and every command that takes what it writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from quovadis.torch import I3D, normalize
from support.command_line import quovadis
from support.googlenet import googlenet
from support.image_networks import random_image
from support.synthetic import write_video

CLASSES = ("to wave", "to nod", "to point")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "googlenet.safetensors"
    save_file({name: value.numpy() for name, value in googlenet().state_dict().items()}, path)
    return path


@pytest.fixture(scope="module")
def inflated(source: Path) -> Path:
    """A file with a last layer of three classes, which has random weights."""
    path, labels = source.with_name("i3d.safetensors"), source.with_name("classes.txt")
    labels.write_text("".join(f"{name}\n" for name in CLASSES))
    done = quovadis("inflate", source, path, "--labels", labels, COLUMNS="1000")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{path}: I3D inflated from torchvision's GoogLeNet, 3 classes, a new last layer, seed 0\n"
    assert (
        done.stderr
        == f"quovadis: {path}: its last layer has random weights: train it before its predictions mean anything\n"
    )
    return path


def test_what_was_done_is_printed_as_json(source: Path, tmp_path: Path) -> None:
    path = tmp_path / "i3d.safetensors"
    done = quovadis("inflate", source, path, "--json", "--input-scaling", "imagenet")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.pop("weights")["name"] == "i3d"
    assert found == {
        "path": str(path),
        "source": str(source),
        "network": "torchvision's GoogLeNet",
        "num_classes": 10,
        "head": "source",
        "seed": None,
        "input_scaling": "imagenet",
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--num-classes", "2", "--keep-head"], "--keep-head has no effect with --num-classes"),
        (["--num-classes", "0"], "--num-classes"),
        (["--seed", "3"], "--seed has no effect without --labels or --num-classes"),
        (["--seed", "3", "--num-classes", "2", "--keep-head"], "has no effect with"),
        (["--input-scaling", "caffe"], "symmetric"),
    ],
)
def test_options_without_an_effect_are_refused(arguments: list[str], said: str) -> None:
    done = quovadis("inflate", "absent.ckpt", "absent.safetensors", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_what_cannot_be_done_is_one_line_with_the_flag_that_helps(source: Path, tmp_path: Path) -> None:
    taken, headless = tmp_path / "taken.safetensors", tmp_path / "headless.safetensors"
    taken.write_bytes(b"precious")
    state = {name: value.numpy() for name, value in googlenet().state_dict().items() if not name.startswith("fc.")}
    save_file(state, headless)
    for arguments, said in {
        (source, taken): f"{taken}: is there already; --force replaces it",
        (headless, tmp_path / "x.safetensors"): f"{headless}: has no last layer to inflate; give the classes of a new "
        "one, with --labels or --num-classes",
        (tmp_path / "absent.ckpt", tmp_path / "x.safetensors"): f"{tmp_path / 'absent.ckpt'}: no such file",
    }.items():
        done = quovadis("inflate", *arguments, COLUMNS="1000")
        assert done.returncode == 1
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
    assert taken.read_bytes() == b"precious"


@pytest.mark.slow
def test_every_command_takes_the_file(inflated: Path, tmp_path: Path) -> None:
    video = tmp_path / "video.mp4"
    write_video(video, [random_image()] * 16)
    done = quovadis("classify", video, "-w", inflated, "--clip-frames", "9", "--json")
    assert done.returncode == 0, done.stderr
    assert {entry["label"] for entry in json.loads(done.stdout)["results"][0]["top"]} == set(CLASSES)
    done = quovadis("features", video, "-w", inflated, "-o", tmp_path / "features", "--clip-frames", "9")
    assert done.returncode == 0, done.stderr
    (features,) = (tmp_path / "features").glob("*.npy")
    assert np.load(features).shape[-1] == 1024
    done = quovadis("convert", inflated, tmp_path / "i3d.ckpt", "--no-verify")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "labels.txt").read_text().splitlines() == list(CLASSES)
    clip = normalize(torch.from_numpy(np.repeat(random_image()[None, None], 9, axis=1)))
    with torch.inference_mode():
        first, second = (I3D.from_pretrained(path)(clip) for path in (inflated, tmp_path / "i3d.ckpt"))
    torch.testing.assert_close(first, second)
