"""Formats that store the variables keep every bit of them, from any to any; folded ones keep the logits."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from quovadis.engines import OpenVINOEngine
from quovadis.export import worker
from quovadis.export.formats import FORMATS
from quovadis.weights import Weights, read_weights
from quovadis.weights.catalogue import CATALOGUE
from quovadis.weights.folding import fold_batch_norm
from support.conversions import FOLDED, UNFOLDED, Written, do_in_tensorflow


def identical(a: Weights, b: Weights) -> bool:
    return a.tensors.keys() == b.tensors.keys() and all(
        a.tensors[name].tobytes() == b.tensors[name].tobytes() for name in a.tensors
    )


def write_graph(weights: Weights, path: Path) -> None:
    """Write TensorFlow's frozen graph, in the process that has imported TensorFlow."""
    store, defaults = path.with_suffix(".safetensors"), FORMATS["tensorflow-graph"].defaults
    FORMATS["safetensors"].load_exporter().write(weights, store, defaults)
    stored = worker.StoredWeights(weights.name, weights.sha256, str(weights.source), weights.num_classes, None, {})
    job = {"step": "write", "identity": asdict(stored), "store": str(store), "format": "tensorflow-graph"}
    do_in_tensorflow(worker._do, {**job, "path": str(path), "options": asdict(defaults)})


def test_there_are_six_formats_that_store_the_variables() -> None:
    assert UNFOLDED == ["tensorflow-checkpoint", "tensorflow-graph", "safetensors", "torch", "piergiaj", "hassony2"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # Each format is read and written twice, within and between TensorFlow's and PyTorch's; `make soak` has all 36.
        pytest.param(first, second, marks=() if (there - here) % 6 in (1, 3) else pytest.mark.soak)
        for here, first in enumerate(UNFOLDED)
        for there, second in enumerate(UNFOLDED)
    ],
)
def test_every_pair_keeps_all_230_tensors_bit_for_bit(
    first: str,
    second: str,
    written: dict[str, Written],
    official: Weights,
    tmp_path: Path,
) -> None:
    between = read_weights(written[first].path)
    assert identical(between, official)
    path = tmp_path / written[second].path.name
    if second == "tensorflow-graph":
        write_graph(between, path)
    else:
        FORMATS[second].load_exporter().write(between, path, FORMATS[second].defaults)
    after = read_weights(path)
    assert identical(after, official)
    assert after.name == "rgb-scratch"
    assert after.sha256 == official.sha256


def test_a_checkpoint_of_official_weights_is_the_original_to_the_byte(
    written: dict[str, Written], assets: Path
) -> None:
    prefix = written["tensorflow-checkpoint"].path
    index = prefix.with_name("model.ckpt.index").read_bytes()
    assert index == (assets / "assets/checkpoints/rgb_scratch/model.ckpt.index").read_bytes()
    data = prefix.with_name("model.ckpt.data-00000-of-00001").read_bytes()
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    assert blob == CATALOGUE["rgb-scratch"].tensors_git_sha1 == "fa7df95674dbf3579e7fccd954e51e706b4734c1"


@pytest.mark.parametrize("name", FOLDED)
def test_folded_formats_read_back_give_the_same_logits(
    name: str, written: dict[str, Written], engine: OpenVINOEngine, cricket_frames: NDArray[np.uint8]
) -> None:
    read = read_weights(written[name].path)
    clip = cricket_frames[np.newaxis, :9]
    np.testing.assert_allclose(OpenVINOEngine(read.tensors).run(clip).logits, engine.run(clip).logits, atol=1e-4)


@pytest.mark.parametrize("name", FOLDED)
def test_folding_again_what_was_read_folded_changes_no_bit(
    name: str, written: dict[str, Written], official: Weights
) -> None:
    from quovadis.architecture import convolutions

    read = read_weights(written[name].path)
    for unit, _ in convolutions():
        once, twice = fold_batch_norm(official.tensors, unit), fold_batch_norm(read.tensors, unit)
        assert np.array_equal(once.kernel, twice.kernel), unit.scope
        assert np.array_equal(once.bias, twice.bias), unit.scope


@pytest.mark.parametrize("name", [*UNFOLDED, *FOLDED])
def test_formats_are_told_by_content_whatever_the_file_is_called(
    name: str, written: dict[str, Written], tmp_path: Path
) -> None:
    if name == "tensorflow-checkpoint":
        return  # its two files find each other by name
    path = tmp_path / "weights"
    path.write_bytes(written[name].path.read_bytes())
    if name == "openvino":
        path.with_suffix(".bin").write_bytes(written[name].path.with_suffix(".bin").read_bytes())
    assert len(read_weights(path).tensors) == 230
