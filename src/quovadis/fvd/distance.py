"""Distances between two sets of videos, for every length that both have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from quovadis.errors import MetricError
from quovadis.fvd.options import Covariance
from quovadis.fvd.statistics import LengthStatistics, Statistics, check_comparable
from quovadis.metrics import BootstrapInterval, bootstrap, frechet_distance, fvd, kvd

_LEAST_CLIPS = 2
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
    """Of the Fréchet distance, if it was asked for."""
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
    frames: Sequence[int] | None = None,
    covariance: Covariance = "unbiased",
    with_kvd: bool = True,
    resamples: int = 0,
    seed: int = 0,
) -> list[Distance]:
    """Return the distances between two sets, a length at a time, the shortest first.

    Args:
        a: the real videos; the distance is the same either way.
        b: the generated ones.
        frames: lengths of clips that are wanted; None: all that both have.
        covariance: `unbiased`, divided by N - 1, as TF-GAN in the original; `population`, by N, as StyleGAN-V.
        with_kvd: whether to compute the kernel distance too, whose cost grows with the square of the clips.
        resamples: of the bootstrap; 0 for none.
        seed: of the bootstrap.

    Raises:
        MetricError: the sets are of other settings or dimensions, have no length in common, or only one clip.
    """
    check_comparable(a, b)
    result = []
    pairs = _pairs(a, b)
    for statistics in (a, b):
        _check_lengths(statistics, frames or ())
    for length, (left, right) in sorted(pairs.items()):
        if frames and length and length not in frames:
            continue
        dimensions = left.moments.dimension
        if right.moments.dimension != dimensions:
            raise MetricError(
                f"{a.source} has features of {dimensions} dimensions, {b.source} of {right.moments.dimension}; "
                "measure both with the same network"
            )
        for source, part in ((a.source, left), (b.source, right)):
            if part.moments.count < _LEAST_CLIPS:
                raise MetricError(f"{source}: {part.moments.count} clip is too few; give {_LEAST_CLIPS} or more")
        unbiased = covariance == "unbiased"
        value = frechet_distance(
            left.moments.mean,
            left.moments.covariance(unbiased=unbiased),
            right.moments.mean,
            right.moments.covariance(unbiased=unbiased),
        )
        warnings = _warnings(a.source, left, dimensions) + _warnings(b.source, right, dimensions)
        interval = kernel = None
        if left.features is not None and right.features is not None:
            if resamples:
                statistic = partial(fvd, covariance=covariance)
                interval = bootstrap(
                    statistic, left.features, right.features, resamples=resamples, seed=seed, floor=0.0
                )
            if with_kvd:
                kernel = kvd(left.features, right.features)
        elif resamples or with_kvd:
            warnings += ("the statistics hold no features, which KVD and the bootstrap need",)
        counts = left.moments.count, right.moments.count
        result.append(Distance(length, dimensions, *counts, value, interval, kernel, warnings))
    return result


def check_plan(known: Statistics, source: str, settings: Mapping[str, Any], frames: Sequence[int]) -> None:
    """Refuse a set before it is measured if its distance from `known` could not be told.

    Args:
        known: the other set.
        source: what errors call the set to be measured.
        settings: those that it would have.
        frames: lengths of its clips.

    Raises:
        MetricError: `known` is of other settings, or has no clips of such a length.
    """
    check_comparable(known, Statistics(source, settings, {}))
    _check_lengths(known, frames)


def _check_lengths(statistics: Statistics, frames: Sequence[int]) -> None:
    lacking = [length for length in frames if length not in statistics.lengths]
    # Features from elsewhere do not say what clips they are of.
    if lacking and statistics.settings is not None:
        options = " ".join(f"--frames {length}" for length in lacking)
        listed = ", ".join(map(str, lacking))
        raise MetricError(f"{statistics.source}: has no clips of {listed} frames; measure it anew with {options}")


def _pairs(a: Statistics, b: Statistics) -> Mapping[int, tuple[LengthStatistics, LengthStatistics]]:
    shared = [frames for frames in a.lengths if frames in b.lengths]
    if shared:
        return {frames: (a.lengths[frames], b.lengths[frames]) for frames in shared}
    if len(a.lengths) == len(b.lengths) == 1 and (a.settings is None or b.settings is None):
        # Features from elsewhere do not say what clips they are of.
        ((frames_a, left),) = a.lengths.items()
        ((frames_b, right),) = b.lengths.items()
        return {max(frames_a, frames_b): (left, right)}
    lengths = " and ".join(
        f"{statistics.source} has {', '.join(map(str, sorted(statistics.lengths)))}" for statistics in (a, b)
    )
    raise MetricError(f"the sets have no length of clips in common: {lengths}; measure both with the same --frames")


def _warnings(source: str, part: LengthStatistics, dimensions: int) -> tuple[str, ...]:
    count = part.moments.count
    if count > dimensions:
        return ()
    return (
        f"{source}: {count} clips in {dimensions} dimensions: the covariance has rank {count - 1} at most, and the "
        f"distance is too great; compare it only with distances of as many clips, or take more than {dimensions}",
    )
