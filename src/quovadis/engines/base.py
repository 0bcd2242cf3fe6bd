"""What an engine is: something that turns clips into logits, features and feature maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import FIRST_FRAMES, FRAME_SIZE, INPUT_CHANNELS, TEMPORAL_STRIDE, check_input_size
from quovadis.engines.pixel_range import check_pixel_range
from quovadis.errors import ArchitectureError
from quovadis.values import ArrayValue

Pixels: TypeAlias = "NDArray[np.uint8] | NDArray[np.float32]"
"""RGB, 0..255: whole as decoded, or float32 as resizing without rounding makes them."""
NO_DENSE_ON_TORCH = 'the engine torch has no dense mode: choose `device="CPU"`, or windows with `stride`'


@dataclass(frozen=True, eq=False, repr=False)
class EngineOutput(ArrayValue):
    """What the network makes of a batch of clips; every array is float32."""

    step_logits: NDArray[np.float32]
    """Logits of each time step, shape batch, steps, classes; a step is 8 frames."""
    logits: NDArray[np.float32]
    """Logits of each clip, shape batch, classes: the mean of its steps."""
    probabilities: NDArray[np.float32]
    """Softmax of `logits`, shape batch, classes."""
    features: NDArray[np.float32]
    """`Mixed_5c` after the head's average pool, shape batch, steps, 1024: the usual I3D feature."""
    endpoints: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """Feature maps that were asked for, shape batch, time, height, width, channels, by endpoint name."""

    def __repr__(self) -> str:
        arrays = {name: value for name, value in vars(self).items() if name != "endpoints"} | dict(self.endpoints)
        return f"EngineOutput({', '.join(f'{name} {value.shape}' for name, value in arrays.items())})"


@dataclass(frozen=True, eq=False)
class StreamOutput(ArrayValue):
    """What the network makes of the next frames of a video; every array is float32."""

    step_logits: NDArray[np.float32]
    """Logits of the time steps that became known, shape steps, classes."""
    features: NDArray[np.float32]
    """Their pooled features, shape steps, 1024."""


class EngineStream(Protocol):
    """One video, of which each frame is run once.

    All steps together equal those of the whole video run at once. Its length must be 7 (mod 8) frames, because the
    network's padding depends on it; see `quovadis.inference.dense` for videos of any length.
    """

    def push(self, frames: NDArray[np.uint8], *, is_last: bool = False) -> StreamOutput:
        """Run the next frames.

        Args:
            frames: RGB, uint8 0..255, shape frames, 224, 224, 3. In the first call 55 of them, or 63, 71 …; later a
                multiple of 8.
            is_last: whether the video ends with them; not in the first call.

        Raises:
            ArchitectureError: another shape, dtype or number, or frames after the last.
            EngineError: the device failed, or the engine is closed.
        """
        ...


class Engine(Protocol):
    """Architecture and weights, ready to run on a device."""

    @property
    def description(self) -> Mapping[str, str]:
        """What runs: `engine`, `version`, `device`, `precision`; in int8 `calibration_sha256` too."""
        ...

    @property
    def max_concurrent_clips(self) -> int:
        """How many calls of `run`, from as many threads, make the most of the device."""
        ...

    def run(self, clips: Pixels, endpoints: str | Sequence[str] = ()) -> EngineOutput:
        """Run the network on `clips`.

        Args:
            clips: RGB, 0..255, uint8 or float32, shape batch, frames, height, width, 3, with at least 9 frames.
            endpoints: a name, or names, out of `architecture.ENDPOINTS` whose feature maps are wanted too.

        Raises:
            ArchitectureError: a shape or dtype that the network cannot take, floats that are NaN or far from 0..255,
                or an unknown endpoint.
            EngineError: the device failed, or the engine is closed.
        """
        ...

    def open_stream(self) -> EngineStream:
        """Begin a video of which each frame is run once.

        Raises:
            EngineError: the device cannot compile the network, or the engine is closed.
        """
        ...

    def close(self) -> None:
        """Free the threads and memory, as the end of a `with` block does; closing twice does nothing.

        Calls in progress in other threads finish. Later ones, and those of streams, raise an `EngineError`.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def check_stream_frames(frames: NDArray[np.uint8], *, is_first: bool, is_last: bool) -> None:
    """Refuse frames that a stream cannot take next.

    Raises:
        ArchitectureError: with what was given and what is wanted.
    """
    wanted = "uint8 RGB frames of shape frames, 224, 224, 3"
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[1:] != (FRAME_SIZE, FRAME_SIZE, INPUT_CHANNELS):
        raise ArchitectureError(f"a stream takes {wanted}, not {frames.dtype} of shape {frames.shape}")
    count = len(frames)
    if is_first and (count < FIRST_FRAMES or count % TEMPORAL_STRIDE != FIRST_FRAMES % TEMPORAL_STRIDE or is_last):
        raise ArchitectureError(f"a stream begins with {FIRST_FRAMES} frames, or 8 more, or 16 more, not {count}")
    if not is_first and (count == 0 or count % TEMPORAL_STRIDE):
        raise ArchitectureError(f"a stream goes on with a multiple of {TEMPORAL_STRIDE} frames, not {count}")


def _advice(clips: NDArray[Any], *, is_pixels: bool) -> str:
    """Return how to make clips of what is nearly these."""
    if not is_pixels and clips.dtype.kind in "fiu":
        return f": give clips.astype(numpy.{'float32' if clips.dtype.kind == 'f' else 'uint8'})"
    if clips.ndim == 4 and clips.shape[-1] == INPUT_CHANNELS:
        return ": a single clip; give clip[None]"
    return ""


def check_clips(clips: Pixels) -> None:
    """Refuse arrays that are no batch of clips; warn of floats that seem to be scaled already.

    Raises:
        ArchitectureError: with what was given and what is wanted.
    """
    wanted = "uint8 or float32 RGB clips of shape batch, frames, height, width, 3"
    if not isinstance(clips, np.ndarray):
        raise ArchitectureError(f"the network takes {wanted}, not {type(clips).__name__}")
    is_pixels = clips.dtype == np.uint8 or clips.dtype == np.float32
    if not is_pixels or clips.ndim != 5 or clips.shape[-1] != INPUT_CHANNELS or clips.shape[0] == 0:
        raise ArchitectureError(
            f"the network takes {wanted}, not {clips.dtype} of shape {clips.shape}{_advice(clips, is_pixels=is_pixels)}"
        )
    check_input_size(*clips.shape[1:4])
    if clips.dtype == np.float32:
        check_pixel_range(clips)
