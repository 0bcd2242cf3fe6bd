"""Which features of which frames, and what other extractors do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_args

from quovadis.architecture import CLIP_FRAMES, ENDPOINTS, MINIMUM_FRAMES, check_endpoints
from quovadis.errors import ArchitectureError
from quovadis.sampling import Sampling
from quovadis.video.crops import CROPS, Crops
from quovadis.video.geometry import Geometry

Pool: TypeAlias = Literal["none", "space", "all"]
"""`none`: the endpoint's map as it is; `space`: averaged over height and width, and of `Mixed_5c` over pairs of
neighbours in time too, as the network's head does; `all`: the mean of these over time."""
Remainder: TypeAlias = Literal["mixed", "loop", "join"]
"""What becomes of frames at the end that no full window covers. `loop`: they make one more window, however few they
are, which is looped to full length; `join`: they join the last window, which then is longer, however many they are;
`mixed`: as in `classify`, 9 or more are looped, and fewer join or, if the pool is not `all`, are dropped."""
Scaler: TypeAlias = Literal["ffmpeg", "pillow"]
"""`ffmpeg`: frames are converted and scaled by FFmpeg, as for `classify`; `pillow`: they are converted to RGB as OpenCV
does it, and scaled by Pillow."""
Preset: TypeAlias = Literal["video_features", "i3d"]
LAST_ENDPOINT = ENDPOINTS[-1]
STACK_FRAMES = 64
"""What video_features takes unless told otherwise, as stack and as step."""


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
    `all` the mean of these rows: the usual I3D feature. Of other endpoints both are plain means. In dense mode both
    give the steps."""
    sampling: Sampling = field(default_factory=Sampling)
    """Windows over the video, or `dense`: every frame once and one feature for every step of 8 frames; it has no
    windows, and takes neither their length nor their stride."""
    full_windows: bool = False
    """Whether only full windows count, and frames that are left at the end are dropped: N frames in adjoining windows
    of 16 give N // 16 rows. A video shorter than a window then has no features."""
    remainder: Remainder = "mixed"
    """What becomes of frames that are left at the end, unless only full windows count."""
    lookahead_frames: int = 0
    """Frames that must follow a full window for it to count; only with `full_windows`."""
    geometry: Geometry = field(default_factory=Geometry)
    """How frames are scaled and cut; for several crops of each, only how they are scaled."""
    scaler: Scaler = "ffmpeg"
    """What converts colours and scales."""
    crops: Crops = 1
    """Crops of each frame, upright as it is shown: 1, 3, 5 or 10. With more than one, features have an axis of crops
    after that of windows or steps, in the order of `quovadis.video.crops.CROPS`, and frames of 224x224 are scaled to
    256 as all others are."""

    def __post_init__(self) -> None:
        check_endpoints([self.endpoint])
        if self.pool not in get_args(Pool):
            raise ArchitectureError(f'no pool is called "{self.pool}"; there are {", ".join(get_args(Pool))}')
        if self.remainder not in get_args(Remainder):
            raise ArchitectureError(f'unknown remainder "{self.remainder}": choose {", ".join(get_args(Remainder))}')
        if self.scaler not in get_args(Scaler):
            raise ArchitectureError(f'unknown scaler "{self.scaler}": choose {", ".join(get_args(Scaler))}')
        if self.crops not in CROPS:
            raise ArchitectureError(f"{self.crops} crops are not possible: choose {', '.join(map(str, CROPS))}")
        if self.sampling.clip == "centre":
            raise ArchitectureError("features are taken of all of a video: choose clip all or dense")
        if self.lookahead_frames < 0:
            raise ArchitectureError(f"{self.lookahead_frames} frames cannot follow a window: give 0 or more")
        if self.lookahead_frames and not self.full_windows:
            raise ArchitectureError(
                f"{self.lookahead_frames} frames are to follow each window, which goes with full windows alone"
            )
        if self.is_dense:
            self._check_dense()
        elif self.remainder != "mixed":
            self._check_remainder()

    def _check_dense(self) -> None:
        if self.endpoint != LAST_ENDPOINT or self.pool == "none":
            raise ArchitectureError(
                f"dense mode gives {LAST_ENDPOINT} pooled over space; take windows for other endpoints, or its map"
            )
        if self.full_windows or self.remainder != "mixed":
            raise ArchitectureError("dense mode has no windows that could be full: choose one or the other")
        if self.sampling.clip_frames != CLIP_FRAMES or self.sampling.stride is not None:
            raise ArchitectureError(
                "dense mode has no windows: leave out their length and stride (`clip_frames`, `stride`)"
            )

    def _check_remainder(self) -> None:
        if self.full_windows:
            raise ArchitectureError(
                "full windows drop the frames that are left: these cannot be looped or joined as well"
            )
        if self.remainder == "join" and self.pool != "all":
            raise ArchitectureError(
                f'remainder "join" makes the last window longer, but with pool "{self.pool}" all need one shape: '
                'choose pool "all", remainder "loop", or full windows'
            )
        if self.remainder == "join" and self.sampling.frames_between_clips > self.sampling.clip_frames:
            raise ArchitectureError(
                f"a stride of {self.sampling.frames_between_clips} leaves gaps between windows of "
                f"{self.sampling.clip_frames} frames, so that the frames that are left cannot join the last one: "
                'choose remainder "loop", or full windows'
            )

    @property
    def is_dense(self) -> bool:
        """Whether every frame goes through the network once."""
        return self.sampling.clip == "dense"

    @property
    def shortest_frames(self) -> int:
        """Frames of the shortest video that has any features."""
        return self.sampling.clip_frames + self.lookahead_frames if self.full_windows and not self.is_dense else 1

    def axis_labels(self) -> dict[str, list[str]]:
        """Return what files say of the features' axes: `axes`, their names, and `crops`, if there are several."""
        first = "steps" if self.is_dense else "windows"
        if self.is_dense or self.pool == "all":
            rest = ["channels"]
        else:
            rest = ["time", "channels"] if self.pool == "space" else ["time", "height", "width", "channels"]
        if self.crops == 1:
            return {"axes": [first, *rest]}
        return {"axes": [first, "crops", *rest], "crops": [crop.name for crop in CROPS[self.crops]]}

    def settings(self) -> dict[str, Any]:
        """Return everything that features depend on, by name, in JSON's types; what plays no part is left out."""
        sampling = self.sampling
        chosen = {
            "endpoint": self.endpoint,
            "clip": sampling.clip,
            "fps": sampling.fps,
            "start_seconds": sampling.start_seconds,
            "duration_seconds": sampling.duration_seconds,
            **asdict(self.geometry),
            "scaler": self.scaler,
            "crops": self.crops,
        }
        if self.is_dense:
            return {**chosen, "chunk_frames": sampling.chunk_frames}
        return {
            **chosen,
            "pool": self.pool,
            "clip_frames": sampling.clip_frames,
            "stride": sampling.frames_between_clips,
            "full_windows": self.full_windows,
            "remainder": self.remainder,
            "lookahead_frames": self.lookahead_frames,
        }


