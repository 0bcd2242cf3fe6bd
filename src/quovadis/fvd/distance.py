"""Distances between two sets of videos, for every length that both have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, TypeAlias

from quovadis.errors import MetricError
from quovadis.fields import check_value, check_values
from quovadis.fvd.options import Covariance, FVDOptions, clip_lengths
from quovadis.fvd.statistics import (
    LengthStatistics,
    Statistics,
    check_comparable,
    check_lengths,
    has_length,
    missing_length,
)
from quovadis.metrics import BootstrapInterval, bootstrap, frechet_distance, fvd, kvd

_MIN_CLIPS = 2
"""Of a set: fewer have no covariance."""


@dataclass(frozen=True)
class Distance:
    """How far two sets of videos are apart, by clips of one length."""

    frames: int
    """Of a clip; 0 for features from elsewhere."""
    dimensions: int
    """Of the features."""
    clips_a: int
    clips_b: int
    fvd: float
    """Fréchet distance of the Gaussians with the sets' means and covariances."""
    interval: BootstrapInterval | None
    """Of the Fréchet distance of as many clips, if it was asked for."""
    kvd: float | None
    """Squared maximum mean discrepancy with the cubic polynomial kernel; None if the features were not kept."""
    warnings: tuple[str, ...]
    """Plain sentences on what makes the figures unsure."""

    def to_dict(self) -> dict[str, Any]:
        """Return the distance in JSON's types."""
        return {**asdict(self), "warnings": list(self.warnings)}


def distances(
    a: Statistics,
    b: Statistics,
    *,
    frames: int | Sequence[int] | None = None,
    covariance: Covariance = "unbiased",
    with_kvd: bool = True,
    resamples: int = 0,
    seed: int = 0,
    on_resample: Callable[[], None] | None = None,
    on_missing: Callable[[str], None] | None = None,
) -> list[Distance]:
    """Return the distances between two sets, a length at a time, the shortest first.

    Args:
        a: the real videos; the distance is the same either way.
        b: the generated ones.
        frames: lengths of clips that are wanted, one or several; None: all that both have.
        covariance: `unbiased`, divided by N - 1, as TF-GAN in the original; `population`, by N, as StyleGAN-V.
        with_kvd: whether to compute the kernel distance too, whose cost grows with the square of the clips.
        resamples: of the bootstrap; 0 for none.
        seed: of the bootstrap.
        on_resample: called after each resample of each length.
        on_missing: called with a sentence on each length that has no distance, if another one has; None: such a length
            is an error.

    Raises:
        MetricError: the sets are of other settings or dimensions, have no length in common, or only one clip.
    """
    check_values(Statistics, MetricError, a=a, b=b)
    check_value("covariance", covariance, Covariance, MetricError)
    frames = clip_lengths(frames)
    check_comparable(a, b)
    pairs, missing = _pairs(a, b, frames)
    if missing and (on_missing is None or not pairs):
        raise MetricError("; ".join(missing))
    result = []
    for length, (left, right) in sorted(pairs.items()):
        dimensions = left.moments.dimension
        _check_dimensions(a.source, dimensions, b.source, right.moments.dimension)
        unbiased = covariance == "unbiased"
        value = frechet_distance(
            left.moments.mean,
            left.moments.covariance(unbiased=unbiased),
            right.moments.mean,
            right.moments.covariance(unbiased=unbiased),
        )
        warnings = _warnings(a.source, length, left) + _warnings(b.source, length, right)
        interval = kernel = None
        if left.features is not None and right.features is not None:
            if resamples:
                interval = bootstrap(
                    partial(fvd, covariance=covariance),
                    left.features,
                    right.features,
                    resamples=resamples,
                    seed=seed,
                    floor=0.0,
                    groups_a=left.videos,
                    groups_b=right.videos,
                    on_resample=on_resample,
                )
            if with_kvd:
                kernel = kvd(left.features, right.features)
        elif resamples or with_kvd:
            warnings += ("the statistics hold no features, which KVD and the bootstrap need",)
        counts = left.moments.count, right.moments.count
        result.append(Distance(length, dimensions, *counts, value, interval, kernel, warnings))
    for sentence in missing:
        if on_missing is not None:
            on_missing(sentence)
    return result


