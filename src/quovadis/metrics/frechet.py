"""The Fréchet distance between Gaussians fitted to two sets of features."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from quovadis.errors import MetricError
from quovadis.fields import check_value
from quovadis.metrics.inputs import RELATIVE_TOLERANCE, checked_mean, checked_pair, checked_symmetric
from quovadis.metrics.moments import Moments

CovarianceConvention = Literal["unbiased", "population"]


def fvd(features_a: NDArray[Any], features_b: NDArray[Any], *, covariance: CovarianceConvention = "unbiased") -> float:
    """Return the Fréchet video distance between two sets of features (Unterthiner et al. 2018).

    Published figures follow one of two conventions: the original code, through TF-GAN, divides the scatter by the count
    less 1; StyleGAN-V's divides it by the count. Either has an upward bias that shrinks as the count grows: compare
    only sets of the same count.

    Args:
        features_a: shape N,D, of any real dtype: one vector a video.
        features_b: shape M,D.
        covariance: "unbiased" for a division by N - 1 and M - 1, "population" for one by N and M.

    Returns:
        The squared 2-Wasserstein distance of the fitted Gaussians, 0 or more, in the features' unit squared.

    Raises:
        MetricError: another shape or convention, different dimensions, values that are not finite, fewer samples than
            2, or than 1 by the convention "population".
    """
    check_value("covariance", covariance, CovarianceConvention, MetricError)
    unbiased = covariance == "unbiased"
    first, second = (Moments.of(features) for features in checked_pair(features_a, features_b, least=1 + unbiased))
    return frechet_distance(
        first.mean, first.covariance(unbiased=unbiased), second.mean, second.covariance(unbiased=unbiased)
    )


def frechet_distance(
    mean_a: NDArray[Any], covariance_a: NDArray[Any], mean_b: NDArray[Any], covariance_b: NDArray[Any]
) -> float:
    """Return the squared Fréchet distance between two Gaussians (Dowson and Landau 1982; Heusel et al. 2017).

    It is |a - b|² + tr A + tr B - 2 tr (√A B √A)^½ for means a, b and covariances A, B. With A = F Fᵀ and B = G Gᵀ the
    last trace is the sum of the singular values of Fᵀ G. No root is taken of a product, which would turn a rounding of
    ε into √ε where the covariances are singular, as they are of fewer samples than dimensions.

    Args:
        mean_a: shape D, of any real dtype.
        covariance_a: shape D,D, symmetric and positive semidefinite within 1e-5 of its largest entry or eigenvalue.
        mean_b: shape D.
        covariance_b: shape D,D.

    Returns:
        0 or more, in the features' unit squared. Eigenvalues below D ε of the largest are rounding and count as 0.

    Raises:
        MetricError: shapes that do not fit, values that are not finite, a covariance that is not symmetric or has
            negative eigenvalues.
    """
    first, second = checked_mean(mean_a, "mean A"), checked_mean(mean_b, "mean B")
    if len(first) != len(second):
        raise MetricError(f"Gaussians of {len(first)} and of {len(second)} dimensions cannot be compared")
    factor_a = _factor(checked_symmetric(covariance_a, len(first), "covariance A"), "covariance A")
    factor_b = _factor(checked_symmetric(covariance_b, len(second), "covariance B"), "covariance B")
    overlap = np.linalg.svd(factor_a.T @ factor_b, compute_uv=False).sum()
    # A trace is the sum of the squares of its factor, without the eigenvalues that were dropped as rounding.
    spread = np.square(factor_a).sum() + np.square(factor_b).sum() - 2 * overlap
    return max(float(np.square(first - second).sum() + spread), 0.0)


def _factor(covariance: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """Return F with covariance = F Fᵀ, shape D,R for the rank R: eigenvectors times the roots of their eigenvalues."""
    eigenvalues, eigenvectors = np.linalg.eigh(covariance)
    lowest, largest = float(eigenvalues[0]), float(np.abs(eigenvalues).max())
    if lowest < -RELATIVE_TOLERANCE * largest:
        raise MetricError(f"{name} is no covariance: it has the negative eigenvalue {lowest:g}")
    kept = eigenvalues > largest * len(covariance) * np.finfo(np.float64).eps
    factor: NDArray[np.float64] = eigenvectors[:, kept] * np.sqrt(eigenvalues[kept])
    return factor
