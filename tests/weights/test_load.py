"""Weights by name and from files: the same identity from every file, clear refusals."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from quovadis.architecture import variable_shapes
from quovadis.errors import WeightsError, WeightsUnavailableError
from quovadis.weights import TensorFlowCheckpoint, cached_path, load_weights, read_weights, verify
from quovadis.weights.model import make_weights
from support.table_writer import tensor, write_checkpoint


def test_checkpoint_and_package_give_the_same_weights_and_identity(
    rgb_scratch_path: Path, original_checkpoint: Path
) -> None:
    from_package, from_checkpoint = read_weights(rgb_scratch_path), read_weights(original_checkpoint)
    assert from_package.name == from_checkpoint.name == "rgb-scratch"
    (data,) = TensorFlowCheckpoint(original_checkpoint).data_paths
    assert from_package.sha256 == from_checkpoint.sha256 == hashlib.sha256(data.read_bytes()).hexdigest()
    assert list(from_package.tensors) == list(variable_shapes())


def test_a_checkpoint_in_the_cache_is_found_and_loaded(
    original_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUOVADIS_HOME", str(tmp_path))
    monkeypatch.setenv("QUOVADIS_OFFLINE", "1")
    shutil.copytree(original_checkpoint.parent, tmp_path / "weights" / "rgb-scratch")
    assert cached_path("rgb-scratch") == tmp_path / "weights" / "rgb-scratch" / "model.ckpt"
    notices: list[str] = []
    assert load_weights("auto", notify=notices.append).name == "rgb-scratch"
    assert len(notices) == 1
    assert "rgb-imagenet" in notices[0]
    assert verify("rgb-scratch").ok


def test_a_damaged_file_in_the_cache_is_said_with_the_command_that_mends_it(
    original_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUOVADIS_HOME", str(tmp_path))
    folder = tmp_path / "weights" / "rgb-scratch"
    shutil.copytree(original_checkpoint.parent, folder)
    data = folder / "model.ckpt.data-00000-of-00001"
    content = bytearray(data.read_bytes())
    content[1000] ^= 1
    data.write_bytes(content)
    with pytest.raises(WeightsError, match=r'tensor RGB/.*`quovadis\.weights\.pull\("rgb-scratch", force=True\)`'):
        load_weights("rgb-scratch")
    checked = verify("rgb-scratch")
    assert not checked.ok
    assert "tensor RGB/" in str(checked.problem)
    assert [file.official for file in checked.files] == [True, False]


def test_other_weights_under_an_official_name_are_refused(
    original_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUOVADIS_HOME", str(tmp_path))
    shutil.copytree(original_checkpoint.parent, tmp_path / "weights" / "rgb-imagenet")
    with pytest.raises(WeightsError, match="not the official rgb-imagenet"):
        load_weights("rgb-imagenet")


def test_offline_with_an_empty_cache_says_what_to_put_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUOVADIS_HOME", str(tmp_path))
    monkeypatch.setenv("QUOVADIS_OFFLINE", "1")
    with pytest.raises(WeightsUnavailableError, match=r"QUOVADIS_OFFLINE.*model\.ckpt\.index") as caught:
        load_weights("auto")
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_name_that_is_neither_file_nor_official_lists_the_official_ones() -> None:
    with pytest.raises(WeightsError, match=r"rgb-imagnet: neither a file nor official weights.*rgb-imagenet"):
        load_weights("rgb-imagnet")


def test_a_foreign_checkpoint_is_refused_with_the_first_tensor_that_is_missing(tmp_path: Path) -> None:
    content = np.ones((2, 3), np.float32).tobytes()
    write_checkpoint(tmp_path / "plain.ckpt", {b"float32": tensor(content, (2, 3))}, content)
    with pytest.raises(WeightsError, match="not the weights of I3D RGB: 230 of 230 tensors are missing"):
        read_weights(tmp_path / "plain.ckpt")


def test_a_text_file_is_no_weights(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(WeightsError, match=r"notes\.txt: not a TensorFlow checkpoint"):
        read_weights(tmp_path / "notes.txt")


class TestMakingWeights:
    """Tensors from anywhere are checked against the architecture."""

    @pytest.fixture
    def tensors(self) -> dict[str, np.ndarray]:
        return {name: np.zeros(shape, np.float32) for name, shape in variable_shapes().items()}

    def test_zeros_of_the_right_shapes_are_weights_under_their_files_name(self, tensors: dict[str, np.ndarray]) -> None:
        weights = make_weights(tensors, Path("mine.ckpt"), "mine")
        assert (weights.name, weights.official_name) == ("mine", None)

    def test_a_wrong_shape_is_named(self, tensors: dict[str, np.ndarray]) -> None:
        name = next(iter(tensors))
        tensors[name] = tensors[name][..., :-1]
        with pytest.raises(WeightsError, match=rf"mine\.ckpt: tensor {name} has the shape"):
            make_weights(tensors, Path("mine.ckpt"), "mine")

    def test_a_head_says_how_many_classes_there_are_and_must_agree_with_itself(
        self, tensors: dict[str, np.ndarray]
    ) -> None:
        head = "RGB/inception_i3d/Logits/Conv3d_0c_1x1/conv_3d"
        for count in (1, 600):
            tensors[f"{head}/w"], tensors[f"{head}/b"] = np.zeros((1, 1, 1, 1024, count)), np.zeros(count)
            assert make_weights(tensors, Path("mine.ckpt"), "mine").num_classes == count
        tensors[f"{head}/b"] = np.zeros(12)
        with pytest.raises(WeightsError, match=rf"how many classes there are: {head}/w has 600 but {head}/b has 12"):
            make_weights(tensors, Path("mine.ckpt"), "mine")
        tensors[f"{head}/w"], tensors[f"{head}/b"] = np.zeros((1, 1, 1, 1024, 0)), np.zeros(0)
        with pytest.raises(WeightsError, match="the head has no classes"):
            make_weights(tensors, Path("mine.ckpt"), "mine")

    def test_the_name_of_a_file_makes_no_weights_official(self, tensors: dict[str, np.ndarray]) -> None:
        assert make_weights(tensors, Path("rgb-scratch.pt"), "rgb-scratch").official_name is None

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_a_value_that_is_no_number_is_named(self, tensors: dict[str, np.ndarray], value: float) -> None:
        name = list(tensors)[-1]
        tensors[name].flat[-1] = value
        with pytest.raises(WeightsError, match=f"tensor {name} holds values that are no numbers"):
            make_weights(tensors, Path("mine.ckpt"), "mine")

    def test_integers_are_no_weights(self, tensors: dict[str, np.ndarray]) -> None:
        name = next(iter(tensors))
        tensors[name] = tensors[name].astype(np.int64)
        with pytest.raises(WeightsError, match="holds int64"):
            make_weights(tensors, Path("mine.ckpt"), "mine")

    def test_training_state_is_left_out_and_an_unknown_layer_is_not(self, tensors: dict[str, np.ndarray]) -> None:
        tensors["global_step"] = np.zeros(())
        tensors["RGB/inception_i3d/Conv3d_1a_7x7/conv_3d/w/Momentum"] = np.zeros(1)
        assert len(make_weights(tensors, Path("mine.ckpt"), "mine").tensors) == 230
        tensors["RGB/inception_i3d/Mixed_9z/conv_3d/w"] = np.zeros(1)
        with pytest.raises(WeightsError, match="the network has no tensor RGB/inception_i3d/Mixed_9z"):
            make_weights(tensors, Path("mine.ckpt"), "mine")
