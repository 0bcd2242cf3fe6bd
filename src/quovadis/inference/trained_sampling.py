"""How a video is sampled where nobody says how: as the clips were that the weights were trained on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from quovadis.architecture import FRAME_SIZE, TEMPORAL_STRIDE
from quovadis.errors import ArchitectureError
from quovadis.fields import check_values, with_keywords
from quovadis.video import CentreClip, Dense, Sampling, SlidingWindows, VideoLimits
from quovadis.video.geometry import SHORT_SIDE
from quovadis.weights import InputSpecification
from quovadis.weights.input_specification import UNSPECIFIED

_OF_DENSE = ("window_steps", "chunk_frames")


def trained_keywords(
    specified: InputSpecification, given: Collection[str] = (), *, is_dense: bool = False
) -> dict[str, Any]:
    """Return what the weights say of sampling, as keywords of `Sampling` and its clips; nothing that was given.

    Args:
        specified: what the weights were trained on.
        given: the keywords that a caller gave.
        is_dense: whether the clips are `Dense`; so they are with a keyword of that class, too.
    """
    found: dict[str, Any] = {"fps": specified.fps}
    if specified.clip_frames is not None and "clips" not in given:
        if is_dense or any(name in given for name in _OF_DENSE):
            # Steps of a clip: a position for every 8 frames, of which the head pools pairs.
            found["window_steps"] = max(-(-specified.clip_frames // TEMPORAL_STRIDE) - 1, 1)
        else:
            found["clip_frames"] = specified.clip_frames
    # With a whole sampling, nothing of it is left to choose.
    return {k: v for k, v in found.items() if v is not None and k not in given and "sampling" not in given}


def choose_options(
    kind: type[Any],
    given: Any,
    limits: VideoLimits | None,
    allow_partial: object,
    keywords: Mapping[str, Any],
    specified: InputSpecification,
) -> tuple[Any, ...]:
    """Return options of a kind and limits, the defaults where nothing is given, with keywords in place of fields.

    Args:
        kind: `Sampling` or `FeatureOptions`.
        given: options of that kind; None: as the weights were trained, or as it usually is.
        limits: None: the defaults.
        allow_partial: checked only.
        keywords: fields of both.
        specified: what the weights were trained on.

    Raises:
        ArchitectureError: a value of another type, or values that are not possible or do not go together.
        TypeError: a keyword that is no field.
    """
    check_values(bool, ArchitectureError, allow_partial=allow_partial)
    name = "sampling" if kind is Sampling else "options"
    for option, value, wanted in ((name, given, kind), ("limits", limits, VideoLimits)):
        if not isinstance(value, wanted | None):
            message = f"{type(value).__name__} is no {wanted.__name__}: give one, or its fields as keywords of the call"
            raise ArchitectureError(message, option=option)
    if given is None:
        keywords = {**trained_keywords(specified, keywords), **keywords}
    return with_keywords(keywords, given or kind(), limits or VideoLimits(), free=given is None)


def choose_sampling(
    clips: type[SlidingWindows | CentreClip | Dense], specified: InputSpecification = UNSPECIFIED, **given: Any
) -> Sampling:
    """Return a sampling by what was asked for; what was not is as the weights were trained, or as it usually is.

    Args:
        clips: their class.
        specified: what the weights were trained on.
        given: fields of `Sampling`, of the clips and of the span; None: not asked for.

    Raises:
        ArchitectureError: values that are not possible, or that do not go together.
    """
    keywords = {name: value for name, value in given.items() if value is not None}
    trained = trained_keywords(specified, keywords, is_dense=clips is Dense)
    (sampling,) = with_keywords({**trained, **keywords}, Sampling(clips=clips()))
    chosen: Sampling = sampling
    return chosen


def other_size(specified: InputSpecification) -> str | None:
    """Return a note where weights were trained on frames of another size than they are run on; None elsewhere."""
    short_side, crop = specified.short_side or SHORT_SIDE, specified.crop_size or FRAME_SIZE
    if (short_side, crop) == (SHORT_SIDE, FRAME_SIZE):
        return None
    return (
        f"trained on {crop}x{crop} pixels of frames whose short side is {short_side}, but videos are shown to them at "
        f"{FRAME_SIZE} of {SHORT_SIDE}: predictions may be worse than in training"
    )
