"""Configurations: files, recipes, and flags beside them."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from quovadis.errors import MissingDependencyError, TrainingError
from quovadis.training import Trainer, TrainingOptions, scaled
from quovadis.training.clips import ClipSampling
from quovadis.training.config import RECIPES, read_config, resolve, write_config
from quovadis.training.options import RunOptions
from quovadis.training.run import train
from quovadis.training.schedule import rate_factor
from support.training import MemoryBatches

DEFAULTS = TrainingOptions(), RunOptions(), ClipSampling()


def test_flags_count_before_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('epochs = 7 # a comment\nhead_rate = 0.5\nstage = "full"\nframes = 32\nweights = "random"\n')
    options, run, sampling = resolve(read_config(str(path)), {"head_rate": 0.25}, *DEFAULTS)
    assert (options.epochs, options.head_rate, options.stage) == (7, 0.25, "full")
    assert (run.weights, sampling.frames) == ("random", 32)


def test_what_was_resolved_is_read_again(tmp_path: Path) -> None:
    options, run, sampling = resolve(read_config("paper-kinetics"), {"videos": 'a "b" \\ ü'}, *DEFAULTS)
    values: dict[str, Any] = {**options.to_dict(), **run.__dict__, **sampling.__dict__}
    write_config(tmp_path / "config.toml", values)
    again = resolve(read_config(str(tmp_path / "config.toml")), {}, *DEFAULTS)
    assert again == [options, run, sampling]


def test_yaml_is_read_where_it_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("epochs: 3\nmilestones: [10, 20]\n")
    pytest.importorskip("yaml")
    assert read_config(str(path)) == {"epochs": 3, "milestones": [10, 20]}
    path.write_text("head_rate: 1e-3\nweight_decay: 1E-07\nbackbone_rate: 2.5e+1\nweights: 1e-3.pt\nsplit: 2\n")
    assert read_config(str(path)) == {
        **{"head_rate": 0.001, "weight_decay": 1e-7, "backbone_rate": 25.0},
        **{"weights": "1e-3.pt", "split": 2},
    }
    for wrong, why in (("[3", ""), ("9" * 5000, "a number has more than 4,300 digits"), ("2026-13-45", "month")):
        path.write_text(f"epochs: {wrong}\n")
        with pytest.raises(TrainingError, match=rf"mine\.yaml: not YAML: {why}"):
            read_config(str(path))


def test_yaml_without_its_package_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path := tmp_path / "mine.yml").write_text("epochs: 3\n")
    own = builtins.__import__
    monkeypatch.setitem(__import__("sys").modules, "yaml", None)
    assert own is builtins.__import__
    with pytest.raises(MissingDependencyError, match=r'PyYAML: run pip install "quovadis\[train\]"'):
        read_config(str(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("epochs = ", r"not TOML: Invalid value"),
        ("epoch = 3\n", r'no option is called "epoch": is epochs meant\?'),
        ("[training]\nepochs = 3\n", r'mine\.toml: "training" is a table: give options by name, in none'),
        ("[seed]\nvalue = 3\n", r'"seed" is a table'),
        ('validation = ""\n', r"mine\.toml: `validation` is empty: give a value, or leave it out"),
        ('weights = ""\n', r"mine\.toml: `weights` is empty"),
        ('from = "Mixed_5b"\n', r'no option is called "from": is from_endpoint meant\?'),
        ('epochs = "many"\n', r"mine\.toml: epochs must be a whole number, not 'many'"),
        (f"epochs = {'9' * 5000}\n", r"mine\.toml: not TOML: a number has more than 4,300 digits; fix it"),
        ("frames = 4\n", r"mine\.toml: frames must be 9 or more, not 4"),
        ('schedule = "step"\n', r"`milestones` are for"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_one_line(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(content)
    with pytest.raises(TrainingError, match=message) as raised:
        resolve(read_config(str(path)), {}, *DEFAULTS, origin=str(path))
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_and_no_recipe() -> None:
    with pytest.raises(TrainingError, match=r"paper-charades: no such file, nor a recipe, which are paper-kinetics, "):
        read_config("paper-charades")


def test_steps_that_are_asked_for_count_before_a_files_epochs() -> None:
    options, *_ = resolve({"epochs": 9}, {"steps": 5}, *DEFAULTS)
    assert options.steps == 5
    options, *_ = resolve(read_config("charades"), {"epochs": 2, "schedule": "cosine"}, *DEFAULTS)
    assert (options.steps, options.epochs, options.milestones) == (None, 2, ())


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_are_whole(name: str) -> None:
    options, _, sampling = resolve(read_config(name), {}, *DEFAULTS)
    assert options.batch == 6
    assert (options.momentum, options.dropout) == (0.9, 0.5)
    assert (sampling.frames, sampling.fps, sampling.short_side, sampling.crop, sampling.flip) == (
        64,
        25,
        256,
        224,
        True,
    )


def test_the_learning_rates_of_the_papers_recipe_at_its_boundaries() -> None:
    options, run, _ = resolve(read_config("paper-kinetics"), {}, *DEFAULTS)
    assert (options.steps, options.global_batch, options.weight_decay, run.weights) == (115_000, 384, 1e-7, "random")
    assert scaled(options, 64 * 6) is options

    def rate(step: int) -> float:
        return options.backbone_rate * rate_factor(options, step, 115_000)

    expected = {0: 0.1, 96_999: 0.1, 97_000: 0.01, 107_999: 0.01, 108_000: 0.001, 114_999: 0.001}
    assert {step: rate(step) for step in expected} == pytest.approx(expected)


def test_the_other_recipes_are_as_published() -> None:
    finetune, *_ = resolve(read_config("paper-finetune"), {}, *DEFAULTS)
    assert (finetune.steps, finetune.global_batch) == (5000, 16 * 6)
    charades, *_ = resolve(read_config("charades"), {}, *DEFAULTS)
    assert (charades.loss, charades.steps, charades.global_batch, charades.weight_decay) == (
        "sigmoid",
        65_000,
        384,
        1e-6,
    )
    assert [charades.head_rate * rate_factor(charades, step, 65_000) for step in (44_999, 45_000)] == pytest.approx(
        [0.1, 0.01]
    )


def test_arguments_of_other_types_are_refused() -> None:
    for given in ({"dataset": 3}, {"folder": None}, {"run": "auto"}, {"options": {"epochs": 3}}, {"sampling": 16}):
        (name,) = given
        with pytest.raises(TrainingError, match=f"^{name} must be "):
            train(**{"dataset": "absent", "folder": "run", **given})  # type: ignore[arg-type]
    for given in ({"options": {"epochs": 3}}, {"folder": None}, {"loss": 3}):
        (name,) = given
        pieces = {"model": nn.Linear(2, 2), "batches": MemoryBatches(), "options": TrainingOptions(), "folder": "run"}
        with pytest.raises(TrainingError, match=f"^{name} must be "):
            Trainer(labels=("a", "b"), **(pieces | given))  # type: ignore[arg-type]
