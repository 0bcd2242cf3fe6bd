"""A training that is killed goes on as if nothing had happened."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from quovadis.durable import atomic_write
from quovadis.errors import OutputError
from quovadis.training.history import read_history
from quovadis.training.trainer import StepReport
from support.training import MemoryBatches, options, small_network, state_of, trainer


class Killed(BaseException):
    """Ends a training at once, as SIGKILL would: nothing is caught, nothing is tidied."""


def fit(folder: Path, *, kill_after: tuple[int, ...] = (), **settings: Any) -> dict[str, torch.Tensor]:
    """Train in a folder, killed after so many steps of each run, and return all that the training ends with."""

    def killer(steps: int) -> Any:
        left = iter(range(steps, -1, -1))

        def on_step(report: StepReport) -> None:
            if next(left) == 0:
                raise Killed

        return on_step

    chosen = options(steps=13, **{"save_every": 2, "dropout": 0.5, "accumulate": 2, **settings})
    for steps in kill_after:
        made = trainer(folder, chosen, validation=MemoryBatches(seed=9), on_step=killer(steps))
        with pytest.raises(Killed):
            made.fit()
    # Another network to begin with: all that matters is in the state.
    model = small_network(seed=7) if kill_after else small_network()
    made = trainer(folder, chosen, validation=MemoryBatches(seed=9), model=model)
    made.fit()
    average = {} if made.average is None else {f"average.{key}": value for key, value in made.average.tensors.items()}
    return {**state_of(made.model), **average}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="plain"),
        pytest.param({"ema_decay": 0.9}, id="average", marks=pytest.mark.soak),
        pytest.param({"amp": "bf16"}, id="bf16", marks=pytest.mark.soak),
        pytest.param({"amp": "bf16", "ema_decay": 0.9, "channels_last": True}, id="bf16 and average"),
    ],
)
def test_a_killed_training_goes_on_bit_for_bit_and_then_is_done(settings: dict[str, Any], tmp_path: Path) -> None:
    whole = fit(tmp_path / "whole", **settings)
    after = tuple(int(steps) for steps in np.random.default_rng(len(settings)).integers(2, 5, 3))
    parts = fit(tmp_path / "parts", kill_after=after, **settings)
    assert whole.keys() == parts.keys()
    assert [key for key in whole if not whole[key].equal(parts[key])] == []
    assert digest(tmp_path / "whole" / "predictions.jsonl") == digest(tmp_path / "parts" / "predictions.jsonl")
    for name in ("best.safetensors", "last.safetensors"):
        one, other = (load_file(tmp_path / run / name) for run in ("whole", "parts"))
        assert [key for key in one if not np.array_equal(one[key], other[key])] == [], name
    # The history has every step once, and so has that of a training that was killed.
    histories = [[*read_history(tmp_path / name / "history.jsonl")] for name in ("whole", "parts")]
    for record in (*histories[0], *histories[1]):
        # Time alone differs.
        record.pop("clips_per_second", None)
        record.pop("seconds", None)
    assert histories[0] == histories[1]
    steps = [record["step"] for record in histories[1] if record["kind"] == "step"]
    assert steps == list(range(1, 14))
    # A training that is done does nothing more.
    before = {path.name: digest(path) for path in (tmp_path / "parts").iterdir()}
    fit(tmp_path / "parts", **settings)
    assert {path.name: digest(path) for path in (tmp_path / "parts").iterdir()} == before


def test_other_options_do_not_go_on_with_a_training(tmp_path: Path) -> None:
    trainer(tmp_path, options(steps=2)).fit()
    with pytest.raises(
        OutputError, match=r"made with `head_rate=0.05`, and this run is with `head_rate=0.07`; choose another"
    ):
        trainer(tmp_path, options(steps=2, head_rate=0.07))
    assert trainer(tmp_path, options(steps=2, head_rate=0.07), restart=True).progress.step == 0
    assert trainer(tmp_path, options(steps=2, workers=5)).progress.step == 2


@pytest.mark.parametrize("content", [b"", b"not a state", b"PK\x03\x04 a torn archive"])
def test_a_damaged_state_is_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "state.ckpt").write_bytes(content)
    with pytest.raises(OutputError, match=r"state\.ckpt: not the state of a training, or damaged; `restart=True`"):
        trainer(tmp_path, options())


def test_a_full_disk_leaves_the_older_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = trainer(tmp_path, options(save_every=1))
    made.step(made.batches.epoch(0))
    made.save()
    older = digest(tmp_path / "state.ckpt")
    made.step(made.batches.epoch(0))

    def full(self: Path, content: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(
        OutputError, match=r"the state of step 2 cannot be written: No space .*; the older state is kept"
    ):
        made.save()
    monkeypatch.undo()
    assert digest(tmp_path / "state.ckpt") == older
    assert not list(tmp_path.glob(".*.part"))
    assert trainer(tmp_path, options(save_every=1)).progress.step == 1


def test_a_state_is_never_there_in_part(tmp_path: Path) -> None:
    path = tmp_path / "state.ckpt"
    path.write_bytes(b"older")

    def write_half() -> None:
        with atomic_write(path) as temporary:
            temporary.write_bytes(b"half of")
            raise Killed

    with pytest.raises(Killed):
        write_half()
    assert path.read_bytes() == b"older"
