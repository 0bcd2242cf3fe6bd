"""What a protocol is: from a video to the views of it that the network sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quovadis.engines import Engine
from quovadis.video import SourceReader


@dataclass(frozen=True, eq=False)
class View:
    """One look of the network at a video."""

    clip: int
    """Number of the clip, from 0."""
    crop: int
    """Number of the crop, from 0."""
    start_frame: int
    """Number of the clip's first frame, from 0, at the protocol's frame rate."""
    logits: NDArray[np.float32]
    """Shape classes."""


class EvaluationProtocol(Protocol):
    """A way to measure accuracy."""

    name: str

    @property
    def settings(self) -> Mapping[str, int | float | str]:
        """Everything that results depend on, by name."""
        ...

    @property
    def in_order_of_keys(self) -> bool:
        """Whether examples are taken in the order of their keys, not of their annotation."""
        ...

    def views(self, video: SourceReader, engine: Engine) -> Iterator[View]:
        """Yield the network's looks at a video, each as it is made; `video.frames` is known afterwards.

        Raises:
            VideoError: the video cannot be read, or is too short for the protocol.
            EngineError: the device failed.
        """
        ...
