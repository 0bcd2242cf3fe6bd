"""The training loop: plain PyTorch, one process or many, resumed as if it had never been stopped."""

from __future__ import annotations

import inspect
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from quovadis.durable import output_folder
from quovadis.errors import TrainingError
from quovadis.fields import check_path
from quovadis.torch import normalize
from quovadis.training.arguments import check_logits, check_loss, check_optimiser, check_pieces, check_transformed
from quovadis.training.batches import Batch, BatchSource, Transform, endless_batches
from quovadis.training.distributed import Process, peak_memory
from quovadis.training.ema import MovingAverage
from quovadis.training.evaluate import Evaluation, evaluate, video_records
from quovadis.training.hardware import cudnn_choice, hardware_errors
from quovadis.training.history import EVALUATION, STEP, History
from quovadis.training.losses import Loss, make_loss, one_hot
from quovadis.training.model_weights import model_tensors, prepare_model
from quovadis.training.optimiser import OptimiserFactory, freeze_before, make_optimiser, set_rates
from quovadis.training.options import NO_RESULT, TrainingOptions, scaled
from quovadis.training.output import BEST_NAME, LAST_NAME, PREDICTIONS_NAME, write_lines, write_weights
from quovadis.training.state import STATE_NAME, Progress, TrainingState, load_state, only_training, save_state
from quovadis.weights.input_specification import UNSPECIFIED, InputSpecification


@dataclass(frozen=True)
class StepReport:
    """How a training stands after a step."""

    step: int
    """Steps that are done."""
    steps: int
    """Steps in all."""
    epoch: int
    """From 0."""
    loss: float
    """Mean of the step's clips, on this process."""
    rate_factor: float
    """What the first learning rates are multiplied by."""
    clips_per_second: float
    """On this process, since the last report."""
    memory_bytes: int
    """The most that was in use so far: of the GPU, or of the process."""


@dataclass(frozen=True)
class TrainingResult:
    """What a training came to."""

    best: Path
    """The weights of the best evaluation."""
    last: Path
    """The weights of the end."""
    steps: int
    """That were done."""
    best_step: int
    """After which the best weights were evaluated."""
    best_score: float | None
    """Of the best weights, over videos: top-1, or mean average precision; None: there is no validation part."""
    evaluation: Evaluation | None
    """Of the end of this run; None: there is no validation part, or nothing was left to do."""