def comparable_options(
    precomputed: Statistics, source: str, settings: Mapping[str, Any], options: FVDOptions
) -> FVDOptions:
    """Return how a set is to be measured to be comparable with `precomputed`, or refuse before any work.

    Args:
        precomputed: the other set.
        source: what errors call the set to be measured.
        settings: those that it would have.
        options: how it was to be measured; of their lengths those are left that `precomputed` has.

    Raises:
        MetricError: `precomputed` is of other settings, or has no clips of any such length.
    """
    check_comparable(precomputed, Statistics(source, settings, {}))
    lengths = tuple(length for length in options.frames if has_length(precomputed, length))
    if not lengths:
        check_lengths(precomputed, options.frames)
    return replace(options, frames=lengths)


def check_before(
    precomputed: Sequence[Statistics], planned: Sequence[tuple[str, Mapping[str, Any] | None, FVDOptions, int | None]]
) -> None:
    """Refuse sets of which no distance could be told, before the network runs.

    Args:
        precomputed: all statistics and features from files, of both sets.
        planned: of each set with videos what errors call it, the settings that it would have, its options, and the
            dimensions of its features; None: settings and dimensions that are not known yet.

    Raises:
        MetricError: naming two that do not go together, and what to do.
    """
    expected: list[tuple[Statistics, int | None]] = [(one, _dimension(one)) for one in precomputed]
    for source, settings, options, dimension in planned:
        # Of which lengths there will be clips is known; what they are comes later.
        lengths: dict[int, Any] = dict.fromkeys(options.frames)
        expected.append((Statistics(source, settings, lengths), dimension))
    for index, (one, dimension) in enumerate(expected):
        for other, other_dimension in expected[:index]:
            check_comparable(other, one)
            if dimension is not None and other_dimension is not None:
                _check_dimensions(other.source, other_dimension, one.source, dimension)
            _common(other, one)


def _dimension(statistics: Statistics) -> int:
    return next(iter(statistics.lengths.values())).moments.dimension


def _check_dimensions(source_a: str, a: int, source_b: str, b: int) -> None:
    if a != b:
        raise MetricError(
            f"{source_a} has features of {a} dimensions, {source_b} of {b}; measure both with the same network"
        )


_Pair: TypeAlias = tuple[LengthStatistics, LengthStatistics]


def _pairs(a: Statistics, b: Statistics, frames: Sequence[int] | None) -> tuple[dict[int, _Pair], list[str]]:
    """Return what can be compared, by length, and why other lengths that are wanted cannot."""
    pairs: dict[int, _Pair] = {}
    missing = [missing_length(one, length) for length in frames or () for one in (a, b) if not has_length(one, length)]
    for length, pair in _common(a, b).items():
        if frames and length and length not in frames:
            continue
        few = [one.source for one, part in zip((a, b), pair, strict=True) if part.moments.count < _MIN_CLIPS]
        if few:
            clip = f"1 clip of {length} frames" if length else "1 sample"
            missing += [f"{source}: {clip} is too few; give {_MIN_CLIPS} or more" for source in few]
        else:
            pairs[length] = pair
    # A set may be compared with itself.
    return pairs, list(dict.fromkeys(missing))


def _common(a: Statistics, b: Statistics) -> dict[int, _Pair]:
    shared = [frames for frames in a.lengths if frames in b.lengths]
    if shared:
        return {frames: (a.lengths[frames], b.lengths[frames]) for frames in shared}
    if len(a.lengths) == len(b.lengths) == 1 and (a.settings is None or b.settings is None):
        # Features from elsewhere do not say what clips they are of.
        ((frames_a, left),) = a.lengths.items()
        ((frames_b, right),) = b.lengths.items()
        return {max(frames_a, frames_b): (left, right)}
    lengths = " and ".join(f"{one.source} has {_listed(one)}" for one in (a, b))
    raise MetricError(f"the sets have no length of clips in common: {lengths}; measure both with the same `frames`")


def _warnings(source: str, frames: int, part: LengthStatistics) -> tuple[str, ...]:
    count, dimensions = part.moments.count, part.moments.dimension
    if count > dimensions:
        return ()
    clips = f"{count} clips of {frames} frames" if frames else f"{count} samples"
    return (
        f"{source}: {clips} in {dimensions} dimensions: the covariance has rank {count - 1} at most, and the "
        f"distance is overestimated; compare it only with distances over the same number of clips, or use more than "
        f"{dimensions} clips",
    )


def _listed(statistics: Statistics) -> str:
    return ", ".join(str(length) if length else "features from elsewhere" for length in sorted(statistics.lengths))
