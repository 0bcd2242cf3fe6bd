"""How much of a video is accepted: small files can unfold to more than a machine holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import floor, isfinite
from typing import Literal, TypeAlias

from quovadis.errors import VideoError, VideoLimitError
from quovadis.fields import check_fields

LimitName: TypeAlias = Literal["max_pixels", "max_frames", "max_seconds", "max_spooled_bytes"]

MAX_IMAGE_FILE_BYTES = 1 << 28
"""Of an image file, which is read whole."""


@dataclass(frozen=True, kw_only=True)
class VideoLimits:
    """The most that one video may hold; each limit is checked where it binds, before memory or time is spent.

    Raises:
        VideoError: when made with a limit that is no number, or less than 1 or 0.001 seconds.
    """

    max_pixels: int = field(default=1 << 24, metadata={"help": "Refuse larger frames.", "min": 1})
    """Pixels of a frame, as coded: checked in the header, by the decoder itself, and on every frame. The default admits
    5.3K (5312x2988) and refuses 8K, whose reference frames alone take more than half a gigabyte."""
    max_frames: int = field(default=2_000_000, metadata={"help": "Refuse videos of more frames.", "min": 1})
    """Frames decoded, and frames after resampling. Not applied to live sources, which have no end."""
    max_seconds: float = field(default=6 * 3600.0, metadata={"help": "Refuse longer videos.", "min": 0.001})
    """Seconds from the first frame to the last. Not applied to live sources."""
    max_spooled_bytes: int = field(
        default=4 << 30, metadata={"help": "Refuse more bytes on standard input.", "min": 1, "show_default": "4 GiB"}
    )
    """Bytes of a video that is no file of its own, such as one from a pipe: it is copied into a temporary file."""

    def __post_init__(self) -> None:
        for name in ("max_pixels", "max_frames", "max_spooled_bytes"):
            value = getattr(self, name)
            if isinstance(value, float) and isfinite(value):
                # Such as 1e9; of whole things it admits as many as the number below.
                object.__setattr__(self, name, floor(value))
        check_fields(self, VideoError)

    def exceeded(self, name: str, what: str, limit: LimitName) -> VideoLimitError:
        """Return the error for a video or an image that holds more than one of the limits.

        Args:
            name: of the video.
            what: the beginning of the comparison: "its frames of 9000x9000 are larger".
            limit: which of them.
        """
        most = f"{getattr(self, limit):,.0f}" if limit != "max_seconds" else f"{self.max_seconds:,.10g} seconds"
        unit = {"max_pixels": " pixels", "max_frames": " frames", "max_spooled_bytes": " bytes"}.get(limit, "")
        return VideoLimitError(f"{name}: {what} than the limit of {most}{unit}; raise it with `{limit}`")
