"""The state of a training on disk, from which it goes on as if nothing had happened."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from torch import Tensor

from quovadis.durable import atomic_write, take_lock
from quovadis.errors import OutputError
from quovadis.runs.settings import difference
from quovadis.training.output import BEST_NAME, LAST_NAME

STATE_NAME = "state.ckpt"
"""In the folder of a run: what the training goes on from."""


@dataclass
class Progress:
    """How far a training has come, but for tensors."""

    step: int = 0
    """Optimiser steps that are done."""
    best_score: float | None = None
    """Of the best evaluation."""
    best_loss: float | None = None
    """Of the best evaluation."""
    best_step: int = 0
    """Steps that were done at the best evaluation."""
    without_better: int = 0
    """Evaluations since then."""
    history_bytes: int = 0
    """Of the history's file: what is behind was written by steps that will be done again."""
    seconds: float = 0.0
    """That the training has taken, over all runs."""
    is_done: bool = False
    """Whether the training is at its end."""
    loss_sum: float = 0.0
    """Of the steps since the last evaluation."""
    loss_steps: int = 0
    """Steps since the last evaluation."""


@dataclass
class TrainingState:
    """Everything that a training goes on from; what is random derives from the seed and the step."""

    settings: Mapping[str, Any]
    """Everything that decides the result, in JSON's types."""
    progress: Progress
    model: dict[str, Tensor]
    optimiser: dict[str, Any]
    scaler: dict[str, Any] = field(default_factory=dict)
    """Of the scaled losses of fp16."""
    average: dict[str, Tensor] = field(default_factory=dict)
    """The moving average of the weights."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Why videos could not be read, by what the dataset calls them: others have come in their place."""


def save_state(path: Path, state: TrainingState) -> None:
    """Write a state; it replaces an older one once it is on disk as a whole.

    Raises:
        OutputError: it cannot be written, such as on a full disk; the older one is still there.
    """
    content = {name: getattr(state, name) for name in state.__dataclass_fields__}
    content |= {"progress": asdict(state.progress), "settings": dict(state.settings)}
    # Into memory first: of an error of the disk PyTorch would say no more than that writing failed.
    stream = io.BytesIO()
    torch.save(content, stream)
    try:
        with atomic_write(path) as temporary:
            temporary.write_bytes(stream.getbuffer())
    except OSError as error:
        kept = "the older state is kept" if path.exists() else "there is no older one"
        raise OutputError(
            f"{path}: the state of step {state.progress.step} cannot be written: {error.strerror}; {kept}: make room, "
            "and run the same command again"
        ) from error


def load_state(path: Path, settings: Mapping[str, Any]) -> TrainingState | None:
    """Read the state that a training of these settings goes on from; None: there is none.

    Raises:
        OutputError: it is damaged, or of a training with other settings, or of one whose weights are gone.
    """
    if not path.exists():
        return None
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        progress = Progress(**content.pop("progress"))
        state = TrainingState(progress=progress, **content)
        told = difference(state.settings, settings)
    except OSError as error:
        raise OutputError(f"{path}: cannot be read: {error.strerror}") from error
    except Exception as error:
        # PyTorch raises errors of many kinds for files that are none of its own.
        raise OutputError(f"{path}: not the state of a training, or damaged; `restart=True` starts over") from error
    if told:
        raise OutputError(f"{path.parent}: {told}; choose another `folder`, or `restart=True` to start over")
    if progress.is_done and not all((path.parent / name).exists() for name in (BEST_NAME, LAST_NAME)):
        raise OutputError(f"{path.parent}: the training is done, but its weights are gone; `restart=True` trains again")
    return state


@contextmanager
def only_training(folder: Path) -> Iterator[None]:
    """Keep other processes from training in a folder at the same time: each would write over the other's files.

    Who holds the lock may take it again.

    Raises:
        OutputError: another process trains there, or the folder cannot be written.
    """
    lock = FileLock(folder / f"{STATE_NAME}.lock", is_singleton=True)
    take_lock(lock, folder, "another training is at work here; choose another `folder`")
    try:
        yield
    finally:
        lock.release()
