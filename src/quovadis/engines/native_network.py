"""The network as steps over windows of frames, computed by the project's own kernels.

A clip is a short video and an endless video never has all its frames: both are pushed through in slices, each step
computing whatever its source allows so far. Feature maps are frames, height, width, channels (NDHWC), of which only the
frames that some step still needs are kept. Branches of a Mixed block write side by side into one feature map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import (
    CLIP_FRAMES,
    ENDPOINTS,
    FRAME_SIZE,
    HEAD,
    INPUT_CHANNELS,
    Convolution,
    MaxPool,
    Mixed,
    Triple,
    interpret,
    output_channels,
    same_padding,
)
from quovadis.engines.base import Pixels
from quovadis.engines.native_backend import ComputeBackend, Run
from quovadis.engines.native_library import LANES, BufferView, KernelGeometry, Kernels, aligned_empty, padded_channels
from quovadis.errors import EngineError

SLICE_FRAMES = 16
"""Input frames that go at once through the layers with large feature maps, which then stay in the cache."""
TILE_FRAMES = 4
"""Outputs of a 3x3x3 convolution that are computed together along time."""
_LARGE = 512 * 1024
"""Bytes of one frame of a feature map, from which on slices pay."""


# --- feature maps and steps -----------------------------------------------------------------------------------------


class FeatureMap:
    """The frames of a feature map that are made and still needed, counted from the video's first."""

    def __init__(self, shape: Triple, channels: int, *, dtype: type[np.generic], stored: int | None = None) -> None:
        self.nominal, self.height, self.width = shape
        self.channels = channels
        self.dtype = dtype
        """Number of frames that padding goes by."""
        self.whole: int | None = None
        """Number of frames of the whole video; None until its end is known."""
        self.writers: list[LayerOp] = []
        self.readers: list[LayerOp] = []
        self.keep_all = False
        self._appended = 0
        self._first = 0
        self._stored = stored or padded_channels(channels)
        self._data = aligned_empty((0, self.height, self.width, self._stored), dtype)

    @property
    def made(self) -> int:
        """Number of complete frames."""
        return min((step.made for step in self.writers), default=self._appended)

    @property
    def frame_bytes(self) -> int:
        """Size of one frame."""
        return self.height * self.width * self._stored * self._data.itemsize

    @property
    def bytes_held(self) -> int:
        """Size of all that is kept, and of the room for more."""
        return self._data.nbytes

    def restart(self) -> None:
        """Begin another video in the same memory."""
        self._first = self._appended = 0
        self.whole = None

    def append(self, frames: Pixels) -> None:
        """Add frames from outside."""
        start = self._appended
        self.reserve(start + len(frames))
        self._data[start - self._first : start - self._first + len(frames)] = frames
        self._appended += len(frames)

    def reserve(self, end: int) -> None:
        """Make room for frames up to `end`, giving up those that no step needs any more."""
        if end - self._first <= len(self._data):
            return
        used = max((step.made for step in self.writers), default=self._appended)
        # What the slowest writer has yet to make stays too.
        first = min((max(step.needs, 0) for step in self.readers), default=self.made)
        first = self._first if self.keep_all else min(first, self.made)
        kept = self._data[first - self._first : used - self._first]
        if end - first > len(self._data):
            self._data = aligned_empty((end - first, *self._data.shape[1:]), self.dtype)
        self._data[: len(kept)] = kept
        self._first = first

    def frames(self, first: int, end: int) -> NDArray[Any]:
        """Return frames as they are in memory: a view that later frames may overwrite."""
        return self._data[first - self._first : end - self._first, ..., : self.channels]

    def input_view(self) -> BufferView:
        """Describe to the kernels what there is."""
        return BufferView(self._data.ctypes.data, self._first, self.made, self.height, self.width, self._stored)

    def output_view(self, first: int, end: int, channel: int) -> BufferView:
        """Describe to the kernels where frames are to be written, from one channel on."""
        address = self._data[first - self._first :].ctypes.data + channel * self._data.itemsize
        return BufferView(address, first, end, self.height, self.width, self._stored)


