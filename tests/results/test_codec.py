"""Results as bytes and back."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from quovadis.results import VideoPrediction
from quovadis.results.codec import VideoPredictionCodec, pack, unpack
from support.video_predictions import video_prediction


def codec_of(result: VideoPrediction, *, allow_partial: bool = False) -> VideoPredictionCodec:
    return VideoPredictionCodec(result.weights, result.labels, allow_partial)


def with_everything() -> VideoPrediction:
    result = video_prediction()
    features = np.random.default_rng(0).random((2, 1024), np.float32)
    clips = tuple(replace(clip, features=row) for clip, row in zip(result.clips, features, strict=True))
    return replace(result, clips=clips, mean_logits=result.clips[0].logits, notes=("looped", "ü\n"), incomplete=True)


@pytest.mark.parametrize("result", [video_prediction(), with_everything()], ids=["plain", "everything"])
def test_what_was_encoded_is_decoded(result: VideoPrediction) -> None:
    codec = codec_of(result, allow_partial=True)
    found = codec.decode(codec.encode(result))
    assert found is not None
    np.testing.assert_equal(asdict(found), asdict(result))
    assert found.to_dict(3) == result.to_dict(3)


def test_a_part_of_a_video_counts_only_where_parts_are_taken() -> None:
    result = with_everything()
    content = codec_of(result).encode(result)
    assert codec_of(result).decode(content) is None
    assert codec_of(result, allow_partial=True).decode(content) is not None


@pytest.mark.parametrize("kind", ["cut", "longer", "no line", "no clips", "no text", "no engine"])
def test_what_is_damaged_is_a_clear_error(kind: str) -> None:
    result = video_prediction()
    codec = codec_of(result)
    content = codec.encode(result)
    damaged = {
        "cut": content[:-4],
        "longer": content + b"\0\0\0\0",
        "no line": content.replace(b"\n", b" ", 1),
        "no clips": codec.encode(replace(result, clips=())),
        "no text": b"\xff" + content,
        "no engine": pack([*unpack(content)[0][:2], [], False, *unpack(content)[0][4:]], unpack(content)[1]),
    }
    with pytest.raises(ValueError, match="result"):
        codec.decode(damaged[kind])
