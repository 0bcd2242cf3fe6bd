"""What is known of a set of videos: moments of its features for each length, and the features themselves."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from quovadis.durable import output_file
from quovadis.errors import MetricError, OutputError, Spell, in_python, spell_options
from quovadis.escape import shortened
from quovadis.fields import check_path, check_value
from quovadis.metrics import Moments
from quovadis.values import ArrayEquality, in_json_types

_FORMAT = "quovadis fvd 1"
_MAY_DIFFER_IN_A_SET = ("seed",)
"""Settings that may differ between sets that are merged."""
_MAY_DIFFER = ("seed", "clips", "clips_per_video")
"""Settings that may differ between sets that are compared: which clips were taken, not what was computed of them."""
_UNREADABLE = (
    *(MetricError, OSError, ValueError, KeyError, TypeError, EOFError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, RuntimeError),  # what zipfile raises of archives that are damaged or encrypted
)


@dataclass(frozen=True, eq=False)
class LengthStatistics(ArrayEquality):
    """Clips of one length."""

    moments: Moments
    features: NDArray[np.floating[Any]] | None = field(default=None, repr=False)
    """Shape clips, dimensions; None where only the moments were kept."""
    videos: NDArray[np.int64] | None = field(default=None, repr=False)
    """Shape clips: number of the video that each is from; None: each is from another one."""

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
        if self.features is None or other.features is None:
            return LengthStatistics(moments)
        features = np.concatenate([self.features, other.features])
        if self.videos is None and other.videos is None:
            return LengthStatistics(moments, features)
        first, second = self._numbered(), other._numbered()
        return LengthStatistics(moments, features, np.concatenate([first, second + first.max(initial=-1) + 1]))

    def _numbered(self) -> NDArray[np.int64]:
        return np.arange(self.moments.count, dtype=np.int64) if self.videos is None else self.videos


@dataclass(frozen=True, eq=False, repr=False)
class Statistics(ArrayEquality):
    """A set of videos."""

    source: str
    """Where the videos are."""
    settings: Mapping[str, Any] | None
    """Everything but lengths that the features depend on; None of features from elsewhere."""
    lengths: Mapping[int, LengthStatistics]
    """By frames of a clip; 0 of features from elsewhere."""
    provenance: tuple[Mapping[str, Any], ...] = ()
    """How each part was measured, in JSON's types: its source, videos and those left out, weights, engine, version. No
    part of what is compared."""

    def __repr__(self) -> str:
        counts = [f"{part.moments.count} of {length} frames" for length, part in self.lengths.items()]
        return f"Statistics({shortened(self.source)}: clips: {', '.join(counts)})"

    def to_dict(self, spell: Spell = in_python) -> dict[str, Any]:
        """Return what the set is of, and how it was measured, in JSON's types; `spell` says how options are written."""
        measured = [
            {
                name: value
                if name != "failures"
                else [{**video, "error": spell_options(video["error"], spell)} for video in value]
                for name, value in part.items()
            }
            for part in self.provenance
        ]
        settings = None if self.settings is None else dict(self.settings)
        found: dict[str, Any] = in_json_types({"source": self.source, "settings": settings, "measured": measured})
        return found


def merge_statistics(sets: Sequence[Statistics]) -> Statistics:
    """Return the statistics of several sets together: the same as if their videos had been one set.

    Raises:
        MetricError: no set, or sets of other settings, lengths or dimensions.
    """
    check_value("sets", sets, Sequence[Statistics], MetricError)
    if not sets:
        raise MetricError("there is nothing to merge: give one set of videos or more")
    merged = sets[0]
    for other in sets[1:]:
        _check_alike(merged, other, _MAY_DIFFER_IN_A_SET)
        if set(merged.lengths) != set(other.lengths):
            raise MetricError(
                f"{other.source} with {_listed(other)} cannot be merged with {merged.source}, which has "
                f"{_listed(merged)}; compute both with the same `frames`"
            )
        try:
            lengths = {frames: part.merged(other.lengths[frames]) for frames, part in merged.lengths.items()}
        except MetricError as error:
            message = f"{other.source} cannot be merged with {merged.source}: {error}"
            raise error.restated(message, MetricError) from error
        merged = Statistics(
            f"{merged.source} + {other.source}",
            merged.settings or other.settings,
            lengths,
            (*merged.provenance, *other.provenance),
        )
    return merged


def check_comparable(a: Statistics, b: Statistics) -> None:
    """Refuse sets whose features are not of one kind; which clips of their videos were taken may differ.

    Raises:
        MetricError: naming what differs.
    """
    _check_alike(a, b, _MAY_DIFFER)


def _check_alike(a: Statistics, b: Statistics, may_differ: Sequence[str]) -> None:
    if a.settings is None or b.settings is None:
        return
    known = [name for name in {**a.settings, **b.settings} if name not in may_differ]
    names = [name for name in known if a.settings.get(name) != b.settings.get(name)]
    if names:
        differing = ", ".join(_told(name, a.settings.get(name), " and ", b.settings.get(name)) for name in names)
        raise MetricError(
            f"{a.source} and {b.source} were measured with other settings ({differing}); measure both with the same"
        )


