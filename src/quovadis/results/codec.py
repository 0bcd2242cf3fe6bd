"""Results of videos as bytes, for the ledger of a run."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quovadis.results.predictions import ClipPrediction, VideoPrediction, WeightsIdentity


@dataclass(frozen=True)
class VideoPredictionCodec:
    """A line of JSON, then the arrays as float32: mean logits, the clips' logits, and their features.

    What all videos of a run share is not in it: weights, labels, and the timeline, which is made from the rest.
    """

    weights: WeightsIdentity
    labels: tuple[str, ...]
    allow_partial: bool = False
    """Whether results of a part of a damaged video count."""

    def encode(self, result: VideoPrediction) -> bytes:
        """Return a result as bytes."""
        clips = [
            (clip.index, clip.start_seconds, clip.end_seconds, clip.frames, clip.looped, _length(clip.features))
            for clip in result.clips
        ]
        document = {
            "source": result.source,
            "clips": clips,
            "engine": dict(result.engine),
            "partial": result.partial,
            "dense": result.mean_logits is not None,
            "notes": result.notes,
        }
        features = (clip.features for clip in result.clips)
        arrays = (result.mean_logits, *(clip.logits for clip in result.clips), *features)
        parts = [array.astype("<f4").tobytes() for array in arrays if array is not None]
        return b"\n".join([json.dumps(document).encode(), b"".join(parts)])

    def decode(self, content: bytes) -> VideoPrediction | None:
        """Read what `encode` wrote; None: it is of a part of a video, and these do not count.

        Raises:
            ValueError: it is something else, or not whole.
        """
        line, _, values = content.partition(b"\n")
        try:
            document = json.loads(line)
            rows, dense, engine = document["clips"], bool(document["dense"]), dict(document["engine"])
            classes = len(self.labels)
            lengths = [classes] * (dense + len(rows)) + [int(row[5]) for row in rows]
            flat = np.frombuffer(values, np.dtype("<f4")).astype(np.float32).reshape(sum(lengths))
            arrays = np.split(flat, np.cumsum(lengths)[:-1])
            mean = arrays.pop(0) if dense else None
            clips = tuple(
                ClipPrediction(
                    index=int(row[0]),
                    start_seconds=float(row[1]),
                    end_seconds=float(row[2]),
                    frames=int(row[3]),
                    looped=bool(row[4]),
                    logits=logits,
                    features=features if len(features) else None,
                    labels=self.labels,
                )
                for row, logits, features in zip(rows, arrays[: len(rows)], arrays[len(rows) :], strict=True)
            )
            result = VideoPrediction(
                source=str(document["source"]),
                clips=clips,
                weights=self.weights,
                engine={str(name): str(value) for name, value in engine.items()},
                partial=bool(document["partial"]),
                mean_logits=mean,
                notes=tuple(map(str, document["notes"])),
                labels=self.labels,
            )
        except (KeyError, IndexError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise ValueError(f"a result that is damaged: {error}") from error
        if not clips:
            raise ValueError("a result without clips")
        return result if self.allow_partial or not result.partial else None


def _length(features: NDArray[np.float32] | None) -> int:
    return 0 if features is None else len(features)
