"""What clips a network was trained on: it travels with the weights, and decides what is sampled by default."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from quovadis.architecture import MAX_CLIP_FRAMES, MINIMUM_FRAMES, PIXEL_MEAN, PIXEL_SCALE
from quovadis.errors import WeightsError
from quovadis.escape import shortened
from quovadis.fields import check_fields

INPUT_KEY = "input"
"""Where the metadata of our files hold the specification, as JSON."""
MAX_SIDE = 8192
"""More would be no training's clips, and could exhaust the memory of whoever loads a file that says so."""
_MIN_FPS, _MAX_FPS = 0.001, 1000


@dataclass(frozen=True, kw_only=True)
class InputSpecification:
    """What clips a network was trained on; None: not known, so that what is usual for I3D is taken.

    Raises:
        WeightsError: when made with values that are not possible.
    """

    clip_frames: int | None = None
    """Frames of a clip, 9 to 1024."""
    fps: float | Literal["native"] | None = None
    """Frames a second that videos were resampled to, 0.001 to 1000; `native`: every frame was kept."""
    short_side: int | None = None
    """Pixels that a frame's short side was scaled to, up to 8192."""
    crop_size: int | None = None
    """Pixels of a side of the square that was cut out of it, up to 8192."""
    mean: float | None = None
    """What was subtracted from pixels of 0..255: 127.5, because the engines have it built in."""
    scale: float | None = None
    """What they were then divided by: 127.5."""

    def __post_init__(self) -> None:
        check_fields(self, WeightsError)
        ranges = {
            "clip_frames": (MINIMUM_FRAMES, MAX_CLIP_FRAMES),
            "fps": (_MIN_FPS, _MAX_FPS),
            "short_side": (1, MAX_SIDE),
            "crop_size": (1, MAX_SIDE),
            "mean": (PIXEL_MEAN, PIXEL_MEAN),
            "scale": (PIXEL_SCALE, PIXEL_SCALE),
        }
        for name, (least, most) in ranges.items():
            value = getattr(self, name)
            if value not in (None, "native") and not least <= value <= most:
                possible = f"{least:g}" if least == most else f"from {least:g} to {most:g}"
                raise WeightsError(f"{name} must be {possible}, not {shortened(value)}")

    def to_json(self) -> str:
        """Return what the metadata of a weights file hold: the fields that are known."""
        return json.dumps(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that are known, in JSON's types."""
        return {name: value for name, value in asdict(self).items() if value is not None}


UNSPECIFIED = InputSpecification()
"""Nothing is known, as of official weights."""


def input_from_json(text: str | None, source: Path) -> InputSpecification:
    """Read the specification in the metadata of a weights file; what is no JSON object specifies nothing.

    Fields that are not known are passed over.

    Raises:
        WeightsError: a field has a value that is not possible.
    """
    try:
        found = json.loads(text or "")
    except (ValueError, RecursionError):
        return UNSPECIFIED
    if not isinstance(found, dict):
        return UNSPECIFIED
    try:
        return InputSpecification(
            **{one.name: found[one.name] for one in fields(InputSpecification) if one.name in found}
        )
    except WeightsError as error:
        raise WeightsError(
            f'{source}: what its metadata say under "{INPUT_KEY}" cannot be: {error}; correct it there, or leave it out'
        ) from error
