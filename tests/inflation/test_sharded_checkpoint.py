"""A V1 checkpoint of several files is not read: whichever way it is given, it is called what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

import quovadis
from quovadis.errors import WeightsError
from quovadis.weights.sstable import MAGIC
from quovadis.weights.tensorflow_v1_checkpoint import TensorFlowV1Checkpoint


@pytest.mark.parametrize("given", ["m[1].ckpt", "m[1].ckpt-00000-of-00002", "m[1].ckpt-00001-of-00002"])
def test_a_sharded_checkpoint_is_refused_by_name(given: str, tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"m[1].ckpt-0000{number}-of-00002").write_bytes(bytes(100) + MAGIC)
    with pytest.raises(WeightsError, match=r"of-00002: one of 2 files of a sharded TensorFlow V1 checkpoint") as caught:
        quovadis.inflate(tmp_path / given, tmp_path / "i3d.safetensors")
    assert "Saver(sharded=False)" in str(caught.value)
    assert not (tmp_path / "i3d.safetensors").exists()


def test_a_checkpoint_of_one_shard_is_read_as_any_other(tmp_path: Path) -> None:
    (path := tmp_path / "m.ckpt-00000-of-00001").write_bytes(bytes(100) + MAGIC)
    with pytest.raises(WeightsError, match="not a TensorFlow V1 checkpoint, or damaged"):
        TensorFlowV1Checkpoint(path)
