"""quovadis info: what a file of one's own weights is comes first, and the model card is that of these weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quovadis.architecture import variable_shapes
from quovadis.training.options import TrainingOptions
from quovadis.training.output import write_weights
from quovadis.weights import InputSpecification, Verification
from support.command_line import quovadis

CLASSES = ("bow", "clap & jump", "wave")
SPECIFIED = InputSpecification(clip_frames=16, fps=12.5, short_side=256, crop_size=224)
VALIDATION = {"videos": 12, "loss": 0.5, "clip_top1": 0.625, "video_top1": 0.75}


def write(path: Path, told: dict[str, Any]) -> Path:
    tensors = {name: np.zeros(shape, np.float32) for name, shape in variable_shapes(len(CLASSES)).items()}
    write_weights(path, tensors, CLASSES, SPECIFIED, told)
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = TrainingOptions(stage="full", momentum=0.8).to_dict()
    told = {"options": options, "step": 40, "initial_weights": "rgb-scratch", "validation": VALIDATION}
    return write(tmp_path_factory.mktemp("run") / "best.safetensors", told)


def test_ones_own_file_is_told_before_the_model_card(trained: Path) -> None:
    lines = [line.rstrip() for line in quovadis("info", trained).stdout.splitlines()]
    card = lines.index("i3d-rgb")
    facts = {line[:10].strip(): line[10:].strip() for line in lines[:card]}
    assert facts["weights"] == "not official"
    assert facts["classes"] == "3: bow, clap & jump, wave"
    assert facts["clips"] == "16 frames, 12.5 frames a second, short side 256, crop 224x224"
    assert facts["trained"] == "stage full, 40 steps, from rgb-scratch"
    assert facts["options"] == "momentum 0.8"
    assert facts["validation"] == "video top-1 75.0 %, clip top-1 62.5 %, of 12 videos"
    # The card is that of the file: its classes, its clips, and nothing that was published of others.
    assert not [line for line in lines if "Kinetics" in line or "published" in line]
    assert any(line.startswith("task") and line.endswith("3 classes") for line in lines[card:])
    assert any("1,16,224,224,3" in line for line in lines[card:])


def test_it_is_there_for_programs_too(trained: Path) -> None:
    card = json.loads(quovadis("info", trained, "--json").stdout)
    assert card["weights"]["labels"] == list(CLASSES)
    assert card["weights"]["input"] == SPECIFIED.to_dict()
    assert card["weights"]["training"]["validation"] == VALIDATION
    assert (card["time_steps"], card["published_accuracy"]) == (1, [])
    assert card["parameters_folded"] == json.loads(quovadis("info", "--json").stdout)["parameters_folded"] - 397 * 1025
    assert json.loads(quovadis("info", trained, "--json", "--frames", "32").stdout)["time_steps"] == 3


@pytest.mark.parametrize(
    "told",
    [
        {"options": ["full"], "validation": "good"},
        {"options": {"stage": ["full"], "batch": {"a": 1}}, "step": "many", "validation": {"video_top1": "high"}},
        {"options": {"[bold]": "[red]"}, "validation": {"video_top1": 0.5, "videos": None}},
    ],
)
def test_metadata_may_say_anything(told: dict[str, Any], tmp_path: Path) -> None:
    done = quovadis("info", write(tmp_path / "odd.safetensors", told))
    assert (done.returncode, done.stderr) == (0, "")
    assert "classes" in done.stdout


def test_official_weights_of_other_classes_have_no_card_of_kinetics_400(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "rgb-scratch-kinetics600"
    found = Verification(name, (), 230, 1, num_classes=600, sha256="a" * 64, official_name=name, problem=None)
    monkeypatch.setattr("quovadis.cli.info.check_weights", lambda _: found)
    card = json.loads(quovadis("info", name, "--json").stdout)
    assert card["task"] == "video classification, 600 classes"
    assert card["published_accuracy"] == []
