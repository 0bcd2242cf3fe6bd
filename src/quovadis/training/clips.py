"""Clips to train on and to validate with: everything random about them derives from (seed, epoch, index).

So nothing has a state: any clip of any epoch can be made at any time, in any process, and is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import exp, log
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import FRAME_SIZE, FRAMES_PER_SECOND, PIXEL_MEAN, PIXEL_SCALE
from quovadis.datasets import Dataset, Example, example_source
from quovadis.errors import ArchitectureError, TrainingError, VideoError
from quovadis.fields import check_fields, check_value, check_values
from quovadis.limits import VideoLimits
from quovadis.video import Frame, SourceReader
from quovadis.video.crop_view import CropView, CropViewConverter
from quovadis.video.geometry import SHORT_SIDE, Converter, FrameConverter
from quovadis.video.sampling import FrameRate
from quovadis.video.seeking import chosen_frames
from quovadis.weights import InputSpecification

TRAINING_FRAMES = 64
"""Frames of a clip that the paper trains on (section 4)."""
Remainder: TypeAlias = Literal["wrap", "drop", "keep"]
"""What becomes of clips at the end of an epoch that fill no batch on every process. `wrap`: the epoch's first clips
come again to fill it; `drop`: they are left out, unless there is no other batch; `keep`: they make a smaller one, which
some processes may not have."""
_CLIP, _ORDER, _CLASS = 1, 2, 3
"""What random numbers are for, so that no two purposes share them."""
_PROPORTIONS = 3 / 4, 4 / 3
"""Least and greatest width over height of a part that is cut out, as in Inception's training (Szegedy et al. 2015)."""


def _option(default: Any, text: str, **settings: Any) -> Any:
    return field(default=default, metadata={"help": text, "rich_help_panel": "Sampling", **settings})


@dataclass(frozen=True, kw_only=True)
class ClipSampling:
    """Which clips of a video are trained on; the defaults are the paper's (section 4).

    Raises:
        ArchitectureError: when made with values that are not possible, or that do not go together.
    """

    frames: int = _option(TRAINING_FRAMES, "Frames of a clip.", min=9)
    """Frames of a clip. A video with fewer is looped."""
    fps: FrameRate = FRAMES_PER_SECOND
    """Frames a second that videos are resampled to; `native` keeps every frame."""
    short_side: int = _option(SHORT_SIDE, "Pixels that a frame's short side is scaled to.")
    """Pixels that a frame's short side is scaled to."""
    crop: int = _option(FRAME_SIZE, "Side of the square that is cut out.")
    """Side of the square that is cut out of it."""
    scales: tuple[float, float] | None = None
    """Least and greatest share of the frame's area that is cut out in training, of a proportion from 3:4 to 4:3, and
    scaled to the square; None: squares of `crop` pixels are cut out of the scaled frame, anywhere, as in the paper."""
    flip: bool = _option(True, "Mirror half of the clips; turn it off if left and right matter.")
    """Whether half of the clips in training are mirrored, left to right: not where left and right matter."""
    views: int = _option(1, "Clips of each video in validation.", min=1)
    """Clips of each video in validation, evenly spread over it: of 1, the one in its middle."""

    def __post_init__(self) -> None:
        check_fields(self, ArchitectureError)
        if self.frames < 1 or self.views < 1:
            name = "frames" if self.frames < 1 else "views"
            raise ArchitectureError(f"{name} must be 1 or more, not {getattr(self, name)}", option=name)
        if self.fps != "native" and not 0 < self.fps <= 1000:
            raise ArchitectureError(
                f'{self.fps} frames per second is out of range: give a rate above 0, up to 1000, or "native"',
                option="fps",
            )
        if not 1 <= self.crop <= self.short_side:
            raise ArchitectureError(
                f"a square of {self.crop} pixels cannot be cut out of a short side of {self.short_side}: "
                "give `crop` at most `short_side`",
                option="crop",
            )
        if self.scales is not None:
            # A list, as configurations have it.
            object.__setattr__(self, "scales", tuple(self.scales))
        if self.scales is not None and not (len(self.scales) == 2 and 0.01 <= self.scales[0] <= self.scales[1] <= 1):
            raise ArchitectureError(
                f"scales must be two shares of the frame's area from 0.01 to 1, the lesser first, not {self.scales}",
                option="scales",
            )

    def input_specification(self) -> InputSpecification:
        """Return what the files of weights that are trained on such clips say of them.

        Raises:
            WeightsError: the clips are too long or too short, or the rate too low, for a file that can be read again.
        """
        return InputSpecification(
            clip_frames=self.frames,
            fps=self.fps,
            short_side=self.short_side,
            crop_size=self.crop,
            mean=PIXEL_MEAN,
            scale=PIXEL_SCALE,
        )


