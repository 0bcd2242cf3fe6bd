"""The training loop: what it learns, what it leaves alone, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file
from torch import Tensor, nn

from quovadis.errors import OutputError, TrainingError
from quovadis.torch import BATCH_NORM_MOMENTUM, OffsetBatchNorm
from quovadis.training.history import read_history
from quovadis.weights import InputSpecification
from support.training import FRAMES, LABELS, SIDE, MemoryBatches, options, small_network, state_of, trainer


@pytest.mark.slow
def test_eight_clips_are_learned_by_heart(tmp_path: Path) -> None:
    chosen = options(steps=24, batch=8, head_rate=0.3, backbone_rate=0.3, save_every=1000, schedule="constant")

    class SameClips(MemoryBatches):
        def epoch(self, epoch: int, first: int = 0) -> Any:
            return super().epoch(0, first)

    done = trainer(tmp_path, chosen, batches=SameClips(8, 8))
    done.fit()
    losses = [record["loss"] for record in read_history(tmp_path / "history.jsonl") if record["kind"] == "step"]
    assert losses[0] > 0.5
    assert losses[-1] < 0.01


def test_moving_averages_follow_the_decay_of_the_original() -> None:
    torch.manual_seed(0)
    norm = OffsetBatchNorm(4).train()
    x = torch.randn(3, 4, 2, 5, 5) * 2 + 1
    for _ in range(10):
        norm(x)
    left = 0.999**10
    mean, variance = x.mean((0, 2, 3, 4)), x.var((0, 2, 3, 4), correction=1)
    assert norm.momentum == BATCH_NORM_MOMENTUM
    torch.testing.assert_close(norm.running_mean, mean * (1 - left))
    torch.testing.assert_close(norm.running_var, left + variance * (1 - left))


def test_gradients_are_those_of_finite_differences() -> None:
    model = small_network(2, width=1 / 32).double().train()
    model.dropout.p = 0.0
    torch.manual_seed(1)
    clips, target = torch.rand(2, 3, FRAMES, SIDE, SIDE, dtype=torch.float64), torch.tensor([0, 1])

    def loss() -> Tensor:
        logits = model(clips)
        assert isinstance(logits, Tensor)
        return nn.functional.cross_entropy(logits, target)

    loss().backward()
    generator = np.random.default_rng(0)
    names = (
        "Conv3d_1a_7x7.conv_3d.weight",
        "Mixed_3c.Branch_1.Conv3d_0b_3x3.conv_3d.weight",
        "Mixed_4d.Branch_2.Conv3d_0b_3x3.batch_norm.bias",
        "Logits.Conv3d_0c_1x1.conv_3d.weight",
    )
    parameters = dict(model.named_parameters())
    for name in names:
        parameter = parameters[name]
        index = int(generator.integers(parameter.numel()))
        flat, delta = parameter.data.view(-1), 1e-6
        values = []
        for sign in (1, -1):
            flat[index] += sign * delta
            with torch.no_grad():
                values.append(float(loss()))
            flat[index] -= sign * delta
        assert parameter.grad is not None
        expected = (values[0] - values[1]) / (2 * delta)
        assert float(parameter.grad.view(-1)[index]) == pytest.approx(expected, rel=1e-4, abs=1e-8), name


def test_layers_before_an_endpoint_stay_as_they_are_in_every_way(tmp_path: Path) -> None:
    made = trainer(tmp_path, options(from_endpoint="Mixed_4f", steps=2))
    before = state_of(made.model)
    made.fit()
    changed = {key.partition(".")[0] for key, value in made.model.state_dict().items() if not value.equal(before[key])}
    assert changed == {"Mixed_4f", "Mixed_5b", "Mixed_5c", "Logits"}
    assert all(
        parameter.grad is None for name, parameter in made.model.named_parameters() if name.startswith("Mixed_3")
    )


def test_the_last_layer_may_be_trained_alone(tmp_path: Path) -> None:
    made = trainer(tmp_path, options(from_endpoint="Logits", steps=1))
    before = state_of(made.model)
    made.fit()
    changed = {key for key, value in made.model.state_dict().items() if not value.equal(before[key])}
    assert changed == {"Logits.Conv3d_0c_1x1.conv_3d.weight", "Logits.Conv3d_0c_1x1.conv_3d.bias"}


def test_accumulated_batches_make_the_step_of_one_large_batch(tmp_path: Path) -> None:
    # Batch norm in evaluation mode: over other batches it would be another network.
    states = []
    for name, chosen in {"one": options(batch=4, steps=1), "two": options(batch=2, accumulate=2, steps=1)}.items():
        made = trainer(tmp_path / name, chosen, batches=MemoryBatches(chosen.batch, 4))
        made._frozen = tuple(made.model.modules())
        made.fit()
        states.append(state_of(made.model))
    for key, value in states[0].items():
        torch.testing.assert_close(states[1][key], value, rtol=1e-5, atol=1e-6, msg=key)


@pytest.mark.parametrize("ghost", [None, 1])
def test_checkpointed_activations_change_nothing(ghost: int | None, tmp_path: Path) -> None:
    states = []
    for name in (False, True):
        made = trainer(tmp_path / str(name), options(checkpoint_activations=name, steps=2, ghost_batch=ghost))
        made.fit()
        states.append(state_of(made.model))
    for key, value in states[0].items():
        if not key.endswith("num_batches_tracked"):
            torch.testing.assert_close(states[1][key], value, rtol=1e-6, atol=1e-7, msg=key)


def test_gradients_are_clipped_to_the_norm(tmp_path: Path) -> None:
    made = trainer(tmp_path, options(clip_norm=0.01, steps=1))
    made.step(made.batches.epoch(0))
    norm = torch.sqrt(sum(p.grad.square().sum() for p in made.model.parameters() if p.grad is not None))
    assert float(norm) == pytest.approx(0.01, rel=1e-3)


def test_training_stops_when_evaluations_get_no_better(tmp_path: Path) -> None:
    found = iter([0.5, 0.6, 0.6, 0.55, 0.9])

    class Judged(type(trainer(tmp_path / "none", options()))):  # type: ignore[misc]
        def evaluate(self) -> Any:
            from quovadis.training.evaluate import Evaluation

            zeros = np.zeros((1, 3), np.float32)
            return Evaluation(1.0, ("a",), zeros, zeros, {"video_top1": next(found)})

    made = Judged(
        small_network(),
        MemoryBatches(),
        options(steps=30, patience=2),
        tmp_path / "run",
        labels=LABELS,
        validation=MemoryBatches(),
    )
    done = made.fit()
    assert (done.steps, done.best_step) == (12, 6)
    assert (tmp_path / "run" / "last.safetensors").exists()
    assert made.progress.is_done


def test_a_loss_that_is_no_number_ends_the_training(tmp_path: Path) -> None:
    made = trainer(tmp_path, options(), loss=lambda logits, *_: logits.sum() * float("nan"))
    with pytest.raises(TrainingError, match=r"loss of step 1 is no number: lower `head_rate`"):
        made.fit()


def test_every_piece_can_be_replaced(tmp_path: Path) -> None:
    seen: list[str] = []

    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(3, 3)

        def forward(self, clips: Tensor) -> Tensor:
            logits: Tensor = self.last(clips.mean((2, 3, 4)))
            return logits

    def transform(clips: Tensor, targets: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        seen.append(f"{clips.dtype} {tuple(targets.shape)}")
        return clips.flip(2), targets

    def optimiser(model: nn.Module, chosen: Any) -> torch.optim.Optimizer:
        return torch.optim.AdamW(model.parameters(), lr=chosen.head_rate)

    made = trainer(tmp_path, options(steps=2), model=Pooled(), transform=transform, optimiser=optimiser)
    made.fit()
    assert seen == ["torch.uint8 (2, 3)"] * 2
    assert set(load_file(tmp_path / "last.safetensors")) == {"last.weight", "last.bias"}


def test_the_folder_tells_how_the_training_went(tmp_path: Path) -> None:
    told: list[Any] = []
    made = trainer(
        tmp_path,
        options(),
        validation=MemoryBatches(seed=9),
        views=2,
        provenance={"dataset_sha256": "abc"},
        on_step=told.append,
        on_evaluation=lambda step, _: told.append(step),
        input_specification=InputSpecification(clip_frames=FRAMES, crop_size=SIDE),
    )
    done = made.fit()
    records = list(read_history(tmp_path / "history.jsonl"))
    assert [record["step"] for record in records if record["kind"] == "step"] == list(range(1, 9))
    evaluations = [record for record in records if record["kind"] == "evaluation"]
    assert [record["step"] for record in evaluations] == [3, 6, 8] == [one for one in told if isinstance(one, int)]
    assert {"clip_top1", "video_top1", "loss", "train_loss"} <= evaluations[0].keys()
    header, *rows = (tmp_path / "history.csv").read_text().splitlines()
    assert header.startswith("step,epoch,train_loss,loss,clip_top1")
    assert len(rows) == 3
    videos = [json.loads(line) for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    assert [video["key"] for video in videos] == [f"video {number}" for number in range(6)]
    assert all(video["labels"][0] in LABELS and len(video["scores"]) == 3 for video in videos)
    assert done.evaluation is not None
    assert done.evaluation.score == evaluations[-1]["video_top1"]
    with safe_open(done.best, "np") as file:
        assert json.loads(file.metadata()["input"]) == {"clip_frames": FRAMES, "crop_size": SIDE}


def test_too_few_clips_for_a_batch_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="too few clips for one batch of 7: give a smaller `batch`"):
        trainer(tmp_path, options(batch=7))


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="the folder cannot be made"):
        trainer(tmp_path / "file" / "run", options())
