"""TensorFlow's checkpoints read without TensorFlow: the original one, TensorFlow 2's, and damaged ones."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from quovadis.architecture import variable_shapes
from quovadis.errors import WeightsError
from quovadis.weights import TensorFlowCheckpoint

KINDS = ("float32", "float64", "half", "int32", "int64", "uint8", "bool", "complex64", "scalar", "empty")


def copied(prefix: Path, folder: Path) -> Path:
    """Copy a checkpoint's files, to damage them."""
    for path in prefix.parent.glob(prefix.name + ".*"):
        shutil.copy(path, folder)
    return folder / prefix.name


def test_all_230_checksums_of_the_rebuilt_original_hold(original_checkpoint: Path) -> None:
    checkpoint = TensorFlowCheckpoint(original_checkpoint)
    assert checkpoint.names == tuple(variable_shapes())
    for name, shape in variable_shapes().items():
        tensor = checkpoint.read(name)
        assert tensor.shape == shape
        assert tensor.dtype == np.float32


def test_the_rebuilt_data_file_is_deepminds_to_the_byte(original_checkpoint: Path) -> None:
    (path,) = TensorFlowCheckpoint(original_checkpoint).data_paths
    data = path.read_bytes()
    assert len(data) == 50_818_176
    git_blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False)
    assert git_blob.hexdigest() == "fa7df95674dbf3579e7fccd954e51e706b4734c1"


@pytest.mark.parametrize("name", ["rgb_imagenet", "rgb_scratch"])
def test_both_original_indexes_lay_the_network_out_in_order_without_gaps(assets: Path, name: str) -> None:
    checkpoint = TensorFlowCheckpoint(assets / "assets" / "checkpoints" / name)
    assert {tensor: checkpoint.entry(tensor).shape for tensor in checkpoint} == dict(variable_shapes())
    end = 0
    for tensor in checkpoint:
        assert checkpoint.entry(tensor).offset == end
        end += checkpoint.entry(tensor).size
    assert end == 50_818_176


@pytest.mark.parametrize("place", [0, 12_345_678, 50_818_175])
def test_one_flipped_bit_is_caught_and_its_tensor_named(original_checkpoint: Path, tmp_path: Path, place: int) -> None:
    prefix = copied(original_checkpoint, tmp_path)
    checkpoint = TensorFlowCheckpoint(prefix)
    (path,) = checkpoint.data_paths
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 16]))
    struck = next(n for n in checkpoint if 0 <= place - checkpoint.entry(n).offset < checkpoint.entry(n).size)
    for name in checkpoint:
        if name == struck:
            with pytest.raises(WeightsError, match="checksum does not hold") as caught:
                checkpoint.read(name)
            assert name in str(caught.value)
            assert str(path) in str(caught.value)
        else:
            checkpoint.read(name)


def test_a_truncated_data_file_is_said_with_the_tensor_that_is_missing(
    original_checkpoint: Path, tmp_path: Path
) -> None:
    prefix = copied(original_checkpoint, tmp_path)
    checkpoint = TensorFlowCheckpoint(prefix)
    (path,) = checkpoint.data_paths
    with path.open("r+b") as file:
        file.truncate(50_000_000)
    with pytest.raises(WeightsError, match=r"cut off: it has 50,000,000 bytes") as caught:
        checkpoint.read(checkpoint.names[-1])
    assert checkpoint.names[-1] in str(caught.value)


def test_a_missing_data_file_is_named_with_the_tensor(assets: Path) -> None:
    checkpoint = TensorFlowCheckpoint(assets / "assets" / "checkpoints" / "rgb_scratch")
    with pytest.raises(WeightsError, match=r"model\.ckpt\.data-00000-of-00001: tensor RGB/.*No such file"):
        checkpoint.read(checkpoint.names[0])


