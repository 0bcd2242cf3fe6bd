"""Mean and covariance of features that arrive in batches, or in shards on several machines."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from quovadis.errors import MetricError
from quovadis.escape import counted, counted_are
from quovadis.fields import check_value
from quovadis.metrics.inputs import checked_features, checked_mean, checked_symmetric


class Moments:
    """Count, mean and scatter matrix of all the features seen, in float64.

    The scatter matrix is the sum of the outer products of the features less their mean. Batches are centred first and
    then combined pairwise (Chan, Golub and LeVeque 1983, "Algorithms for computing the sample variance: analysis and
    recommendations"), so that no two large sums are ever subtracted. Memory does not grow with the count.
    """

    def __init__(self, dimension: int) -> None:
        dimension = check_value("dimension", dimension, int, MetricError, at_least=1)
        self._count = 0
        self._mean = np.zeros(dimension)
        self._scatter = np.zeros((dimension, dimension))

    @classmethod
    def of(cls, features: NDArray[Any]) -> Self:
        """Return the moments of features, shape N,D, of any real dtype.

        Raises:
            MetricError: another shape, or values that are not finite.
        """
        array = checked_features(features, "features")
        moments = cls(array.shape[1])
        moments._absorb(array)
        return moments

    @classmethod
    def restored(cls, count: int, mean: NDArray[Any], scatter: NDArray[Any]) -> Self:
        """Return moments that were stored.

        Args:
            count: of samples, 0 or more.
            mean: shape D; zeros if the count is 0.
            scatter: shape D,D, symmetric, its diagonal not negative; zeros if the count is 0 or 1.

        Raises:
            MetricError: anything else.
        """
        number = check_value("the count of stored moments", count, int, MetricError, at_least=0)
        vector = checked_mean(mean, "the mean of stored moments")
        matrix = checked_symmetric(scatter, len(vector), "the scatter of stored moments")
        if (number == 0 and vector.any()) or (number <= 1 and matrix.any()):
            raise MetricError(f"{number} samples cannot have the stored mean and scatter: all their values must be 0")
        moments = cls(len(vector))
        moments._count, moments._mean, moments._scatter = number, vector.copy(), matrix
        return moments

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Moments):
            return NotImplemented
        return self._count == other._count and all(
            np.array_equal(mine, its) for mine, its in ((self._mean, other._mean), (self._scatter, other._scatter))
        )

    # What can change is no key of a dictionary.
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Moments({counted(self._count, 'sample')} of {self.dimension} dimensions)"

    def add(self, features: NDArray[Any]) -> None:
        """Take in a batch of features; if it is refused, nothing of it is taken in.

        Args:
            features: shape N,D, of any real dtype; N may be 0.

        Raises:
            MetricError: another shape, or values that are not finite.
        """
        array = checked_features(features, "features")
        self._check_dimension(array.shape[1])
        self._absorb(array)

    def merged(self, other: Moments) -> Moments:
        """Return the moments of both sets of features together; neither of the two is changed.

        Raises:
            MetricError: features of different dimensions, or something other than moments.
        """
        check_value("other", other, Moments, MetricError)
        self._check_dimension(other.dimension)
        moments = Moments(self.dimension)
        moments._combine(self._count, self._mean, self._scatter)
        moments._combine(other._count, other._mean, other._scatter)
        return moments

    @property
    def dimension(self) -> int:
        """D, the length of each feature vector."""
        return len(self._mean)

    @property
    def count(self) -> int:
        """Samples seen."""
        return self._count

    @property
    def mean(self) -> NDArray[np.float64]:
        """A copy, shape D; zeros while the count is 0."""
        return self._mean.copy()

    @property
    def scatter(self) -> NDArray[np.float64]:
        """A copy of the sum of outer products of the centred features, shape D,D, symmetric."""
        return self._scatter.copy()

    def covariance(self, *, unbiased: bool) -> NDArray[np.float64]:
        """Return the covariance matrix, shape D,D, symmetric.

        Args:
            unbiased: divide the scatter by the count less 1, which makes the expectation that of the population;
                otherwise by the count.

        Raises:
            MetricError: fewer than 2 samples for the unbiased covariance, or none for the other; `unbiased`
                is neither True nor False.
        """
        check_value("unbiased", unbiased, bool, MetricError)
        degrees = self._count - 1 if unbiased else self._count
        if degrees < 1:
            raise MetricError(
                f"{counted_are(self._count, 'sample')} too few for a covariance; give {2 if unbiased else 1} or more"
            )
        covariance: NDArray[np.float64] = self._scatter / degrees
        return covariance

    def _check_dimension(self, dimension: int) -> None:
        if dimension != self.dimension:
            raise MetricError(f"moments of {self.dimension} dimensions cannot take features of {dimension}")

    def _absorb(self, features: NDArray[np.float64]) -> None:
        count = len(features)
        if count == 0:
            return
        # As in the paper's corrected two-pass algorithm, the residue takes back what the first mean rounded. Here it is
        # subtracted from the features, not from their scatter, which thus stays positive semidefinite.
        rough = features.mean(axis=0)
        centred = features - rough
        residue = centred.mean(axis=0)
        centred -= residue
        self._combine(count, rough + residue, centred.T @ centred)

    def _combine(self, count: int, mean: NDArray[np.float64], scatter: NDArray[np.float64]) -> None:
        if count == 0:
            return
        total = self._count + count
        step = mean - self._mean
        # The paper's pairwise update, for vectors. Nothing is added in place: a failure leaves the moments whole.
        self._scatter = self._scatter + scatter + np.outer(step, step) * (self._count * count / total)
        self._mean = self._mean + step * (count / total)
        self._count = total
