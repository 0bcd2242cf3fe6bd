"""How the network advances in time: strides, steps, and the lengths of video that they ask for."""

from __future__ import annotations

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
DEFAULT_CHUNK_FRAMES = 16
"""Frames that a stream takes in one call unless told otherwise."""


def check_chunk(chunk_frames: int) -> None:
    """Refuse chunks that are no multiple of 8 frames.

    Raises:
        ArchitectureError: with what was given.
    """
    if chunk_frames < TEMPORAL_STRIDE or chunk_frames % TEMPORAL_STRIDE:
        raise ArchitectureError(
            f"invalid `chunk_frames={chunk_frames}`: must be a multiple of {TEMPORAL_STRIDE}", option="chunk_frames"
        )