@pytest.mark.parametrize("name", ["plain.ckpt", "sharded.ckpt"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_tensor_that_tensorflow_writes_is_read(tensorflow_folder: Path, name: str, kind: str) -> None:
    values = np.load(tensorflow_folder / "values.npz")
    read = TensorFlowCheckpoint(tensorflow_folder / name).read(kind)
    assert read.dtype == values[kind].dtype
    np.testing.assert_array_equal(read, values[kind])


def test_bfloat16_is_read_as_float32_and_text_as_bytes(tensorflow_folder: Path) -> None:
    checkpoint = TensorFlowCheckpoint(tensorflow_folder / "plain.ckpt")
    np.testing.assert_array_equal(checkpoint.read("bfloat16"), np.float32([1.0, -2.5, 0.0]))
    assert checkpoint.read("text").tolist() == [[b"a", b"longer text"], [b"", "\x00\xff".encode()]]


def test_a_sharded_checkpoint_has_several_data_files(tensorflow_folder: Path) -> None:
    assert len(TensorFlowCheckpoint(tensorflow_folder / "sharded.ckpt").data_paths) == 2


def test_a_variable_saved_in_parts_is_put_together(tensorflow_folder: Path) -> None:
    checkpoint = TensorFlowCheckpoint(tensorflow_folder / "saver" / "model.ckpt")
    assert checkpoint.names == ("partitioned",)
    np.testing.assert_array_equal(checkpoint.read("partitioned"), np.arange(3000, dtype=np.float32).reshape(100, 30))


def test_an_object_checkpoint_of_tensorflow_2_is_read(tensorflow_folder: Path) -> None:
    checkpoint = TensorFlowCheckpoint(tensorflow_folder / "object")
    kernel = checkpoint.read("module/kernel/.ATTRIBUTES/VARIABLE_VALUE")
    np.testing.assert_array_equal(kernel, np.load(tensorflow_folder / "values.npz")["float32"])
    assert len(checkpoint.read("_CHECKPOINTABLE_OBJECT_GRAPH").item()) > 0


@pytest.mark.parametrize("suffix", ["", ".index", ".data-00000-of-00001"])
def test_any_of_its_files_names_a_checkpoint(tensorflow_folder: Path, suffix: str) -> None:
    assert "scalar" in TensorFlowCheckpoint(tensorflow_folder / f"plain.ckpt{suffix}")


def test_a_folder_names_its_one_checkpoint_or_the_one_tensorflow_noted(tensorflow_folder: Path, tmp_path: Path) -> None:
    copied(tensorflow_folder / "plain.ckpt", tmp_path)
    assert "scalar" in TensorFlowCheckpoint(tmp_path)
    copied(tensorflow_folder / "sharded.ckpt", tmp_path)
    with pytest.raises(WeightsError, match="several TensorFlow checkpoints"):
        TensorFlowCheckpoint(tmp_path)
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "/elsewhere/sharded.ckpt"\n')
    assert TensorFlowCheckpoint(tmp_path).prefix == tmp_path / "sharded.ckpt"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"", "too short"), (b"x" * 100, "magic number"), (b"\0" * 1000, "magic number")],
    ids=["empty", "text", "zeros"],
)
def test_a_foreign_index_is_refused_with_its_name(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "model.ckpt.index").write_bytes(content)
    with pytest.raises(WeightsError, match=complaint) as caught:
        TensorFlowCheckpoint(tmp_path / "model.ckpt")
    assert "model.ckpt.index" in str(caught.value)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_index_is_refused(assets: Path, tmp_path: Path, share: float) -> None:
    data = (assets / "assets" / "checkpoints" / "rgb_scratch" / "model.ckpt.index").read_bytes()
    (tmp_path / "model.ckpt.index").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(WeightsError, match=r"model\.ckpt\.index"):
        TensorFlowCheckpoint(tmp_path)


def test_a_file_without_an_index_beside_it_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"x")
    with pytest.raises(WeightsError, match=r"weights\.bin: not a file of weights in a format that can be read"):
        TensorFlowCheckpoint(tmp_path / "weights.bin")
    with pytest.raises(WeightsError, match=r"there is no file model\.ckpt\.index"):
        TensorFlowCheckpoint(tmp_path / "model.ckpt")


def test_an_unknown_tensor_is_named(tensorflow_folder: Path) -> None:
    with pytest.raises(WeightsError, match="no tensor is called absent"):
        TensorFlowCheckpoint(tensorflow_folder / "plain.ckpt").read("absent")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 1 << 20), bit=st.integers(0, 7), in_index=st.booleans())
@example(place=0, bit=0, in_index=True)
def test_any_single_flipped_bit_is_caught_or_changes_nothing(
    tensorflow_folder: Path, tmp_path: Path, place: int, bit: int, in_index: bool
) -> None:
    prefix = copied(tensorflow_folder / "plain.ckpt", tmp_path)
    whole = TensorFlowCheckpoint(prefix)
    expected = {name: whole.read(name) for name in whole}
    path = whole.index_path if in_index else whole.data_paths[0]
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= 1 << bit
    path.write_bytes(data)
    try:
        damaged = TensorFlowCheckpoint(prefix)
        read = {name: damaged.read(name) for name in damaged}
    except WeightsError:
        return
    assert read.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(read[name], value)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=st.binary(max_size=400), tail=st.booleans())
def test_no_junk_makes_the_reader_fail_in_another_way(tmp_path: Path, junk: bytes, tail: bool) -> None:
    # With the magic number at the end the reader takes the rest for offsets.
    magic = (0xDB4775248B80FB57).to_bytes(8, "little")
    (tmp_path / "model.ckpt.index").write_bytes(junk + (magic if tail else b""))
    with pytest.raises(WeightsError):
        TensorFlowCheckpoint(tmp_path / "model.ckpt")
