"""Errors of memory and of the compiler say what to change; all others pass as they are."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from quovadis.errors import TrainingError
from quovadis.training.hardware import cudnn_choice, hardware_errors
from support.training import MemoryBatches, options, small_network, trainer

CUDA_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 79 GiB\nmore")
CPU_MEMORY = RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: 9 bytes")
"""As PyTorch words them."""


class CompilerError(RuntimeError):
    """What the compiler raises, told from others by where it comes from."""

    __module__ = "torch._dynamo.exc"


def failing(error: Exception, *, after: int = 0) -> Any:
    """A network that raises an error once it has run so many times."""

    class Failing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network, self.runs = small_network(), 0

        def forward(self, clips: Tensor) -> Any:
            self.runs += 1
            if self.runs > after:
                raise error
            return self.network(clips)

    return Failing()


@pytest.mark.parametrize("error", [CUDA_MEMORY, CPU_MEMORY], ids=["cuda", "cpu"])
def test_too_little_memory_says_what_takes_less(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as raised:
        trainer(tmp_path, options(), model=failing(error)).fit()
    assert str(raised.value) == (
        "the machine has too little free memory to train on 2 clips at a time: give a smaller `batch`, and more of "
        '`accumulate` for as many clips in a step, or set `checkpoint_activations=True`, or set `amp="bf16"`'
    )
    assert (raised.value.option, raised.value.__cause__) == ("batch", error)


def test_what_takes_less_already_is_not_advised() -> None:
    chosen = options(batch=1, checkpoint_activations=True, amp="bf16", device="cuda:1")
    with pytest.raises(TrainingError) as raised, hardware_errors(chosen, torch.device("cuda", 1)):
        raise CUDA_MEMORY
    assert str(raised.value) == (
        "cuda:1 has too little free memory to train on 1 clip at a time: give clips of fewer `frames`"
    )


def test_memory_that_runs_out_in_validation_is_said_too_and_the_state_is_kept(tmp_path: Path) -> None:
    made = trainer(tmp_path, options(steps=3), model=failing(CUDA_MEMORY, after=3), validation=MemoryBatches())
    with pytest.raises(TrainingError, match="the machine has too little free memory"):
        made.fit()
    assert (tmp_path / "state.ckpt").exists()


def test_memory_that_runs_out_as_the_network_is_moved_is_said_too(tmp_path: Path) -> None:
    model = small_network()

    def fail(**_: object) -> None:
        raise CUDA_MEMORY

    model.to = fail  # type: ignore[method-assign, assignment]
    with pytest.raises(TrainingError, match="too little free memory"):
        trainer(tmp_path, options(), model=model)


def test_a_network_that_cannot_be_compiled_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda module: module)
    error = CompilerError("Failed to find C compiler. Please specify via CC environment variable.\n\nSet TORCH…")
    with pytest.raises(TrainingError) as raised:
        trainer(tmp_path, options(compile=True), model=failing(error)).fit()
    assert str(raised.value) == (
        "PyTorch cannot compile the network here: Failed to find C compiler. Please specify via CC environment "
        "variable; train without `compile`"
    )
    assert raised.value.option == "compile"
    # Where nobody has asked to compile, a module of the user's own does.
    with pytest.raises(CompilerError):
        trainer(tmp_path / "other", options(), model=failing(error)).fit()


def _raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: object) -> Any:
        raise error

    return fail


@pytest.mark.parametrize("error", [RuntimeError("mine"), MemoryError("mine"), ValueError("mine"), KeyError("mine")])
@pytest.mark.parametrize("piece", ["loss", "transform"])
def test_other_errors_of_own_pieces_pass_as_they_are(error: Exception, piece: str, tmp_path: Path) -> None:
    with pytest.raises(type(error)) as raised:
        trainer(tmp_path, options(compile=False), **{piece: _raising(error)}).fit()
    assert raised.value is error


def test_an_error_of_the_loss_passes_also_where_the_network_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "compile", lambda module: module)
    error = RuntimeError("mine")
    with pytest.raises(RuntimeError) as raised:
        trainer(tmp_path, options(compile=True), loss=_raising(error)).fit()
    assert raised.value is error


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("chosen", [False, True])
def test_cudnn_times_its_algorithms_where_asked_and_is_left_as_it_was(
    before: bool, chosen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", before)
    settings = options(device="cuda", cudnn_benchmark=chosen)
    with suppress(KeyboardInterrupt), cudnn_choice(settings):
        assert torch.backends.cudnn.benchmark is (before or chosen)
        raise KeyboardInterrupt
    assert torch.backends.cudnn.benchmark is before
