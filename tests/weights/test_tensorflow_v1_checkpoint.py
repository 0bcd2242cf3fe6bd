"""TensorFlow's V1 checkpoints: what TensorFlow's own saver writes, and files that are damaged or made to do harm."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quovadis.architecture import variable_shapes
from quovadis.errors import WeightsError
from quovadis.weights import read_weights
from quovadis.weights.detect import WeightsFormat, weights_format
from quovadis.weights.slices import Extent, slice_key
from quovadis.weights.tensorflow_v1_checkpoint import TensorFlowV1Checkpoint
from support.table_writer import block, entry, extent, number, table, text

FLOATS = np.arange(4, dtype="<f4")
WHOLE = Extent(0, -1)


def axes(*sizes: int) -> bytes:
    return b"".join(text(2, number(1, size)) for size in sizes)


def meta(name: str, shape: tuple[int, ...], *parts: bytes, dtype: int = 1) -> bytes:
    """A `SavedSliceMeta` in the message around it; one part, the whole, unless others are given."""
    slices = b"".join(text(4, part) for part in parts or (text(1, b"") * len(shape),))
    return text(1, text(1, name.encode()) + text(2, axes(*shape)) + number(3, dtype) + slices)


def saved(values: bytes) -> bytes:
    """A `SavedTensorSlices` with values, without the name and extents, which its key has."""
    return text(2, text(3, text(5, values)))


def write(path: Path, tensors: bytes, values: dict[bytes, bytes]) -> Path:
    entries = entry(b"", text(1, tensors)) + b"".join(entry(key, value) for key, value in sorted(values.items()))
    path.write_bytes(table([block(entries)]))
    return path


def write_one(path: Path, shape: tuple[int, ...] = (2, 2), values: bytes = FLOATS.tobytes(), dtype: int = 1) -> Path:
    key = slice_key("w", (WHOLE,) * len(shape))
    return write(path, meta("w", shape, dtype=dtype), {key: saved(values)})


@pytest.mark.slow
def test_what_tensorflows_saver_writes_is_read(tensorflow_folder: Path) -> None:
    values = np.load(tensorflow_folder / "values.npz")
    checkpoint = TensorFlowV1Checkpoint(tensorflow_folder / "v1.ckpt")
    assert checkpoint.shapes == {"float32": (3, 4, 5), "float64": (7,), "int64": (10,), "partitioned": (100, 30)}
    for name in ("float32", "float64"):
        read = checkpoint.read(name)
        assert read.dtype == values[name].dtype
        np.testing.assert_array_equal(read, values[name])
    np.testing.assert_array_equal(checkpoint.read("partitioned"), np.arange(3000, dtype="f").reshape(100, 30))
    with pytest.raises(WeightsError, match=r"v1\.ckpt: tensor int64 has the dtype number 9 .*; save .* as float32"):
        checkpoint.read("int64")


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 1 << 20), bit=st.integers(0, 7))
def test_any_single_flipped_bit_is_caught_or_changes_nothing(
    tensorflow_folder: Path, tmp_path: Path, place: int, bit: int
) -> None:
    names = ("float32", "float64", "partitioned")
    whole = TensorFlowV1Checkpoint(tensorflow_folder / "v1.ckpt")
    data = bytearray((tensorflow_folder / "v1.ckpt").read_bytes())
    data[place % len(data)] ^= 1 << bit
    (tmp_path / "v1.ckpt").write_bytes(data)
    try:
        damaged = TensorFlowV1Checkpoint(tmp_path / "v1.ckpt")
        read = {name: damaged.read(name) for name in names}
    except WeightsError:
        return
    for name, value in read.items():
        np.testing.assert_array_equal(value, whole.read(name))


def test_the_weights_of_i3d_are_read_from_a_v1_checkpoint_too(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    values = {name: generator.random(shape).astype("<f4") for name, shape in variable_shapes(3).items()}
    values["global_epoch"] = np.float32([1])
    path = write(
        tmp_path / "i3d.ckpt",
        b"".join(meta(name, array.shape) for name, array in values.items()),
        {slice_key(name, (WHOLE,) * array.ndim): saved(array.tobytes()) for name, array in values.items()},
    )
    assert weights_format(path) is WeightsFormat.TENSORFLOW_V1_CHECKPOINT
    weights = read_weights(path)
    assert weights.num_classes == 3
    for name, tensor in weights.tensors.items():
        np.testing.assert_array_equal(tensor, values[name])


def test_the_writer_of_these_tests_writes_what_is_read(tmp_path: Path) -> None:
    checkpoint = TensorFlowV1Checkpoint(write_one(tmp_path / "c"))
    assert checkpoint.shapes == {"w": (2, 2)}
    assert checkpoint.read("w").tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    ("shape", "values", "complaint"),
    [
        ((2, 3), FLOATS.tobytes(), r"16 bytes of values cannot be of the shape \(2, 3\)"),
        ((1 << 20, 1 << 20), b"", "no array in it can have"),
        ((0, 1 << 62), b"", "no array in it can have"),
        ((1,) * 100, FLOATS.tobytes()[:4], "no array in it can have"),
        ((1 << 28,), b"", "0 bytes of values cannot be"),
    ],
)
def test_shapes_beyond_the_file_are_refused_without_memory(
    tmp_path: Path, shape: tuple[int, ...], values: bytes, complaint: str
) -> None:
    path = write_one(tmp_path / "c", shape, values)
    tracemalloc.start()
    try:
        with pytest.raises(WeightsError, match=complaint) as caught:
            TensorFlowV1Checkpoint(path).read("w")
        assert tracemalloc.get_traced_memory()[1] < 64e6
    finally:
        tracemalloc.stop()
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [
        ((extent(0, 2), extent(0, 2)), "do not make up the whole"),
        ((extent(0, 2),), "do not make up the whole"),
        ((extent(0, 2), extent(2, 9)), "do not make up the whole"),
        ((extent(0, 2), extent(2, 2)), "its values are missing"),
        ((extent(0, 2) * 2,), "another number of axes"),
        ((extent(0, -5),), "negative extent"),
    ],
)
def test_parts_that_are_not_the_whole_are_refused(tmp_path: Path, parts: tuple[bytes, ...], complaint: str) -> None:
    half = {slice_key("w", (Extent(0, 2),)): saved(FLOATS[:2].tobytes())}
    with pytest.raises(WeightsError, match=complaint):
        TensorFlowV1Checkpoint(write(tmp_path / "c", meta("w", (4,), *parts), half)).read("w")


def test_a_tensor_without_values_or_with_a_hostile_name_makes_one_line(tmp_path: Path) -> None:
    name = "w\n\x1b[2J"
    path = write(tmp_path / "c", text(1, text(1, name.encode()) + number(3, 1)), {})
    with pytest.raises(WeightsError, match="has no values") as caught:
        TensorFlowV1Checkpoint(path)
    assert str(caught.value).isprintable()
    with pytest.raises(WeightsError, match=r"c: no tensor is called absent"):
        TensorFlowV1Checkpoint(write_one(tmp_path / "c")).read("absent")


def test_the_note_beside_a_v1_checkpoint_leads_to_it(tmp_path: Path) -> None:
    write_one(tmp_path / "model.ckpt-7")
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-7"\n')
    for path in (tmp_path, tmp_path / "checkpoint"):
        with pytest.raises(WeightsError, match=r"checkpoint: not weights but a note that model\.ckpt-7 beside it is"):
            read_weights(path)


def test_an_index_that_lost_its_suffix_is_told_from_a_v1_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "model.ckpt").write_bytes(table([block(entry(b"", number(1, 1)))]))
    with pytest.raises(WeightsError, match=r"V2 checkpoint that lost its suffix: name it model\.ckpt\.index"):
        read_weights(tmp_path / "model.ckpt")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_file_that_is_cut_short_is_refused_in_one_line(tmp_path: Path, share: float) -> None:
    data = write_one(tmp_path / "c", (1000,), bytes(4000)).read_bytes()
    (tmp_path / "c").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(WeightsError, match=r"c: not a whole TensorFlow V1 checkpoint: the end of the file is missing"):
        read_weights(tmp_path / "c")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=st.binary(max_size=200), inside=st.booleans())
def test_no_junk_makes_the_reader_fail_in_another_way(tmp_path: Path, junk: bytes, inside: bool) -> None:
    content = table([block(entry(b"", junk))]) if inside else junk + table([])[-48:]
    (tmp_path / "c").write_bytes(content)
    try:
        checkpoint = TensorFlowV1Checkpoint(tmp_path / "c")
        for name in checkpoint.shapes:
            checkpoint.read(name)
    except WeightsError:
        return