class LayerOp:
    """One unit of the network, from one feature map to channels of another."""

    def __init__(self, source: FeatureMap, target: FeatureMap, window: KernelGeometry, tile: int, run: Run) -> None:
        self._kernel, self._stride, self._front = (
            int(axes[0]) for axes in (window.kernel, window.stride, window.padding)
        )
        self._tile = tile
        self._run = run
        self.source = source
        self.target = target
        self.channel = 0
        self.made = 0
        """Number of frames made so far."""
        source.readers.append(self)
        target.writers.append(self)

    @property
    def needs(self) -> int:
        """First frame of the source that is still needed."""
        return self.made * self._stride - self._front

    def end_at(self, frames: int) -> None:
        """Let the video end after so many frames of the source."""
        self.target.whole = -(-frames // self._stride)

    def advance(self, kernels: Kernels, *, whole_tiles: bool) -> None:
        """Compute what the source allows; `whole_tiles` leaves what does not fill a tile for later."""
        source = self.source
        if self.target.whole is not None and source.made == source.whole:
            end = self.target.whole
        else:
            end = max((self._front + source.made - self._kernel) // self._stride + 1, self.made)
            if whole_tiles:
                end -= (end - self.made) % self._tile
        if end > self.made:
            self.target.reserve(end)
            self._run(kernels, source.input_view(), self.target.output_view(self.made, end, self.channel))
            self.made = end


class _Steps:
    """The verbs of `architecture.interpret`, each adding steps."""

    def __init__(self, arithmetic: ComputeBackend) -> None:
        self._arithmetic = arithmetic
        self.made: list[LayerOp] = []

    def convolution(self, x: FeatureMap, unit: Convolution) -> FeatureMap:
        """Apply a SAME convolution, folded batch norm and ReLU."""
        window = _window(x, unit)
        tile = 1 if unit.kernel == (1, 1, 1) else TILE_FRAMES
        dtype = self._arithmetic.output_dtype(unit)
        return self._add(x, unit, window, self._arithmetic.convolution(unit, window, x.dtype), dtype, tile)

    def max_pool(self, x: FeatureMap, unit: MaxPool) -> FeatureMap:
        """Apply a SAME max pool."""
        window = _window(x, unit)
        return self._add(x, unit, window, self._arithmetic.max_pool(x.channels, window, x.dtype), x.dtype)

    def concatenate(self, branches: list[FeatureMap], unit: Mixed) -> FeatureMap:
        """Let the last steps of all branches write into one feature map."""
        first = branches[0]
        channels = sum(branch.channels for branch in branches)
        shape = first.nominal, first.height, first.width
        joined = FeatureMap(shape, channels, dtype=first.dtype)
        offset = 0
        for branch in branches:
            (step,) = branch.writers
            if offset % LANES:
                raise EngineError(f"{unit.scope}: the kernels need branches of a multiple of {LANES} channels")
            step.target, step.channel = joined, offset
            joined.writers.append(step)
            offset += branch.channels
        return joined

    def _add(
        self,
        x: FeatureMap,
        unit: Convolution | MaxPool,
        window: KernelGeometry,
        run: Run,
        dtype: type[np.generic],
        tile: int = 1,
    ) -> FeatureMap:
        t, h, w = (-(-size // step) for size, step in zip(_size(x), unit.stride, strict=True))
        y = FeatureMap((t, h, w), output_channels(unit, x.channels), dtype=dtype)
        self.made.append(LayerOp(x, y, window, tile, run))
        return y


def _size(x: FeatureMap) -> Triple:
    return x.nominal, x.height, x.width


def _window(x: FeatureMap, unit: Convolution | MaxPool) -> KernelGeometry:
    t, h, w = (same_padding(*axis)[0] for axis in zip(_size(x), unit.kernel, unit.stride, strict=True))
    return KernelGeometry(unit.kernel, unit.stride, (t, h, w))


# --- the network ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Positions:
    """What the network says of each 8 frames; the head's average of two of them makes a time step."""

    logits: NDArray[np.float32]
    """Shape positions, classes."""
    features: NDArray[np.float32]
    """`Mixed_5c` averaged over space as the head does it, shape positions, 1024."""

    def followed_by(self, later: Positions) -> Positions:
        """Join with the positions that come after."""
        return Positions(np.concatenate([self.logits, later.logits]), np.concatenate([self.features, later.features]))

    def last(self) -> Positions:
        """Return the last one alone."""
        return Positions(self.logits[-1:], self.features[-1:])

    def steps(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return logits and features of the time steps: the head's pool spans two, and what follows is linear."""
        half = np.float32(0.5)
        return tuple((values[:-1] + values[1:]) * half for values in (self.logits, self.features))  # type: ignore[return-value]


class NativeNetwork:
    """The network for frames of one size, running one video at a time in memory that it keeps."""

    def __init__(
        self,
        arithmetic: ComputeBackend,
        shape: Triple = (CLIP_FRAMES, FRAME_SIZE, FRAME_SIZE),
        endpoints: Sequence[str] = (),
        dtype: type[np.generic] = np.uint8,
    ) -> None:
        """Lay out the steps; nothing is computed.

        Args:
            arithmetic: the weights, and what they are multiplied in.
            shape: frames, height and width of a clip, or of any clip of which an endless video's padding is taken.
            endpoints: feature maps that are kept whole.
            dtype: of the pixels, uint8 or float32.
        """
        self._arithmetic = arithmetic
        steps = _Steps(arithmetic)
        self._input = FeatureMap(shape, INPUT_CHANNELS, stored=INPUT_CHANNELS, dtype=dtype)
        maps = dict(interpret(steps, self._input))
        self._endpoints = {name: maps[name] for name in endpoints}
        for kept in self._endpoints.values():
            kept.keep_all = True
        self._last = maps[ENDPOINTS[-1]]
        self._steps = steps.made
        self._sliced = max((i + 1 for i, step in enumerate(self._steps) if step.source.frame_bytes > _LARGE), default=0)
        self._taken = 0

    def __del__(self) -> None:
        # Steps and feature maps refer to each other: all their memory would wait for the garbage collector.
        for step in getattr(self, "_steps", ()):
            step.source.readers.clear()
            step.target.writers.clear()

    @property
    def bytes_held(self) -> int:
        """Memory of all feature maps."""
        maps = {id(step.target): step.target for step in self._steps}
        return self._input.bytes_held + sum(feature_map.bytes_held for feature_map in maps.values())

    def restart(self) -> None:
        """Begin another video."""
        self._taken = 0
        self._input.restart()
        for step in self._steps:
            step.made = 0
            step.target.restart()

    def push(self, kernels: Kernels, frames: Pixels, *, is_last: bool) -> Positions:
        """Run the next frames.

        Args:
            kernels: with the threads that compute.
            frames: RGB, 0..255, of the network's dtype, shape frames, height, width, 3.
            is_last: whether the video ends with them.

        Returns:
            The positions that became known.
        """
        if is_last:
            self._end_after(self._input.made + len(frames))
        for start in range(0, len(frames), SLICE_FRAMES):
            self._input.append(frames[start : start + SLICE_FRAMES])
            more = start + SLICE_FRAMES < len(frames)
            for step in self._steps[: self._sliced]:
                step.advance(kernels, whole_tiles=more)
        for step in self._steps[self._sliced :]:
            step.advance(kernels, whole_tiles=False)
        return self._positions(kernels)

    def feature_maps(self) -> dict[str, NDArray[np.float32]]:
        """Return copies of the endpoints of the whole clip, each of shape time, height, width, channels."""
        return {
            name: self._arithmetic.decode(name, kept.frames(0, kept.made)) for name, kept in self._endpoints.items()
        }

    def _end_after(self, frames: int) -> None:
        self._input.whole = frames
        for step in self._steps:
            if step.source.whole is not None:
                step.end_at(step.source.whole)

    def _positions(self, kernels: Kernels) -> Positions:
        first, self._taken = self._taken, self._last.made
        maps = self._arithmetic.decode(ENDPOINTS[-1], self._last.frames(first, self._taken))
        rows, columns = (_shares(*axis) for axis in zip(maps.shape[1:3], HEAD.pool[1:], strict=True))
        features = np.einsum("thwc,h,w->tc", maps, rows, columns, dtype=np.float32)
        logits = np.empty((len(features), self._arithmetic.head.out_channels), np.float32)
        x, y = (BufferView(a.ctypes.data, 0, len(a), 1, 1, a.shape[1]) for a in (features, logits))
        if len(features):
            kernels.pointwise(x, self._arithmetic.head, y, relu=False)
        return Positions(logits[:, : self._arithmetic.num_classes], features)


def _shares(size: int, window: int) -> NDArray[np.float32]:
    """Return each pixel's share in the mean of all VALID average pools of stride 1."""
    pools = size - window + 1
    pixels = np.arange(size)
    covered = np.minimum(pixels, pools - 1) - np.maximum(pixels - window + 1, 0) + 1
    return (covered / (pools * window)).astype(np.float32)