@dataclass(frozen=True, eq=False)
class TrainingClip:
    """One clip and what it shows."""

    clip: NDArray[np.uint8]
    """RGB, 0..255, contiguous, shape frames, crop, crop, 3."""
    target: int | NDArray[np.float32]
    """Index of the class; of a dataset whose videos have several, 0 or 1 for each class."""
    key: str
    """What the dataset calls the video."""
    index: int
    """Which of the dataset's clips it is."""


class ClipDataset:
    """The clips of a dataset, one of each existing video in an epoch; without state, and picklable."""

    def __init__(
        self,
        dataset: Dataset,
        sampling: ClipSampling | None = None,
        *,
        seed: int = 0,
        training: bool = True,
        limits: VideoLimits | None = None,
    ) -> None:
        """Take what clips are of; nothing is opened.

        Args:
            dataset: with the names of its classes.
            sampling: which clips; None: the defaults.
            seed: of everything random, 0 or more.
            training: whether clips begin at a random time, and are cut out and mirrored at random; if not, the epochs
                from 0 on are the views of each video, evenly spread over it, cut out of the centre as for inference.
            limits: the most pixels, frames and seconds of a video to accept; None: the defaults.

        Raises:
            TrainingError: an argument of another type, or a negative seed.
        """
        check_values(Dataset, TrainingError, dataset=dataset)
        check_values(ClipSampling | None, TrainingError, sampling=sampling)
        check_values(bool, TrainingError, training=training)
        check_values(VideoLimits | None, TrainingError, limits=limits)
        self.sampling = sampling or ClipSampling()
        self.training = training
        self.examples = dataset.existing
        """In the order of their indices."""
        self.labels = dataset.labels
        """Names of the classes."""
        self._seed = check_value("seed", seed, int, TrainingError, at_least=0)
        self._is_multi_label = dataset.is_multi_label
        self._limits = limits
        self._counts: dict[int, int] = {}

    def __len__(self) -> int:
        """Return the number of videos: how many clips an epoch has."""
        return len(self.examples)

    def key(self, index: int) -> str:
        """Return what the dataset calls a video."""
        return self.examples[index].key

    @cached_property
    def targets(self) -> NDArray[np.int64] | NDArray[np.float32]:
        """The class of each video, int64, shape videos; or 0 or 1 for each class, float32, shape videos,classes."""
        if self._is_multi_label:
            return np.stack([self._several(example) for example in self.examples])
        return np.array([example.label for example in self.examples], np.int64)

    def clip(self, epoch: int, index: int) -> TrainingClip:
        """Return one clip, which only the seed, the epoch, the index and the video's content decide.

        Args:
            epoch: from 0; in validation, which view of the video, those beyond the last being the first again.
            index: which video, from 0.

        Raises:
            VideoError: the video cannot be read.
            TrainingError: there is no such epoch or video.
        """
        epoch, index = (
            check_value(name, value, int, TrainingError, at_least=0)
            for name, value in (("epoch", epoch), ("index", index))
        )
        if index >= len(self):
            raise TrainingError(
                f"there is no video {index}: the dataset has {len(self)}, counted from 0", option="index"
            )
        example = self.examples[index]
        path = example.path
        if path is None:
            raise VideoError(f"{example.key}: {example.why_missing}")
        # Always as many, so that what one video is like decides nothing about another number.
        draws = random_numbers(self._seed, _CLIP, epoch, index).random(6)
        start = (lambda rest: int(draws[0] * (rest + 1))) if self.training else self._view_start(epoch)
        converter = self._converter(draws)
        # One thread: a worker has one processor, and frame threads of FFmpeg give their frames late.
        reader = SourceReader(example_source(path, example.frames), self._limits, threads=1)
        found = chosen_frames(
            reader,
            lambda count: self._indices(count, start),
            lambda: self._decoded_count(index, reader),
            fps=self.sampling.fps,
            converter=converter,
        )
        target = example.label if not self._is_multi_label else self._several(example, found)
        return TrainingClip(np.stack([frame.pixels for frame in found]), target, example.key, index)

    def _view_start(self, view: int) -> Callable[[int], int]:
        views, number = self.sampling.views, view % self.sampling.views
        return lambda rest: rest // 2 if views == 1 else rest * number // (views - 1)

    def _indices(self, count: int, start: Callable[[int], int]) -> list[int]:
        frames = self.sampling.frames
        first = start(max(count - frames, 0))
        return [first + index % min(count, frames) for index in range(frames)]

    def _converter(self, draws: NDArray[np.float64]) -> Callable[[], Converter]:
        sampling = self.sampling
        if not self.training:
            if (sampling.short_side, sampling.crop) == (SHORT_SIDE, FRAME_SIZE):
                return FrameConverter
            return lambda: CropViewConverter(CropView(short_side=sampling.short_side, size=sampling.crop))
        top, left, side, share, slant = draws[1:].tolist()
        least, greatest = sampling.scales or (1.0, 1.0)
        low, high = map(log, _PROPORTIONS)
        view = CropView(
            short_side=sampling.short_side,
            size=sampling.crop,
            top=top,
            left=left,
            area=None if sampling.scales is None else least + share * (greatest - least),
            proportion=exp(low + slant * (high - low)),
            mirrored=sampling.flip and side < 0.5,
        )
        return lambda: CropViewConverter(view)

    def _decoded_count(self, index: int, reader: SourceReader) -> int:
        # A memory of what the file alone decides: only decoding it tells.
        if index not in self._counts:
            self._counts[index] = reader.count_frames(self.sampling.fps)
        return self._counts[index]

    def _several(self, example: Example, frames: Sequence[Frame] = ()) -> NDArray[np.float32]:
        """Return 1 for each class that a video shows, in training while these frames are shown, and 0 for others."""
        target = np.zeros(len(self.labels), np.float32)
        within = self.training and len(frames) > 0
        start = min((frame.pts_seconds for frame in frames), default=0.0)
        end = max((frame.pts_seconds + frame.duration_seconds for frame in frames), default=0.0)
        for action in example.actions or ():
            if not within or (action.start_seconds < end and action.end_seconds > start):
                target[action.label] = 1
        return target


