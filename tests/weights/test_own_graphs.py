"""ONNX and IR are read back only if Quovadis wrote them; others are refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from quovadis.errors import MissingDependencyError, WeightsError
from quovadis.openvino_runtime import opset13, ov
from quovadis.weights import read_weights


def test_foreign_and_damaged_onnx_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.onnx"
    helper = onnx.helper
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    other = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "other", [value], [other])
    onnx.save(helper.make_model(graph), path)
    with pytest.raises(WeightsError, match=r"other\.onnx: an ONNX model without the tensor Conv3d_1a_7x7/kernel"):
        read_weights(path)
    path.write_bytes(b"\x08\xff\xff")
    with pytest.raises(WeightsError, match=r"other\.onnx: not an ONNX model, or damaged"):
        read_weights(path)


def test_foreign_and_damaged_ir_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.xml"
    x = opset13.parameter([1], np.float32)
    ov.save_model(ov.Model([opset13.relu(x)], [x], "other"), path)
    with pytest.raises(WeightsError, match=r"other\.xml: an IR without the constant Conv3d_1a_7x7/kernel"):
        read_weights(path)
    path.write_text("<?xml version='1.0'?><net>")
    with pytest.raises(WeightsError, match=r"other\.xml: not OpenVINO IR, or damaged"):
        read_weights(path)
    path.with_suffix(".bin").unlink()
    with pytest.raises(WeightsError, match=r"no file other\.bin beside it"):
        read_weights(path)


def test_without_onnx_the_line_that_installs_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.onnx").write_bytes(b"\x08\x08")
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(MissingDependencyError, match=r'reading ONNX needs onnx: run pip install "quovadis\[onnx\]"'):
        read_weights(tmp_path / "a.onnx")
