"""8-bit integers in place of float32: the ranges that calibration found, and how they are kept.

Activations, never negative after ReLU, start at 0 and have a range per convolution; `calibration.py` finds them. The
native kernels follow in `native_integers.py`. The head stays in float32.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import convolutions, is_head
from quovadis.durable import atomic_write
from quovadis.errors import CacheError
from quovadis.escape import counted

INPUT_RANGE = (-128 / 127, 1.0)
"""Of normalised pixels: 0, the padding, is one of its 256 levels."""
LEVELS = 256
WEIGHT_QMAX = 127
CALIBRATION_CLIPS = 12
"""Clips that calibration looks at: those of videos, and where these are fewer, other views of them."""
ENOUGH_VIDEOS = 2
"""Videos from which on, with other views of their clips, more hardly help: see `benchmarks/calibration.py`."""


@dataclass(frozen=True)
class CalibrationVideo:
    """A video that a calibration was made of."""

    name: str
    """As it was given."""
    clips: int
    """Clips of it."""
    pixels_sha256: str
    """SHA-256 of these clips' pixels."""


@dataclass(frozen=True)
class Provenance:
    """What a calibration was made for and of, when, and by which version; results do not depend on the last two."""

    weights: str
    """Name of the weights."""
    videos: tuple[CalibrationVideo, ...]
    views: int
    """Other views of their clips, which stood in for clips of other videos."""
    date: str
    """Day of its making, in UTC, as in 2026-11-27."""
    quovadis: str
    """Version that made it."""

    def __str__(self) -> str:
        clips = sum(video.clips for video in self.videos)
        return f"{counted(clips, 'clip')} of {counted(len(self.videos), 'video')}, {self.date}"

    @property
    def is_small(self) -> bool:
        """Whether more videos would make a better calibration."""
        return len({video.pixels_sha256 for video in self.videos}) < ENOUGH_VIDEOS

    @classmethod
    def read(cls, text: str) -> Provenance:
        """Read what `json.dumps` made of `asdict`.

        Raises:
            ValueError: it is not that.
            TypeError: likewise.
            KeyError: likewise.
        """
        document = json.loads(text)
        return cls(**{**document, "videos": tuple(CalibrationVideo(**video) for video in document["videos"])})


@dataclass(frozen=True, eq=False)
class Quantization:
    """What calibration found for one set of weights."""

    ranges: Mapping[str, float]
    """Greatest activation by scope of the convolution that makes it, headroom included; the least is 0."""

    scales: Mapping[str, NDArray[np.float32]]
    """Factor of each output channel by scope: see `quovadis.weights.equalization`."""

    provenance: Provenance | None = None
    """What it was made of; None until it is kept."""

    @property
    def identity(self) -> str:
        """SHA-256 of everything that results depend on."""
        digest = hashlib.sha256()
        for scope in sorted(self.ranges):
            digest.update(scope.encode() + np.float32(self.ranges[scope]).tobytes() + self.scales[scope].tobytes())
        return digest.hexdigest()

    @property
    def description(self) -> Mapping[str, str]:
        """What engines tell of it: another calibration gives other results."""
        made_of = {} if self.provenance is None else {"calibration": str(self.provenance)}
        return {"calibration_sha256": self.identity, **made_of}

    def save(self, path: Path) -> None:
        """Write it to a file, which appears whole or not at all.

        Raises:
            CacheError: the file cannot be written.
        """
        arrays: dict[str, Any] = {f"{scope}/range": np.array(value, np.float32) for scope, value in self.ranges.items()}
        arrays |= {f"{scope}/scale": value for scope, value in self.scales.items()}
        if self.provenance is not None:
            arrays["provenance"] = np.array(json.dumps(asdict(self.provenance)))
        try:
            with atomic_write(path) as temporary, temporary.open("wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
        except OSError as error:
            raise CacheError(f"{path}: cannot write the calibration: {error.strerror}") from error

    @classmethod
    def load(cls, path: Path) -> Quantization | None:
        """Read what `save` wrote; None if there is no such file or it is not whole."""
        try:
            # Opened here, because NumPy leaves a damaged file open.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                ranges = {scope: float(arrays[f"{scope}/range"]) for scope in quantized_scopes()}
                scales = {scope: arrays[f"{scope}/scale"].astype(np.float32) for scope in quantized_scopes()}
                return cls(ranges, scales, Provenance.read(str(arrays["provenance"])))
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile):
            return None


def quantized_scopes() -> list[str]:
    """Return the scopes of the convolutions that compute in 8-bit integers: all but the head's."""
    return [unit.scope for unit, _ in convolutions() if not is_head(unit)]
