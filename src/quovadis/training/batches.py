"""What a training takes in: batches of clips in an order that derives from the seed and the epoch alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from torch import Tensor

from quovadis.errors import TrainingError


class Batch(NamedTuple):
    """Clips that a process takes at once."""

    clips: Tensor
    """RGB, uint8, 0..255, shape B,D,H,W,3."""
    targets: Tensor
    """Indices of classes, int64, shape B; or values for each class in 0..1, float32, shape B,classes."""
    keys: tuple[str, ...]
    """What the dataset calls the videos."""


@runtime_checkable
class BatchSource(Protocol):
    """Something that batches come from. It has no state: the same epoch always has the same batches.

    One that leaves out videos that cannot be read may have a dictionary `skipped` of them, which a training keeps.
    """

    def __len__(self) -> int:
        """Return how many batches this process takes in an epoch."""
        ...

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch, counted from 0, from the one of a number on.

        Raises:
            VideoError: nothing could be read.
        """
        ...


def endless_batches(source: BatchSource, number: int) -> Iterator[Batch]:
    """Yield batches without end, of one epoch after the other.

    Args:
        source: with one batch or more in an epoch.
        number: of the batch to begin with, from 0, counted over all epochs.

    Raises:
        TrainingError: an epoch has fewer or more batches than the source's length, by which a resumed run counts.
    """
    count = len(source)
    epoch, first = divmod(number, count)
    while True:
        found = first
        for batch in source.epoch(epoch, first):
            yield batch
            found += 1
        if found != count:
            raise TrainingError(f"`batches` has {found} in epoch {epoch}, but its length is {count}: they must agree")
        epoch, first = epoch + 1, 0


Transform: TypeAlias = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]
"""Changes a batch on the device before it is normalised: takes clips, uint8, shape B,D,H,W,3, targets, float32, shape
B,classes, and a seed of its own; returns both, the clips as uint8 or as floats in 0..255. Mixup is one."""
