"""What a folder holds of an earlier training: the same one may go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from quovadis.errors import OutputError
from quovadis.training.earlier_run import HEAD_FOLDER, refuse_other_training
from quovadis.training.options import TrainingOptions
from quovadis.training.output import BEST_NAME, TRAINING_KEY, write_weights
from quovadis.training.state import STATE_NAME
from quovadis.weights.input_specification import UNSPECIFIED

PROVENANCE = {"dataset_sha256": "abc", "sampling": {"frames": 16, "scales": None}, "initial_weights": "rgb-scratch"}


def leave(folder: Path, options: TrainingOptions) -> None:
    """Write weights as a training does."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {"options": options.to_dict(), **PROVENANCE}
    write_weights(folder / BEST_NAME, {"w": np.zeros(1, np.float32)}, ("a", "b"), UNSPECIFIED, told)


@pytest.mark.parametrize("stage", ["head", "full", "head,full"])
def test_an_empty_folder_takes_any_training(stage: Any, tmp_path: Path) -> None:
    refuse_other_training(tmp_path / "absent", TrainingOptions(stage=stage), PROVENANCE)
    (tmp_path / BEST_NAME).write_bytes(b"no weights")
    refuse_other_training(tmp_path, TrainingOptions(stage=stage), PROVENANCE)


@pytest.mark.parametrize("told", ['{"options": [1]}', '{"options": null}', "[" * 100_000, "1"])
def test_weights_that_say_nothing_sensible_of_their_training_take_any(told: str, tmp_path: Path) -> None:
    save_file({"w": np.zeros(1, np.float32)}, tmp_path / BEST_NAME, {TRAINING_KEY: told})
    for options in (TrainingOptions(stage="full"), TrainingOptions(stage="head,full")):
        refuse_other_training(tmp_path, options, PROVENANCE)


def test_a_stage_head_may_be_run_again_where_only_the_machine_is_another(tmp_path: Path) -> None:
    leave(tmp_path, TrainingOptions())
    # What the stage does not read decides nothing either.
    refuse_other_training(tmp_path, TrainingOptions(workers=9, device="cuda", head_rate=0.5, save_every=3), PROVENANCE)


@pytest.mark.parametrize(
    ("options", "provenance", "told"),
    [
        ({"label_smoothing": 0.1}, {}, "without `label_smoothing`, and this run is with `label_smoothing=0.1`"),
        ({"balance": "sampler"}, {}, 'with `balance="none"`, and this run is with `balance="sampler"`'),
        ({}, {"dataset_sha256": "def"}, "with dataset abc…, and this run is with dataset def…"),
        ({}, {"sampling": {"frames": 32}}, "with `frames=16`, and this run is with `frames=32`"),
        ({}, {"initial_weights": "best"}, 'with `weights="rgb-scratch"`, and this run is with `weights="best"`'),
        ({"stage": "full"}, {}, 'with `stage="head"`, and this run is with `stage="full"`'),
    ],
)
def test_another_training_is_refused_with_what_differs(
    options: dict[str, Any], provenance: dict[str, Any], told: str, tmp_path: Path
) -> None:
    leave(tmp_path, TrainingOptions())
    with pytest.raises(OutputError) as caught:
        refuse_other_training(tmp_path, TrainingOptions(**options), {**PROVENANCE, **provenance})
    assert str(caught.value) == (
        f"{tmp_path}: holds results made {told}; choose another `folder`, or `restart=True` to start over"
    )


def test_of_both_stages_the_options_of_the_second_count_before_the_first_is_done_again(tmp_path: Path) -> None:
    leave(tmp_path / HEAD_FOLDER, TrainingOptions(stage="head,full"))
    refuse_other_training(tmp_path, TrainingOptions(stage="head,full", save_every=9), PROVENANCE)
    with pytest.raises(OutputError, match=r"with `head_rate=0\.01`, and this run is with `head_rate=0.5`"):
        refuse_other_training(tmp_path, TrainingOptions(stage="head,full", head_rate=0.5), PROVENANCE)


def test_of_a_state_the_trainer_tells_more(tmp_path: Path) -> None:
    leave(tmp_path, TrainingOptions(stage="head,full"))
    (tmp_path / STATE_NAME).touch()
    refuse_other_training(tmp_path, TrainingOptions(stage="full"), PROVENANCE)
    with pytest.raises(OutputError, match='with `stage="head,full"`, and this run is with `stage="head"`'):
        refuse_other_training(tmp_path, TrainingOptions(), PROVENANCE)
