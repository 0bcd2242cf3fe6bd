"""How the network advances in time: strides, steps, and the lengths of video that they ask for."""

from __future__ import annotations

from quovadis.architecture.network import MINIMUM_FRAMES
from quovadis.errors import ArchitectureError

FRAMES_PER_SECOND = 25.0
"""The rate at which I3D was trained and is tested (paper, section 4; kinetics-i3d's README)."""
TEMPORAL_STRIDE = 8
"""Frames from one time step to the next."""
FIRST_FRAMES = 55
"""Frames of a stream's first call, or 8 more, 16 more …: the fewest after which anything is known."""
SHORTEST_FRAMES = 15
"""Frames of the shortest video that makes one whole step; what is shorter is looped to so many."""
WINDOW_STEPS = 9
"""Steps of a 79-frame clip."""
MAX_CLIP_FRAMES = 1024
"""Frames of the longest clip: they go through the network together, which takes 4 GB with OpenVINO."""
MAX_WINDOW_STEPS = 10_000
"""Steps of the longest window in dense mode, 53 minutes: the logits of as many are held."""
DEFAULT_CHUNK_FRAMES = 16
"""Frames that a stream takes in one call unless told otherwise."""


def check_clip_frames(clip_frames: int, option: str = "clip_frames") -> None:
    """Refuse clips that are too short for the network, or too long to fit into memory.

    Args:
        clip_frames: their length.
        option: what the user calls it.

    Raises:
        ArchitectureError: with what was given.
    """
    if clip_frames < MINIMUM_FRAMES:
        raise ArchitectureError(
            f"clips of {clip_frames} frames are too short: the network needs at least {MINIMUM_FRAMES}", option=option
        )
    if clip_frames > MAX_CLIP_FRAMES:
        raise ArchitectureError(
            f"clips of {clip_frames} frames are too long: give `{option}` up to {MAX_CLIP_FRAMES}", option=option
        )


def check_chunk(chunk_frames: int) -> None:
    """Refuse chunks that are not a multiple of 8 frames, or too long to fit into memory.

    Raises:
        ArchitectureError: with what was given.
    """
    if chunk_frames < TEMPORAL_STRIDE or chunk_frames % TEMPORAL_STRIDE:
        raise ArchitectureError(
            f"invalid `chunk_frames={chunk_frames}`: must be a multiple of {TEMPORAL_STRIDE}", option="chunk_frames"
        )
    if chunk_frames > MAX_CLIP_FRAMES:
        raise ArchitectureError(
            f"chunks of {chunk_frames} frames are too long: give `chunk_frames` up to {MAX_CLIP_FRAMES}",
            option="chunk_frames",
        )
