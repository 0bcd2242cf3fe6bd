"""Batches of clips for PyTorch, decoded in other processes while the network has those before."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from itertools import islice
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray

from quovadis.errors import DatasetError, TrainingError, VideoError
from quovadis.fields import check_value, check_values
from quovadis.training.batches import Batch
from quovadis.training.clips import TrainingClip, epoch_order
from quovadis.training.workers import ClipSource, ClipWorkers, Task, clips_here
from quovadis.video import Prefetch

CLIP_SECONDS = 120.0
"""How long one clip may take by default."""
_MAX_REPLACED = 64
"""Clips one after the other that cannot be read, after which it is the dataset that cannot be."""


class ClipLoader(AbstractContextManager["ClipLoader"]):
    """Batches in the order of `epoch_order`, from any batch of any epoch on: what comes before is not decoded.

    A video that cannot be read, or that takes too long where workers read it, is skipped and remembered. In training
    the next one in the dataset's order comes in its place, so that the batches are the same whenever they are made; in
    validation it is left out. Close it, or use it in a `with`: its workers stay otherwise.
    """

    def __init__(
        self,
        source: ClipSource,
        *,
        batch: int,
        workers: int = 0,
        seed: int = 0,
        classes: NDArray[np.int64] | None = None,
        weights: NDArray[np.float64] | None = None,
        rank: int = 0,
        world_size: int = 1,
        ahead: int = 2,
        clip_seconds: float = CLIP_SECONDS,
        skipped: Mapping[str, str] | None = None,
        pin_memory: bool = False,
    ) -> None:
        """Take what is loaded; nothing is opened or started.

        Args:
            source: of the clips, such as a `ClipDataset`: shuffled for training, in order for validation.
            batch: clips that this process takes at once.
            workers: processes that decode; 0: this one, in a thread, in which no video can be given up that takes long.
            seed: of the order.
            classes: the class of each clip, where each class is to come equally often; None: each clip comes once.
            weights: how often each clip comes, relative to others; None: once.
            rank: which of several processes this is, each of which has its own part of every batch.
            world_size: how many processes there are.
            ahead: batches that are made before they are asked for, 1 or more.
            clip_seconds: how long one clip may take in a worker.
            skipped: videos that are known to be unreadable, with the reason of each, as `skipped` of an earlier loader;
                with them a run that is resumed has the same clips.
            pin_memory: put batches where a GPU reads them directly, while the training goes on.

        Raises:
            TrainingError: a number that is not possible, or an argument of another type.
        """
        check_values(ClipSource, TrainingError, source=source)
        check_values(Mapping | None, TrainingError, skipped=skipped)
        check_values(bool, TrainingError, pin_memory=pin_memory)
        least = {"batch": 1, "world_size": 1, "ahead": 1, "workers": 0, "seed": 0, "rank": 0}
        numbers = (batch, world_size, ahead, workers, seed, rank)
        batch, world_size, ahead, workers, seed, rank = (
            check_value(name, value, int, TrainingError, at_least=least[name])
            for name, value in zip(least, numbers, strict=True)
        )
        clip_seconds = check_value("clip_seconds", clip_seconds, float, TrainingError)
        if not clip_seconds > 0:
            raise TrainingError(f"clip_seconds must be above 0, not {clip_seconds:g}", option="clip_seconds")
        if rank >= world_size:
            raise TrainingError(f"rank must be below world_size, {world_size}, not {rank}", option="rank")
        for name, array in (("classes", classes), ("weights", weights)):
            check_value(name, array, np.ndarray | None, TrainingError)
            if array is not None and array.shape != (len(source),):
                raise TrainingError(f"{name} must have a value for each of {len(source)} clips", option=name)
        if weights is not None and not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
            raise TrainingError("weights must be 0 or more, and some above 0", option="weights")
        self.skipped = dict(skipped or {})
        """Why each video that was skipped could not be read, by what the dataset calls it."""
        self._source = source
        self._batch, self._rank, self._world_size = batch, rank, world_size
        self._seed, self._classes, self._weights = seed, classes, weights
        self._ahead, self._pin_memory = ahead, pin_memory
        self._workers = ClipWorkers(source, workers, timeout_seconds=clip_seconds) if workers else None

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers; safe to call twice."""
        if self._workers is not None:
            self._workers.close()

    def __len__(self) -> int:
        """Return how many batches this process takes in an epoch."""
        return ceil(len(self._order(0)) / self._batch)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch, from the one of a number on.

        Args:
            epoch: from 0; in validation, which view of each video.
            first: the batch to begin with, from 0.

        Raises:
            DatasetError: many videos one after the other cannot be read.
            TrainingError: the workers do not start, there is no such epoch or batch, or clips are of another type or
                shape than a batch can have.
        """
        epoch, first = (
            check_value(name, value, int, TrainingError, at_least=0)
            for name, value in (("epoch", epoch), ("first", first))
        )
        stop = threading.Event()
        # Closed last, when the thread that runs it has ended.
        with closing(self._batches(epoch, first, stop)) as batches, Prefetch(batches, self._ahead) as made:
            try:
                yield from made
            finally:
                stop.set()

    def _order(self, epoch: int) -> NDArray[np.int64]:
        training = self._source.training
        return epoch_order(
            self._seed,
            epoch,
            len(self._source),
            shuffle=training,
            classes=self._classes,
            weights=self._weights,
            batch=self._batch,
            rank=self._rank,
            world_size=self._world_size,
            remainder="wrap" if training else "keep",
        )

    def _batches(self, epoch: int, first: int, stop: threading.Event) -> Generator[Batch, None, None]:
        order = self._order(epoch)[first * self._batch :].tolist()
        tasks = (Task(epoch, self._readable(index)) for index in order)
        if self._workers is None:
            clips = closing(clips_here(self._source, tasks, self._replace))
        else:
            ahead = self._ahead * self._batch
            clips = closing(self._workers.clips(tasks, self._replace, ahead=ahead, stop=stop))
        with clips as made:
            while together := list(islice(made, self._batch)):
                if stop.is_set():
                    return
                found = [clip for clip in together if clip is not None]
                if found:
                    yield _batch(found, self._pin_memory)

    def _readable(self, index: int) -> int:
        """Return the index, or the next one whose video is not known to be unreadable."""
        if self._source.training:
            for number in range(len(self._source)):
                following = (index + number) % len(self._source)
                if self._source.key(following) not in self.skipped:
                    return following
        return index

    def _replace(self, task: Task, error: VideoError) -> Task | None:
        self.skipped[self._source.key(task.number)] = str(error)
        if not self._source.training:
            return None
        number = self._readable(task.number)
        before = [self._source.key((task.number - k) % len(self._source)) for k in range(_MAX_REPLACED)]
        if number == task.number or all(key in self.skipped for key in before):
            raise DatasetError(
                f"{len(self.skipped)} videos cannot be read, so that none is left here; the last: {error}"
            )
        return Task(task.epoch, number)


def _batch(clips: Sequence[TrainingClip], pin_memory: bool) -> Batch:
    sizes = {clip.clip.shape: clip.key for clip in clips}
    lengths = {np.shape(clip.target): clip.key for clip in clips}
    for what, shapes in (("clips", sizes), ("targets", lengths)):
        if len(shapes) > 1:
            told = ", ".join(f"{key}: {shape}" for shape, key in shapes.items())
            raise TrainingError(f"{what} of one batch must have one shape, and have several ({told})")
    pixels = torch.empty((len(clips), *clips[0].clip.shape), dtype=torch.uint8, pin_memory=pin_memory)
    np.stack([clip.clip for clip in clips], out=pixels.numpy())
    targets = torch.from_numpy(np.stack([np.asarray(clip.target) for clip in clips]))
    return Batch(pixels, targets, tuple(clip.key for clip in clips))