def like_video_features(stack: int = STACK_FRAMES, step: int = STACK_FRAMES) -> FeatureOptions:
    """Return what v-iashin/video_features extracts with `feature_type=i3d streams=rgb`.

    Windows of `stack` frames every `step` frames at the video's own rate, each counted once the frame after it has
    been read (the optical flow that it may also compute needs one frame more); what is left at the end is dropped. The
    short side becomes 256 pixels, the other is truncated; the centre is cut out, rounded down; samples are taken for
    square; pixels are what OpenCV and Pillow make of the frames.

    Raises:
        ArchitectureError: a stack under 9 frames, or a step under 1 or over `stack + 1`.
    """
    if stack < MINIMUM_FRAMES:
        raise ArchitectureError(f"stacks of {stack} frames are too short: the network needs at least {MINIMUM_FRAMES}")
    if step > stack + 1:
        raise ArchitectureError(
            f"a step of {step} is not what video_features does: with stacks of {stack} it steps {stack + 1} frames at "
            "most; give a `stride` of at most that, or leave out `like`"
        )
    return FeatureOptions(
        sampling=Sampling(clip_frames=stack, stride=step, fps="native"),
        full_windows=True,
        lookahead_frames=1,
        geometry=Geometry(long_side="down", keep_224=False, ignore_sample_aspect_ratio=True),
        scaler="pillow",
    )


EXACT_STACK_MULTIPLE = 4
"""Frames; of stacks of other lengths the network's port in video_features gives other values, since it pads as if they
were of such a length."""

PRESETS: Mapping[Preset, FeatureOptions] = MappingProxyType(
    {
        "video_features": like_video_features(),
        "i3d": FeatureOptions(sampling=Sampling(clip="dense")),
    }
)
"""What other extractors do, by their name; `i3d` is the paper's: 25 frames a second, a feature every 8 frames."""