def check_settings(statistics: Statistics, wanted: Mapping[str, Any]) -> None:
    """Refuse statistics that were measured otherwise than is asked for.

    Args:
        statistics: of features from elsewhere nothing is known, and nothing is refused.
        wanted: settings, by name; those that are not named may be any.

    Raises:
        MetricError: naming what differs.
    """
    settings = statistics.settings
    if settings is None:
        return
    names = [name for name, value in wanted.items() if name in settings and settings[name] != value]
    if names:
        differing = ", ".join(_told(name, settings[name], ", not ", wanted[name]) for name in names)
        raise MetricError(
            f"{statistics.source} was measured with other settings ({differing}); ask for these, or measure it again"
        )


def _told(name: str, one: object, link: str, other: object) -> str:
    """Return two values of a setting, which is named as the option that decides it."""
    if name == "weights_sha256":
        return f"`weights`: SHA-256 {str(one)[:12]}…{link}{str(other)[:12]}…"
    return f"`{name}`: {one}{link}{other}"


def check_lengths(statistics: Statistics, frames: Sequence[int]) -> None:
    """Refuse statistics that lack a length of clips; features from elsewhere do not say what clips they are of.

    Raises:
        MetricError: naming the lengths that are there.
    """
    missing = [missing_length(statistics, length) for length in frames if not has_length(statistics, length)]
    if missing:
        raise MetricError("; ".join(missing))


def has_length(statistics: Statistics, frames: int) -> bool:
    """Tell whether there may be clips of a length; features from elsewhere do not say what clips they are of."""
    return statistics.settings is None or frames in statistics.lengths


def missing_length(statistics: Statistics, frames: int) -> str:
    """Return a sentence on a length of clips that is not there."""
    there = ", ".join(map(str, sorted(statistics.lengths)))
    return (
        f"{statistics.source}: has no clips of {frames} frames, but of {there}; ask for these, or measure it again "
        f"with `frames=[{frames}]`"
    )


def save_statistics(statistics: Statistics, path: str | os.PathLike[str], *, keep_features: bool = True) -> None:
    """Write statistics as a `.npz`, whole or not at all.

    Args:
        statistics: of a set.
        path: of the file.
        keep_features: whether the features go with the moments; KVD and the bootstrap need them.

    Raises:
        OutputError: it cannot be written.
    """
    path = check_path("path", path, OutputError)
    document = {
        "format": _FORMAT,
        "source": statistics.source,
        "settings": statistics.settings,
        "measured": list(statistics.provenance),
    }
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
            if part.videos is not None:
                arrays[f"videos_{frames}"] = part.videos
    with output_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_statistics(path: str | os.PathLike[str]) -> Statistics:
    """Read what `save_statistics` wrote.

    Raises:
        MetricError: no such file, or another.
    """
    path = check_path("path", path, MetricError)
    try:
        # Opened here: numpy would leave the file of a damaged archive open.
        with path.open("rb") as file, _archive(file) as arrays:
            if "document" not in arrays:
                raise MetricError("it says nothing of its settings")
            document = json.loads(str(arrays["document"]))
            if document["format"] != _FORMAT:
                raise MetricError(f'its format is "{document["format"]}", not "{_FORMAT}"')
            settings, provenance = document["settings"], document.get("measured", [])
            if settings is not None and not isinstance(settings, dict):
                raise MetricError("its settings are no table")
            if not isinstance(provenance, list) or not all(isinstance(part, dict) for part in provenance):
                raise MetricError("how it was measured is no list of tables")
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
        raise MetricError(f"{path}: not statistics that quovadis fvd wrote ({error}); measure again") from error
    return Statistics(str(path), settings, lengths, tuple(provenance))


def _archive(file: BinaryIO) -> Any:
    if not zipfile.is_zipfile(file):
        raise MetricError("it is no .npz")
    file.seek(0)
    return np.load(file, allow_pickle=False)


def _length(arrays: Mapping[str, NDArray[Any]], frames: str) -> LengthStatistics:
    moments = Moments.restored(int(arrays[f"count_{frames}"]), arrays[f"mean_{frames}"], arrays[f"scatter_{frames}"])
    features = arrays.get(f"features_{frames}")
    if features is not None and features.shape != (moments.count, moments.dimension):
        raise MetricError(f"features of shape {features.shape} are not those of its moments")
    videos = arrays.get(f"videos_{frames}")
    if videos is not None and (videos.shape != (moments.count,) or videos.dtype.kind not in "iu"):
        raise MetricError(f"the videos of its clips are {videos.dtype} of shape {videos.shape}")
    return LengthStatistics(moments, features, videos)


def _listed(statistics: Statistics) -> str:
    lengths = sorted(filter(None, statistics.lengths))
    return f"clips of {', '.join(map(str, lengths))} frames" if lengths else "features from elsewhere"
