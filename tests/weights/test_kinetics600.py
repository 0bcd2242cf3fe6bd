"""DeepMind's checkpoint for Kinetics-600: no scope, momentum, 600 classes. One written here stands in for it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from quovadis import weights
from quovadis.architecture import VARIABLE_PREFIX, variable_shapes
from quovadis.errors import WeightsError
from quovadis.labels import class_set
from quovadis.weights import CATALOGUE, TensorFlowCheckpoint, cached_path, load_weights, read_weights, verify
from quovadis.weights.variable_names import original_names
from support.loopback import serve
from support.own_classes import Tensors, as_in_kinetics600, with_classes, write_kinetics600

NAME = "rgb-scratch-kinetics600"
WRITE_WITH_TENSORFLOW = """
import sys
import numpy as np
import tensorflow as tf

arrays, prefix = np.load(sys.argv[1]), sys.argv[2]
names = sorted(arrays.files)
tf.raw_ops.SaveV2(prefix=prefix, tensor_names=names, shape_and_slices=[""] * len(names),
                  tensors=[tf.constant(arrays[name]) for name in names])
"""


@pytest.fixture(scope="module")
def tensors(rgb_scratch_path: Path) -> Tensors:
    return with_classes(read_weights(rgb_scratch_path), 600)


@pytest.fixture(scope="module", params=["own", pytest.param("TensorFlow", marks=pytest.mark.soak)])
def stand_in(request: pytest.FixtureRequest, tensors: Tensors, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Laid out as the original; by TensorFlow itself it is written in a process of its own."""
    folder = tmp_path_factory.mktemp("kinetics600")
    if request.param == "own":
        return write_kinetics600(tensors, folder / "model.ckpt")
    np.savez(folder / "values.npz", **as_in_kinetics600(tensors))  # type: ignore[arg-type]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", WRITE_WITH_TENSORFLOW, folder / "values.npz", folder / "model.ckpt"]
    subprocess.run(command, capture_output=True, check=True, timeout=180, env=environment)
    return folder / "model.ckpt"


@pytest.fixture
def catalogued(stand_in: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The stand-in in place of the official files, and an empty cache."""
    monkeypatch.setenv("QUOVADIS_HOME", str(tmp_path / "home"))
    checkpoint = TensorFlowCheckpoint(stand_in)
    parts = []
    for part, path in zip(CATALOGUE[NAME].checkpoint, (checkpoint.index_path, *checkpoint.data_paths), strict=True):
        content = path.read_bytes()
        sha1 = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
        parts.append(replace(part, file=replace(part.file, size=len(content), sha256=None, git_sha1=sha1)))
    monkeypatch.setitem(CATALOGUE[NAME].__dict__, "checkpoint", tuple(parts))
    return stand_in


def test_the_catalogue_has_the_original_files(assets: Path) -> None:
    index, data = CATALOGUE[NAME].checkpoint
    content = (assets / "assets" / "checkpoints" / "rgb_scratch_kin600" / "model.ckpt.index").read_bytes()
    assert index.path == "data/checkpoints/rgb_scratch_kin600/model.ckpt.index"
    assert data.path == "data/checkpoints/rgb_scratch_kin600/model.ckpt.data-00000-of-00001"
    assert (index.file.size, index.file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert (data.file.size, data.file.git_sha1) == (103_218_112, "6392a74c3180e706cabada39d8f40a50a48642e5")


def test_the_classes_are_those_of_the_original_label_map(assets: Path) -> None:
    assert class_set("kinetics600") == tuple((assets / "assets" / "label_map_600.txt").read_text().splitlines())
    assert len(set(class_set("kinetics600"))) == 600


def test_the_original_index_and_the_stand_in_hold_the_same_tensors(assets: Path, stand_in: Path) -> None:
    original = TensorFlowCheckpoint(assets / "assets" / "checkpoints" / "rgb_scratch_kin600")
    made = TensorFlowCheckpoint(stand_in)
    assert {name: original.entry(name).shape for name in original} == {name: made.entry(name).shape for name in made}
    assert len(original) == 346
    assert sum(name.endswith("/Momentum") for name in original) == 116
    assert {name: original.entry(name).offset for name in original} == {name: made.entry(name).offset for name in made}
    names = original_names(original)
    assert names.keys() == {name for name in original if not name.endswith("/Momentum")}
    assert list(names.values()) == list(variable_shapes(600))


def test_a_checkpoint_without_scope_and_with_momentum_is_read(stand_in: Path, tensors: Tensors) -> None:
    read = read_weights(stand_in)
    assert read.num_classes == 600
    assert all(np.array_equal(read.tensors[name], tensors[name]) for name in variable_shapes(600))
    assert (read.official_name, read.known_labels) == (None, None)


def test_what_stands_beside_the_network_is_left_out_and_an_unknown_layer_is_not(
    tensors: Tensors, tmp_path: Path
) -> None:
    beside = {f"{VARIABLE_PREFIX}/{name}": np.zeros(1, np.float32) for name in ("global_step", "optimizer/rate")}
    assert read_weights(write_kinetics600(tensors | beside, tmp_path / "a.ckpt")).num_classes == 600
    unknown = {f"{VARIABLE_PREFIX}/Mixed_5c/Branch_4/conv_3d/w": np.zeros(1, np.float32)}
    with pytest.raises(WeightsError, match=r"the network has no tensor .*Mixed_5c/Branch_4"):
        read_weights(write_kinetics600(tensors | unknown, tmp_path / "b.ckpt"))


def test_it_is_pulled_known_by_its_file_and_verified(catalogued: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = TensorFlowCheckpoint(catalogued)
    folder = Path(os.environ["QUOVADIS_HOME"]) / "weights" / NAME
    folder.mkdir(parents=True)
    (folder / "model.ckpt.index").write_bytes(checkpoint.index_path.read_bytes())
    with serve(checkpoint.data_paths[0].read_bytes()) as server:
        monkeypatch.setenv("QUOVADIS_MIRROR", server.address)
        path = weights.pull(NAME)
    assert path == cached_path(NAME) == folder / "model.ckpt"
    assert len(server.ranges) == 1
    loaded = load_weights(NAME)
    assert (loaded.official_name, loaded.num_classes, loaded.labels) == (NAME, 600, class_set("kinetics600"))
    checked = verify(NAME)
    assert (checked.ok, checked.official_name, checked.num_classes) == (True, NAME, 600)
    assert checked.parameters == 12_909_544
    assert [file.official for file in checked.files] == [True, True]


def test_other_weights_in_its_place_are_refused(catalogued: Path, tensors: Tensors) -> None:
    folder = Path(os.environ["QUOVADIS_HOME"]) / "weights" / NAME
    folder.mkdir(parents=True)
    write_kinetics600({name: values + 1 for name, values in tensors.items()}, folder / "model.ckpt")
    with pytest.raises(WeightsError, match=f"not the official {NAME}"):
        load_weights(NAME)
