"""Which features of which frames, and what other extractors do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from quovadis.architecture import CLIP_FRAMES, ENDPOINTS, FRAMES_PER_SECOND, MINIMUM_FRAMES, check_endpoints
from quovadis.errors import ArchitectureError
from quovadis.fields import check_fields
from quovadis.video.crops import CROPS, Crops
from quovadis.video.geometry import Geometry
from quovadis.video.sampling import CentreClip, Dense, Sampling, SlidingWindows
from quovadis.weights import InputSpecification
from quovadis.weights.input_specification import UNSPECIFIED

Pool: TypeAlias = Literal["none", "space", "all"]
"""`none`: the endpoint's map as it is; `space`: averaged over height and width, and of `Mixed_5c` over pairs of
neighbours in time too, as the network's head does; `all`: the mean of these over time."""
Scaler: TypeAlias = Literal["ffmpeg", "pillow"]
"""`ffmpeg`: frames are converted and scaled by FFmpeg, as for `classify`; `pillow`: they are converted to RGB as OpenCV
does it, and scaled by Pillow."""
Preset: TypeAlias = Literal["video_features", "i3d"]
Windows: TypeAlias = Literal["full", "loop", "join"]
"""Frames that are left at the end: `full` drops them, `loop` repeats them to fill a window, `join` extends the last."""
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
    """`SlidingWindows` over the video, or `Dense`: every frame once and one feature for every step of 8 frames. If the
    pool is not `all`, windows are all of one length: frames that would join the last one are dropped."""
    geometry: Geometry = field(default_factory=Geometry)
    """How frames are scaled and cut; for several crops of each, only how they are scaled."""
    scaler: Scaler = "ffmpeg"
    """What converts colours and scales."""
    crops: Crops = 1
    """Crops of each frame, upright as it is shown: 1, 3, 5 or 10. With more than one, features have an axis of crops
    after that of windows or steps, in the order of `quovadis.video.crops.CROPS`, and frames of 224x224 are scaled to
    256 as all others are."""

    def __post_init__(self) -> None:
        check_fields(self, ArchitectureError)
        check_endpoints(self.endpoint, "endpoint")
        if isinstance(self.sampling.clips, CentreClip):
            raise ArchitectureError("features are taken of all of a video: choose SlidingWindows or Dense")
        if self.is_dense and (self.endpoint != LAST_ENDPOINT or self.pool == "none"):
            raise ArchitectureError(
                f"dense mode gives only {LAST_ENDPOINT}, pooled over space; for another endpoint or the whole map "
                "leave dense mode out"
            )
        if not self.is_dense and self.windows.remainder == "join" and self.pool != "all":
            raise ArchitectureError(
                f'remainder "join" makes the last window longer, but with pool "{self.pool}" all need one shape: '
                'choose pool "all", remainder "loop", or full windows'
            )

    @property
    def is_dense(self) -> bool:
        """Whether every frame goes through the network once."""
        return isinstance(self.sampling.clips, Dense)

    @property
    def windows(self) -> SlidingWindows:
        """The windows over the video.

        Raises:
            ArchitectureError: dense mode has none.
        """
        if not isinstance(self.sampling.clips, SlidingWindows):
            raise ArchitectureError("dense mode has no windows")
        return self.sampling.clips

    @property
    def shortest_frames(self) -> int:
        """Frames of the shortest video that has any features."""
        if self.is_dense or self.windows.remainder != "drop":
            return 1
        return self.windows.clip_frames + self.windows.lookahead_frames

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
            "clips": "dense" if self.is_dense else "windows",
            "fps": sampling.fps,
            **asdict(sampling.span),
            **asdict(self.geometry),
            "scaler": self.scaler,
            "crops": self.crops,
        }
        if isinstance(sampling.clips, Dense):
            return {**chosen, "chunk_frames": sampling.clips.chunk_frames}
        return {**chosen, "pool": self.pool, **asdict(self.windows), "stride": self.windows.frames_between_clips}


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
            "most; give a `stride` of at most that, or leave out `preset`"
        )
    return FeatureOptions(
        sampling=Sampling(
            clips=SlidingWindows(clip_frames=stack, stride=step, remainder="drop", lookahead_frames=1), fps="native"
        ),
        geometry=Geometry(long_side="down", keep_224=False, ignore_sample_aspect_ratio=True),
        scaler="pillow",
    )


EXACT_STACK_MULTIPLE = 4
"""Frames; of stacks of other lengths the network's port in video_features gives other values, since it pads as if they
were of such a length."""

PRESETS: Mapping[Preset, FeatureOptions] = MappingProxyType(
    {
        "video_features": like_video_features(),
        "i3d": FeatureOptions(sampling=Sampling(clips=Dense())),
    }
)
"""What other extractors do, by their name; `i3d` is the paper's: 25 frames a second, a feature every 8 frames."""


def choose_features(
    preset: Preset | None = None,
    *,
    endpoint: str = LAST_ENDPOINT,
    pool: Pool = "all",
    clip_frames: int | None = None,
    stride: int | None = None,
    windows: Windows | None = None,
    crops: Crops = 1,
    fps: float | Literal["native"] | None = None,
    dense: bool = False,
    specified: InputSpecification = UNSPECIFIED,
) -> FeatureOptions:
    """Return what is to be extracted, by what was asked for; what was not is as a preset, or the default, has it.

    Without a preset, the default is what the weights were trained on, if it is `specified`.

    Raises:
        ArchitectureError: values that are not possible, or that do not go together.
    """
    remainder: dict[str, Any] = {} if windows is None else {"remainder": "drop" if windows == "full" else windows}
    if preset == "video_features":
        base = like_video_features(clip_frames or STACK_FRAMES, stride or clip_frames or STACK_FRAMES)
        # Asked for by name, a full window counts whether or not a frame follows it.
        clips = base.windows if windows is None else replace(base.windows, lookahead_frames=0, **remainder)
        sampling = replace(base.sampling, clips=clips, fps=base.sampling.fps if fps is None else fps)
        return replace(base, endpoint=endpoint, pool=pool, sampling=sampling, crops=crops)
    chosen: SlidingWindows | Dense = Dense()
    if not dense and preset != "i3d":
        length = clip_frames or specified.clip_frames or CLIP_FRAMES
        chosen = SlidingWindows(clip_frames=length, stride=stride, **remainder)
    elif windows is not None:
        raise ArchitectureError("dense mode has no windows that could be full: choose one or the other")
    elif (clip_frames or CLIP_FRAMES) != CLIP_FRAMES or stride is not None:
        raise ArchitectureError(
            "dense mode has no windows: leave out their length and stride (`clip_frames`, `stride`)"
        )
    if fps is None:
        fps = FRAMES_PER_SECOND if preset == "i3d" else specified.fps or FRAMES_PER_SECOND
    sampling = Sampling(clips=chosen, fps=fps)
    return FeatureOptions(endpoint=endpoint, pool=pool, sampling=sampling, crops=crops)
