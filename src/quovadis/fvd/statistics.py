"""What is known of a set of videos: moments of its features for each length, and the features themselves."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.errors import MetricError, OutputError
from quovadis.fetch.durable import publish
from quovadis.metrics import Moments

_FORMAT = "quovadis fvd 1"
_IGNORED = ("seed",)
"""Settings that may differ between sets that are compared or merged."""
_UNREADABLE = (
    *(MetricError, OSError, ValueError, KeyError, TypeError, EOFError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, RuntimeError),  # what zipfile raises of archives that are damaged or encrypted
)


@dataclass(frozen=True, eq=False)
class LengthStatistics:
    """Clips of one length."""

    moments: Moments
    features: NDArray[np.floating[Any]] | None = field(default=None, repr=False)
    """Shape clips, dimensions; None where only the moments were kept."""

    @classmethod
    def of(cls, features: NDArray[np.floating[Any]]) -> LengthStatistics:
        """Return the statistics of features, shape clips, dimensions."""
        return cls(Moments.of(features), features)

    def merged(self, other: LengthStatistics) -> LengthStatistics:
        """Return the statistics of both together.

        Raises:
            MetricError: features of different dimensions.
        """
        moments = self.moments.merged(other.moments)
        kept = self.features is not None and other.features is not None
        features = np.concatenate([self.features, other.features]) if kept else None
        return LengthStatistics(moments, features)


@dataclass(frozen=True, eq=False)
class Statistics:
    """A set of videos."""

    source: str
    """Where the videos are."""
    settings: Mapping[str, Any] | None
    """Everything but lengths that the features depend on; None of features from elsewhere."""
    lengths: Mapping[int, LengthStatistics]
    """By frames of a clip; 0 of features from elsewhere."""


def merge_statistics(sets: Sequence[Statistics]) -> Statistics:
    """Return the statistics of several sets together: the same as if their videos had been one set.

    Raises:
        MetricError: no set, or sets of other settings, lengths or dimensions.
    """
    if not sets:
        raise MetricError("there is nothing to merge: give one set of videos or more")
    merged = sets[0]
    for other in sets[1:]:
        check_comparable(merged, other)
        if set(merged.lengths) != set(other.lengths):
            raise MetricError(
                f"{other.source}: clips of {_listed(other)} frames cannot be merged with {merged.source}'s of "
                f"{_listed(merged)}; compute both with the same --frames"
            )
        try:
            lengths = {frames: part.merged(other.lengths[frames]) for frames, part in merged.lengths.items()}
        except MetricError as error:
            raise MetricError(f"{other.source} cannot be merged with {merged.source}: {error}") from error
        merged = Statistics(f"{merged.source} + {other.source}", merged.settings or other.settings, lengths)
    return merged


def check_comparable(a: Statistics, b: Statistics) -> None:
    """Refuse sets whose features are not of one kind.

    Raises:
        MetricError: naming what differs.
    """
    if a.settings is None or b.settings is None:
        return
    names = [n for n in {**a.settings, **b.settings} if n not in _IGNORED and a.settings.get(n) != b.settings.get(n)]
    if names:
        differing = ", ".join(f"{name}: {a.settings.get(name)} and {b.settings.get(name)}" for name in names)
        raise MetricError(
            f"{a.source} and {b.source} were measured with other settings ({differing}); measure both with the same"
        )


def save_statistics(statistics: Statistics, path: Path, *, keep_features: bool = True) -> None:
    """Write statistics as a `.npz`, whole or not at all.

    Args:
        statistics: of a set.
        path: of the file.
        keep_features: whether the features go with the moments; KVD and the bootstrap need them.

    Raises:
        OutputError: it cannot be written.
    """
    document = {"format": _FORMAT, "source": statistics.source, "settings": statistics.settings}
    text = json.dumps(document).encode("utf-8", "backslashreplace").decode()
    arrays: dict[str, NDArray[Any]] = {"document": np.array(text)}
    for frames, part in statistics.lengths.items():
        arrays |= {
            f"count_{frames}": np.array(part.moments.count),
            f"mean_{frames}": part.moments.mean,
            f"scatter_{frames}": part.moments.scatter,
        }
        if keep_features and part.features is not None:
            arrays[f"features_{frames}"] = part.features
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        publish(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot write the statistics: {error.strerror or error}") from error


def load_statistics(path: Path) -> Statistics:
    """Read what `save_statistics` wrote.

    Raises:
        MetricError: no such file, or another.
    """
    try:
        # Opened here: numpy would leave the file of a damaged archive open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            document = json.loads(str(arrays["document"]))
            if document["format"] != _FORMAT:
                raise MetricError(f'its format is "{document["format"]}", not "{_FORMAT}"')
            settings = document["settings"]
            if settings is not None and not isinstance(settings, dict):
                raise MetricError("its settings are no table")
            lengths = {
                int(name.removeprefix("count_")): _length(arrays, name.removeprefix("count_"))
                for name in arrays.files
                if name.startswith("count_")
            }
            if not lengths:
                raise MetricError("it holds no clips")
    except FileNotFoundError as error:
        raise MetricError(f"{path}: no such file") from error
    except _UNREADABLE as error:
        raise MetricError(f"{path}: not statistics that quovadis fvd wrote ({error}); measure anew") from error
    return Statistics(str(path), settings, lengths)


def _length(arrays: Mapping[str, NDArray[Any]], frames: str) -> LengthStatistics:
    moments = Moments.restored(int(arrays[f"count_{frames}"]), arrays[f"mean_{frames}"], arrays[f"scatter_{frames}"])
    features = arrays.get(f"features_{frames}")
    if features is not None and features.shape != (moments.count, moments.dimension):
        raise MetricError(f"features of shape {features.shape} are not those of its moments")
    return LengthStatistics(moments, features)


def _listed(statistics: Statistics) -> str:
    return ", ".join(map(str, sorted(statistics.lengths)))
