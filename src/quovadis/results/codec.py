"""Results of videos as bytes, for the ledger of a run: a line of JSON, then arrays of float32."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quovadis.results.predictions import ClipPrediction, VideoPrediction, WeightsIdentity


def pack(document: Any, arrays: Sequence[NDArray[np.float32]]) -> bytes:
    """Return something in JSON's types, and arrays, as bytes."""
    head = json.dumps([document, [array.shape for array in arrays]]).encode()
    return b"".join([head, b"\n", *(array.astype("<f4").tobytes() for array in arrays)])


def unpack(content: bytes) -> tuple[Any, list[NDArray[np.float32]]]:
    """Read what `pack` wrote.

    Raises:
        ValueError: it is something else, or not whole.
    """
    head, _, values = content.partition(b"\n")
    with readable():
        document, shapes = json.loads(head)
        ends = np.cumsum([prod(shape) for shape in shapes], dtype=np.int64)
        flat = np.frombuffer(values, np.dtype("<f4")).astype(np.float32).reshape(ends[-1] if shapes else 0)
        # After the last end there is nothing.
        parts = zip(np.split(flat, ends), shapes, strict=False)
        return document, [part.reshape(shape) for part, shape in parts]


@contextmanager
def readable() -> Iterator[None]:
    """Turn whatever goes wrong where something is read that is not as it was written into a ValueError."""
    try:
        yield
    except (AttributeError, KeyError, IndexError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"a result that is damaged: {error}") from error


@dataclass(frozen=True)
class VideoPredictionCodec:
    """Predictions without what all videos of a run share: weights, labels, and the timeline, made from the rest."""

    weights: WeightsIdentity
    labels: tuple[str, ...]
    allow_partial: bool = False
    """Whether results of a part of a damaged video count."""

    def encode(self, result: VideoPrediction) -> bytes:
        """Return a result as bytes."""
        clips = [
            (clip.index, clip.start_seconds, clip.end_seconds, clip.frames, clip.looped, clip.features is not None)
            for clip in result.clips
        ]
        document = (
            clips,
            result.source,
            dict(result.engine),
            result.incomplete,
            result.mean_logits is not None,
            result.notes,
        )
        features = (clip.features for clip in result.clips)
        arrays = (result.mean_logits, *(clip.logits for clip in result.clips), *features)
        return pack(document, [array for array in arrays if array is not None])

    def decode(self, content: bytes) -> VideoPrediction | None:
        """Read what `encode` wrote; None: it is of a part of a video, and these do not count.

        Raises:
            ValueError: it is something else, or not whole.
        """
        document, arrays = unpack(content)
        with readable():
            rows, source, engine, incomplete, has_mean, notes = document
            mean = arrays.pop(0).reshape(len(self.labels)) if has_mean else None
            logits, features = arrays[: len(rows)], arrays[len(rows) :]
            clips = tuple(
                ClipPrediction(
                    index=int(index),
                    start_seconds=float(start),
                    end_seconds=float(end),
                    frames=int(frames),
                    looped=bool(looped),
                    logits=values.reshape(len(self.labels)),
                    features=features.pop(0) if has_features else None,
                    labels=self.labels,
                )
                for (index, start, end, frames, looped, has_features), values in zip(rows, logits, strict=True)
            )
            result = VideoPrediction(
                source=str(source),
                clips=clips,
                weights=self.weights,
                engine={str(name): str(value) for name, value in engine.items()},
                incomplete=bool(incomplete),
                mean_logits=mean,
                notes=tuple(map(str, notes)),
                labels=self.labels,
            )
        if not clips:
            raise ValueError("a result without clips")
        return result if self.allow_partial or not result.incomplete else None
