"""Which features of which frames, and what other extractors do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_args

from quovadis.architecture import ENDPOINTS, MINIMUM_FRAMES
from quovadis.engines.base import check_endpoints
from quovadis.errors import ArchitectureError
from quovadis.sampling import Sampling
from quovadis.video.geometry import Geometry

Pool: TypeAlias = Literal["none", "space", "all"]
"""`none`: the endpoint's map as it is; `space`: averaged over height and width; `all`: over time too."""
Like: TypeAlias = Literal["video_features", "i3d"]
LAST_ENDPOINT = ENDPOINTS[-1]


@dataclass(frozen=True, kw_only=True)
class FeatureOptions:
    """What is extracted of each video.

    Raises:
        ArchitectureError: when made with values that cannot be, or that do not go together.
    """

    endpoint: str = LAST_ENDPOINT
    """Name out of `quovadis.ENDPOINTS`."""
    pool: Pool = "all"
    """Of `Mixed_5c`, `space` is the network's own average pool over 2x7x7, a row of 1024 for each step of 8 frames, and
    `all` the mean of these rows: the usual I3D feature. Of other endpoints both are plain means."""
    sampling: Sampling = field(default_factory=Sampling)
    """Windows over the video, or `dense`: every frame once and one feature for every step of 8 frames."""
    full_windows: bool = False
    """Whether only full windows count, and the video's rest is dropped. Else a rest of 9 frames or more is looped, as
    in `classify`; a shorter one joins the last window or, if the pool is not `all`, is dropped: rows have one shape."""
    lookahead_frames: int = 0
    """Frames that must follow a full window for it to count."""
    geometry: Geometry = field(default_factory=Geometry)
    """How pictures are scaled and cut."""

    def __post_init__(self) -> None:
        check_endpoints([self.endpoint])
        if self.pool not in get_args(Pool):
            raise ArchitectureError(f'no pool is called "{self.pool}"; there are {", ".join(get_args(Pool))}')
        if self.sampling.clip == "centre":
            raise ArchitectureError("features are taken of all of a video: choose clip all or dense")
        if self.is_dense and (self.endpoint != LAST_ENDPOINT or self.pool == "none"):
            raise ArchitectureError(
                f"dense mode gives {LAST_ENDPOINT} pooled over space; take windows for other endpoints, or its map"
            )
        if self.lookahead_frames < 0:
            raise ArchitectureError(f"{self.lookahead_frames} frames cannot follow a window: give 0 or more")

    @property
    def is_dense(self) -> bool:
        """Whether every frame goes through the network once."""
        return self.sampling.clip == "dense"

    @property
    def shortest_frames(self) -> int:
        """Frames of the shortest video that has any features."""
        return self.sampling.clip_frames + self.lookahead_frames if self.full_windows and not self.is_dense else 1

    def settings(self) -> dict[str, Any]:
        """Return everything that features depend on, by name, in JSON's types."""
        sampling = asdict(self.sampling)
        return {
            "endpoint": self.endpoint,
            "pool": self.pool,
            **sampling,
            "stride": self.sampling.frames_between_clips,
            "full_windows": self.full_windows,
            "lookahead_frames": self.lookahead_frames,
            **asdict(self.geometry),
        }


def like_video_features(stack: int = 64, step: int = 64) -> FeatureOptions:
    """Return what v-iashin/video_features extracts with `feature_type=i3d streams=rgb`.

    Windows of `stack` frames every `step` frames at the video's own rate, each counted once the frame after it has
    been read (the optical flow that it may also compute needs one frame more); what is left at the end is dropped. The
    short side becomes 256 pixels, the other is truncated; the centre is cut out, rounded down; samples are taken for
    square.

    Raises:
        ArchitectureError: a stack under 9 frames, or a step under 1.
    """
    if stack < MINIMUM_FRAMES:
        raise ArchitectureError(f"stacks of {stack} frames are too short: the network needs at least {MINIMUM_FRAMES}")
    return FeatureOptions(
        sampling=Sampling(clip_frames=stack, stride=step, fps="native"),
        full_windows=True,
        lookahead_frames=1,
        geometry=Geometry(long_side="down", keep_prepared=False, square_samples=True),
    )


LIKE: Mapping[Like, FeatureOptions] = MappingProxyType(
    {
        "video_features": like_video_features(),
        "i3d": FeatureOptions(sampling=Sampling(clip="dense")),
    }
)
"""What other extractors do, by their name; `i3d` is the paper's: 25 frames a second, a feature every 8 frames."""