def random_numbers(seed: int, *purpose: int) -> np.random.Generator:
    """Return a generator of random numbers that are the same on every machine, and others for every other purpose.

    Args:
        seed: 0 or more.
        purpose: numbers, 0 or more: what for, which epoch, which clip.
    """
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=purpose)))


def epoch_order(
    seed: int,
    epoch: int,
    count: int,
    *,
    shuffle: bool = True,
    classes: NDArray[np.int64] | None = None,
    weights: NDArray[np.float64] | None = None,
    batch: int = 1,
    rank: int = 0,
    world_size: int = 1,
    remainder: Remainder = "wrap",
) -> NDArray[np.int64]:
    """Return which clips a process takes in an epoch, in order.

    Batch k of all processes together is the same as that of one process with as many times the clips: process r takes
    its r-th part.

    Args:
        seed: 0 or more.
        epoch: from 0.
        count: clips of the dataset, 1 or more.
        shuffle: whether the order is random, another one in every epoch; if not, classes and weights play no part.
        classes: the class of each clip, where each class is to come equally often, to one: the clips of rare ones
            several times, of frequent ones only some in each epoch, in turn; None: every clip comes once.
        weights: how often each clip comes, relative to others, drawn with replacement; None: every clip comes once.
        batch: clips that a process takes at once.
        rank: which process, from 0.
        world_size: how many processes.
        remainder: what becomes of clips that fill no batch on every process.
    """
    random = random_numbers(seed, _ORDER, epoch)
    if not shuffle:
        order = np.arange(count)
    elif classes is not None:
        order = _balanced(seed, epoch, classes, random)
    elif weights is not None:
        order = random.choice(count, count, p=weights / weights.sum())
    else:
        order = random.permutation(count)
    together = batch * world_size
    rest = len(order) % together
    if rest and remainder == "drop" and len(order) > together:
        order = order[:-rest]
    elif rest and remainder != "keep":
        order = np.resize(order, len(order) + together - rest)
    whole = len(order) - len(order) % together
    own = order[:whole].reshape(-1, world_size, batch)[:, rank].reshape(-1)
    return np.concatenate([own, order[whole:][rank * batch : (rank + 1) * batch]])


def _balanced(seed: int, epoch: int, classes: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    count, labels = len(classes), random.permutation(np.unique(classes)).tolist()
    most = -(-count // len(labels))
    parts = []
    for rank, label in enumerate(labels):
        own = np.flatnonzero(classes == label)
        needed = count // len(labels) + (rank < count % len(labels))
        # Each class has an endless order, one shuffle of all its clips after the other; epochs take its next clips.
        turns, start = divmod(epoch * most, len(own))
        shuffles = range(turns, turns + -(-(start + needed) // len(own)))
        endless = [own[random_numbers(seed, _CLASS, label, turn).permutation(len(own))] for turn in shuffles]
        parts.append(np.concatenate([own[:0], *endless])[start : start + needed])
    return random.permutation(np.concatenate(parts))