class Trainer:
    """Trains a network. Every piece can be replaced: network, batches, loss, transform, optimiser.

    In its folder it keeps `state.ckpt`, `history.jsonl`, `history.csv`, `predictions.jsonl`, `best.safetensors` and
    `last.safetensors`. Made again with the same arguments, it goes on from the state, and ends with the same weights,
    on CPU bit for bit, as if it had never been stopped.
    """

    def __init__(
        self,
        model: nn.Module,
        batches: BatchSource,
        options: TrainingOptions,
        folder: str | os.PathLike[str],
        *,
        labels: Sequence[str],
        validation: BatchSource | None = None,
        views: int = 1,
        loss: Loss | None = None,
        transform: Transform | None = None,
        optimiser: OptimiserFactory = make_optimiser,
        process: Process | None = None,
        input_specification: InputSpecification = UNSPECIFIED,
        provenance: Mapping[str, Any] | None = None,
        restart: bool = False,
        on_step: Callable[[StepReport], None] | None = None,
        on_evaluation: Callable[[int, Evaluation], None] | None = None,
    ) -> None:
        """Prepare a training, or go on with the one in the folder.

        Args:
            model: takes clips in -1..1, shape B,3,D,H,W, and returns logits; layers are frozen by the names of I3D's.
            batches: of the training part, of this process.
            options: how; rates and steps are scaled to the clips of a step (`scaled`).
            folder: for what is written; made if it is not there.
            labels: the class names, in output order.
            validation: of which each epoch is one view of every video; None: there is none, and the last weights count
                as the best.
            views: epochs of the validation part that are evaluated: clips of each video.
            loss: in place of the one that the options ask for.
            transform: of batches, in training alone; None: none.
            optimiser: makes the optimiser.
            process: of several; None: this one alone.
            input_specification: of clips, for the files of weights.
            provenance: what else decides the result, such as the dataset and the first weights, in JSON's types.
            restart: forget what is in the folder.
            on_step: called after each step, in the main process.
            on_evaluation: called with the steps that are done, and what was found.

        Raises:
            OutputError: the folder cannot be written, or holds a training with other options.
            TrainingError: an argument of another type, options that do not go together, or nothing to train.
            LabelsError: a class name is empty, or stands twice.
            EngineError: there is no such device.
        """
        folder = check_path("folder", folder, TrainingError)
        check_pieces(Trainer.__init__, locals())
        options.check_together()
        self.process = process or Process()
        self.options = scaled(options, options.batch * options.accumulate * self.process.world_size)
        self.device = self.process.device(options.device)
        self.batches, self.validation, self.labels = batches, validation, tuple(labels)
        self._views = views
        if not len(batches):
            raise TrainingError(f"there are too few clips for one batch of {options.batch}: give a smaller `batch`")
        self.steps = self.options.steps or max(1, self.options.epochs * len(batches) // self.options.accumulate)
        self._frozen = freeze_before(model, self.options.from_endpoint)
        with hardware_errors(self.options, self.device):
            self.model = prepare_model(model, self.options, self.device)
        self.optimiser = check_optimiser(optimiser(self.model, self.options))
        self.average = MovingAverage(self.model, self.options.ema_decay) if self.options.ema_decay else None
        self.loss, self.transform = loss or make_loss(self.options), transform
        self._scaler = torch.amp.GradScaler(self.device.type, enabled=self.options.amp == "fp16")
        self._forward = self._wrapped()
        self._on_step, self._on_evaluation = on_step, on_evaluation
        self.folder, self._input, self._provenance = folder, input_specification, dict(provenance or {})
        self.progress = Progress()
        self._latest: Evaluation | None = None
        output_folder(self.folder)
        if not restart:
            self._resume()
        self._history = History(folder, self.progress.history_bytes) if self.process.is_main else None

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that decides the result, in JSON's types."""
        options = {
            name: value for name, value in self.options.to_dict().items() if name not in NO_RESULT | {"head_clips"}
        }
        world = {"processes": self.process.world_size, "batches": len(self.batches), "classes": list(self.labels)}
        settings: dict[str, Any] = json.loads(json.dumps({**options, **world, **self._provenance}))
        return settings

    @property
    def _epoch(self) -> int:
        """Return the epoch of the last step that is done, from 0."""
        return (self.progress.step * self.options.accumulate - 1) // len(self.batches)

    def fit(self) -> TrainingResult:
        """Train to the end, or until evaluations get no better.

        Raises:
            TrainingError: the loss is no number, the device has too little memory, or the network cannot be compiled.
            OutputError: something cannot be written, the last state being kept; or another process trains here.
            VideoError: none of the videos to validate with could be read.
        """
        only = only_training(self.folder) if self.process.is_main else nullcontext()
        with only, cudnn_choice(self.options):
            self._train()
        paths, progress = (self.folder / BEST_NAME, self.folder / LAST_NAME), self.progress
        return TrainingResult(*paths, progress.step, progress.best_step, progress.best_score, self._latest)

    def _train(self) -> None:
        batches = endless_batches(self.batches, self.progress.step * self.options.accumulate)
        began, done = time.perf_counter(), self.progress.seconds
        while not self.progress.is_done:
            before = time.perf_counter()
            loss, factor = self.step(batches)
            self.progress.seconds = done + time.perf_counter() - began
            self._tell(loss, factor, time.perf_counter() - before)
            if self._is_epoch_end() or self.progress.step >= self.steps:
                self._end_epoch()
            elif self.progress.step % self.options.save_every == 0:
                self.save()

    def step(self, batches: Iterator[Batch]) -> tuple[float, float]:
        """Take one optimiser step, and return its mean loss and the factor of its learning rates.

        Raises:
            TrainingError: the loss is no number, the device has too little memory, or the network cannot be compiled.
        """
        with hardware_errors(self.options, self.device):
            return self._step(batches)

    def _step(self, batches: Iterator[Batch]) -> tuple[float, float]:
        options, number = self.options, self.progress.step
        self.model.train()
        for module in self._frozen:
            module.eval()
        factor = set_rates(self.optimiser, options, number, self.steps)
        self.optimiser.zero_grad(set_to_none=True)
        total = 0.0
        for part in range(options.accumulate):
            # Dropout too derives from the seed and the step: there is no generator whose state would have to be kept.
            seed = derived_seed(options.seed, self.process.rank, number * options.accumulate + part)
            torch.manual_seed(seed)
            is_last = part == options.accumulate - 1
            with self._unsynchronised(is_last):
                loss = self._loss(next(batches), seed) / options.accumulate
                self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        if not np.isfinite(total):
            raise TrainingError(
                f"the loss of step {number + 1} is no number: lower `head_rate` and `backbone_rate`, or rise to them "
                "over more steps of `warmup`"
            )
        if options.clip_norm:
            self._scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.model.parameters(), options.clip_norm)
        self._scaler.step(self.optimiser)
        self._scaler.update()
        if self.average is not None:
            self.average.update(number)
        self.progress.step += 1
        return total, factor

    def evaluate(self) -> Evaluation:
        """Evaluate the weights, or their moving average, on the validation part.

        Raises:
            TrainingError: there is none, or the device has too little memory.
        """
        if self.validation is None:
            raise TrainingError("there is no validation part to evaluate on")
        self.process.average_statistics(self.model)
        self.model.eval()
        with self._averaged(), hardware_errors(self.options, self.device):
            return evaluate(
                lambda clips: self._logits(self.model, clips),
                self.validation,
                classes=len(self.labels),
                views=self._views,
                loss=self.loss,
                multi_label=self.options.loss == "sigmoid",
                process=self.process,
                device=self.device,
            )

    def save(self) -> None:
        """Put the state on disk.

        Raises:
            OutputError: it cannot be written; the older one is kept.
        """
        self.process.average_statistics(self.model)
        if self._history is None:
            return
        self.progress.history_bytes = self._history.flush()
        average = {} if self.average is None else self.average.tensors
        scaler = self._scaler.state_dict() if self._scaler.is_enabled() else {}
        model, optimiser = self.model.state_dict(), self.optimiser.state_dict()
        skipped = dict(getattr(self.batches, "skipped", {}))
        state = TrainingState(self.settings, self.progress, dict(model), optimiser, scaler, average, skipped)
        save_state(self.folder / STATE_NAME, state)

    def write(self, name: str) -> None:
        """Write the weights, or their moving average, as a file of a name in the folder.

        Raises:
            OutputError: it cannot be written.
        """
        found = {} if self._latest is None else {"validation": self._latest.to_dict()}
        told = {"options": self.options.to_dict(), "step": self.progress.step, **self._provenance, **found}
        with self._averaged():
            write_weights(self.folder / name, model_tensors(self.model), self.labels, self._input, told)

    def _resume(self) -> None:
        state = load_state(self.folder / STATE_NAME, self.settings)
        if state is None:
            return
        self.progress = state.progress
        self.model.load_state_dict(state.model)
        self.optimiser.load_state_dict(state.optimiser)
        if self.average is not None:
            self.average.load(state.average)
        getattr(self.batches, "skipped", {}).update(state.skipped)
        if state.scaler:
            self._scaler.load_state_dict(state.scaler)

    def _wrapped(self) -> Callable[[Tensor], Any]:
        module: nn.Module = self.model
        if self.process.world_size > 1:
            ids = [self.device] if self.device.type == "cuda" else None
            # Batch norm's averages are each replica's own until they are evaluated or saved. The switch has two names.
            names = inspect.signature(DistributedDataParallel).parameters
            switch = "forward_sync_buffers" if "forward_sync_buffers" in names else "broadcast_buffers"
            settings: dict[str, Any] = {"device_ids": ids, switch: False}
            module = DistributedDataParallel(module, **settings)
        self._module = module
        return torch.compile(module) if self.options.compile else module

    def _unsynchronised(self, is_last: bool) -> AbstractContextManager[Any]:
        module = self._module
        return nullcontext() if is_last or not isinstance(module, DistributedDataParallel) else module.no_sync()

    def _loss(self, batch: Batch, seed: int) -> Tensor:
        clips = batch.clips.to(self.device, non_blocking=True)
        targets = one_hot(batch.targets, len(self.labels)).to(self.device)
        if self.transform is not None:
            clips, targets = check_transformed(self.transform(clips, targets, seed))
        return check_loss(self.loss(self._logits(self._forward, clips), targets))

    def _logits(self, network: Callable[[Tensor], Any], clips: Tensor) -> Tensor:
        layout = torch.channels_last_3d if self.options.channels_last else torch.contiguous_format
        x = normalize(clips).contiguous(memory_format=layout)
        dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.options.amp)
        with torch.autocast(self.device.type, dtype, enabled=dtype is not None):
            return check_logits(network(x), len(clips), len(self.labels)).float()

    def _averaged(self) -> AbstractContextManager[None]:
        return nullcontext() if self.average is None else self.average.applied()

    def _is_epoch_end(self) -> bool:
        done = self.progress.step * self.options.accumulate
        return done // len(self.batches) > (done - self.options.accumulate) // len(self.batches)

    def _tell(self, loss: float, factor: float, seconds: float) -> None:
        self.progress.loss_sum += loss
        self.progress.loss_steps += 1
        if self._history is None:
            return
        speed = self.options.batch * self.options.accumulate / seconds
        memory = torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else peak_memory()
        report = StepReport(self.progress.step, self.steps, self._epoch, loss, factor, speed, memory)
        record = {"step": report.step, "epoch": report.epoch, "loss": loss, "rate_factor": factor}
        self._history.append(STEP, {**record, "clips_per_second": round(speed, 3)})
        if self._on_step is not None:
            self._on_step(report)

    def _end_epoch(self) -> None:
        """Evaluate, keep the best weights, decide whether to stop, and save the state, in this order.

        A training that is killed in between does the epoch's last steps again, and writes the same.
        """
        progress = self.progress
        self.process.average_statistics(self.model)
        found = self._latest = None if self.validation is None else self.evaluate()
        if found is None or self._is_better(found):
            progress.best_score, progress.best_loss = (None, None) if found is None else (found.score, found.loss)
            progress.best_step, progress.without_better = progress.step, 0
            if self.process.is_main:
                self._write_best(found)
        else:
            progress.without_better += 1
        gave_up = self.options.patience is not None and progress.without_better >= self.options.patience
        progress.is_done = progress.step >= self.steps or gave_up
        train_loss = progress.loss_sum / max(progress.loss_steps, 1)
        progress.loss_sum, progress.loss_steps = 0.0, 0
        if self._history is not None:
            figures = {} if found is None else {"loss": found.loss, **found.figures}
            record = {"step": progress.step, "epoch": self._epoch, "train_loss": train_loss, **figures}
            self._history.append(EVALUATION, {**record, "seconds": progress.seconds})
            self._history.write_table()
        if self.process.is_main and progress.is_done:
            self.write(LAST_NAME)
        self.save()
        if found is not None and self.process.is_main and self._on_evaluation is not None:
            self._on_evaluation(progress.step, found)

    def _is_better(self, found: Evaluation) -> bool:
        best = self.progress.best_score, self.progress.best_loss
        return None in best or (found.score, -found.loss) > (best[0], -float(best[1] or 0.0))

    def _write_best(self, found: Evaluation | None) -> None:
        self.write(BEST_NAME)
        if found is not None:
            write_lines(self.folder / PREDICTIONS_NAME, video_records(found, self.labels))


def derived_seed(seed: int, *numbers: int) -> int:
    """Return a seed of 63 bits that derives from others, which may be small and next to each other."""
    high, low = np.random.SeedSequence((seed, *numbers)).generate_state(2, np.uint32)
    return (int(high) << 32 | int(low)) & (2**63 - 1)
