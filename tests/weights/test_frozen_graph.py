"""Frozen graphs: the original recipe's, other scopes, other encodings of the same values, and damage."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from quovadis.architecture import variable_shapes
from quovadis.errors import WeightsError
from quovadis.weights import read_weights
from quovadis.weights.frozen_graph import read_frozen_graph
from quovadis.weights.protobuf_wire import encode_content, encode_integer

FLOAT, HALF, DOUBLE = 1, 19, 2
FIRST = next(iter(variable_shapes()))


def shape_message(shape: tuple[int, ...]) -> bytes:
    return b"".join(encode_content(2, encode_integer(1, size)) for size in shape)


def tensor_message(values: NDArray[np.generic], dtype: int = FLOAT) -> bytes:
    return (
        encode_integer(1, dtype) + encode_content(2, shape_message(values.shape)) + encode_content(4, values.tobytes())
    )


def constant(name: str, tensor: bytes) -> bytes:
    value = encode_content(1, b"value") + encode_content(2, encode_content(8, tensor))
    dtype = encode_content(1, b"dtype") + encode_content(2, encode_integer(6, FLOAT))
    attributes = encode_content(5, dtype) + encode_content(5, value)
    return encode_content(1, encode_content(1, name.encode()) + encode_content(2, b"Const") + attributes)


@lru_cache(len(variable_shapes()))
def usual(name: str, number: int) -> bytes:
    """A variable all of whose elements are one number, by which it is known again."""
    shape = [*variable_shapes().values()][number]
    return constant(name, tensor_message(np.full(shape, number / 256, np.float32)))


def graph(scope: str = "", **changed: bytes) -> bytes:
    """A graph of constants as freezing leaves them, each read by an Identity of its own."""
    nodes: list[bytes] = []
    for number, name in enumerate(variable_shapes()):
        nodes.append(constant(name, changed[name]) if name in changed else usual(scope + name, number))
        identity = encode_content(1, f"{scope}{name}/read".encode()) + encode_content(2, b"Identity")
        nodes.append(encode_content(1, identity + encode_content(3, (scope + name).encode())))
    return b"".join([*nodes, encode_content(4, encode_integer(1, 22))])


@pytest.mark.parametrize("scope", ["import/", "two/deep/", ""])
def test_variables_are_found_by_name_under_any_scope(scope: str, tmp_path: Path) -> None:
    path = tmp_path / "graph.pb"
    path.write_bytes(graph(scope))
    tensors = read_weights(path).tensors
    assert [float(tensor.flat[0]) * 256 for tensor in tensors.values()] == list(range(230))


def test_other_encodings_of_values_are_read(tmp_path: Path) -> None:
    shape = variable_shapes()[FIRST]
    values = np.arange(shape[0], dtype=np.float32)
    dims = encode_content(2, shape_message(shape))
    encodings = {
        "half": tensor_message(values.astype(np.float16), HALF),
        "double": tensor_message(values.astype(np.float64), DOUBLE),
        "packed list": encode_integer(1, FLOAT) + dims + encode_content(5, values.tobytes()),
    }
    for name, message in encodings.items():
        (tmp_path / "a.pb").write_bytes(graph(**{FIRST: message}))
        assert np.array_equal(read_frozen_graph(tmp_path / "a.pb")[FIRST], values), name
    one = encode_integer(1, FLOAT) + dims + encode_content(5, np.float32(2.5).tobytes())
    (tmp_path / "a.pb").write_bytes(graph(**{FIRST: one}))
    assert (read_frozen_graph(tmp_path / "a.pb")[FIRST] == 2.5).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: b"\x0a\xff\xff\xff\xff\x0f", "not a TensorFlow frozen graph, or damaged"),
        (lambda: encode_content(4, b""), "a TensorFlow graph without the constant RGB/inception_i3d"),
        (lambda: graph()[:-2000], "frozen graph, or damaged: ends inside a field"),
        (lambda: graph(**{FIRST: encode_integer(1, 3)}), "holds the dtype 3 where weights belong"),
        (lambda: graph(**{FIRST: tensor_message(np.zeros(63, np.float32))}), "has the shape"),
        (
            lambda: graph(**{FIRST: encode_integer(1, 1) + encode_content(2, shape_message((1 << 40,)))}),
            "claims more values than any",
        ),
        (
            lambda: graph(
                **{FIRST: encode_integer(1, 1) + encode_content(2, shape_message((64,))) + encode_content(4, b"1234")}
            ),
            "do not fill its shape",
        ),
    ],
    ids=["cut", "empty", "short", "int32", "shape", "bomb", "few"],
)
def test_damage_is_one_error_that_names_the_file(content: Callable[[], bytes], message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.pb"
    path.write_bytes(content())
    with pytest.raises(WeightsError, match=message) as caught:
        read_weights(path)
    assert str(path) in str(caught.value)


def test_a_graph_whose_batch_norm_was_folded_names_what_is_missing(tmp_path: Path) -> None:
    whole = graph()
    name = FIRST.replace("beta", "moving_mean").encode()
    (tmp_path / "folded.pb").write_bytes(whole.replace(name, name[:-1] + b"_"))
    with pytest.raises(WeightsError, match=r"1 of 230 tensors are missing, the first is .*moving_mean"):
        read_weights(tmp_path / "folded.pb")
