"""What is written runs in other people's runtimes, and gives what DeepMind's graph gives on the original's sample."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from quovadis.labels import kinetics400
from quovadis.openvino_runtime import ov
from quovadis.torch import I3D, normalize
from support.conversions import Written, do_in_tensorflow
from support.tensorflow_run import run_in_tensorflow

TOLERANCE = 1e-3
Frames = NDArray[np.uint8]
Logits = NDArray[np.float32]


@pytest.fixture(scope="module")
def tensorflow_results(written: dict[str, Written], cricket_frames: Frames) -> dict[str, NDArray[np.float32]]:
    files = (written["tensorflow-graph"].path, written["tensorflow-checkpoint"].path)
    return do_in_tensorflow(run_in_tensorflow, *files, cricket_frames)


def test_every_format_is_verified_in_its_own_runtime(written: dict[str, Written]) -> None:
    for name, each in written.items():
        (model,) = each.conversion.models
        assert model.difference is not None, name
        assert model.difference.ok
        assert model.difference.logits < TOLERANCE
        assert all(file.is_file() for file in each.conversion.files)
    runtimes = {name: str(each.conversion.models[0].difference) for name, each in written.items()}
    assert runtimes["tensorflow-graph"].startswith("TensorFlow 2")
    assert runtimes["tensorflow-checkpoint"].startswith("TensorFlow 2")
    assert runtimes["onnx"].startswith("onnxruntime")
    assert all(runtimes[name].startswith("PyTorch") for name in ("torch", "torch-program", "piergiaj", "hassony2"))


def test_tensorflow_imports_the_frozen_graph(
    tensorflow_results: dict[str, NDArray[np.float32]], oracle_logits: Logits
) -> None:
    assert tensorflow_results["placeholder"].tolist() == [1, 79, 224, 224, 3]
    assert tensorflow_results["output"].tolist() == [1, 400]
    np.testing.assert_allclose(tensorflow_results["logits"], oracle_logits, atol=TOLERANCE)
    assert tensorflow_results["softmax"].argmax() == kinetics400().index("playing cricket")


def test_tensorflow_loads_the_checkpoint_bit_for_bit(
    tensorflow_results: dict[str, NDArray[np.float32]], official: object
) -> None:
    tensors = official.tensors  # type: ignore[attr-defined]
    read = {key.removeprefix("variable:"): value for key, value in tensorflow_results.items() if ":" in key}
    assert read.keys() == tensors.keys()
    assert all(np.array_equal(read[name], tensors[name]) for name in tensors)


def test_onnxruntime_runs_the_model_at_any_batch_and_length(
    written: dict[str, Written], cricket_frames: Frames, oracle_logits: Logits, assets: Path
) -> None:
    path = written["onnx"].path
    onnx.checker.check_model(path, full_check=True)
    model = onnx.load(path)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]
    model.graph.output.append(onnx.helper.make_tensor_value_info("Logits", onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].name == "Placeholder"
    assert session.get_inputs()[0].shape == ["batch", "frames", 3, 224, 224]
    assert session.get_outputs()[0].name == "Softmax"
    pixels = cricket_frames.transpose(0, 3, 1, 2)[np.newaxis].astype(np.float32)
    softmax, logits = session.run(["Softmax", "Logits"], {"Placeholder": pixels})
    np.testing.assert_allclose(logits, oracle_logits, atol=TOLERANCE)
    assert softmax.argmax() == kinetics400().index("playing cricket")
    shorter = np.load(assets / "oracle" / "cricket_T16_rgb_scratch.npz")["logits"]
    (pair,) = session.run(["Logits"], {"Placeholder": np.repeat(pixels[:, :16], 2, axis=0)})
    np.testing.assert_allclose(pair, np.repeat(shorter.reshape(1, -1), 2, axis=0), atol=TOLERANCE)


def test_openvino_reads_the_ir(written: dict[str, Written], cricket_frames: Frames, oracle_logits: Logits) -> None:
    model = ov.Core().read_model(written["openvino"].path)
    assert model.input().get_any_name() == "Placeholder"
    assert list(model.input().shape) == [1, 79, 3, 224, 224]
    assert model.output().get_any_name() == "Softmax"
    assert list(model.output().shape) == [1, 400]
    labels = model.get_rt_info(["model_info", "labels"]).astype(str).split()
    assert tuple(label.replace("_", " ") for label in labels) == kinetics400()
    assert model.get_rt_info(["quovadis", "weights"]).astype(str) == "rgb-scratch"
    model.add_outputs("Logits")
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    results = compiled({"Placeholder": cricket_frames.transpose(0, 3, 1, 2)[np.newaxis].astype(np.float32)})
    np.testing.assert_allclose(results["Logits"], oracle_logits, atol=TOLERANCE)


def test_the_ir_can_be_reshaped_to_other_lengths(
    written: dict[str, Written], cricket_frames: Frames, assets: Path
) -> None:
    model = ov.Core().read_model(written["openvino"].path)
    model.reshape([1, 16, 3, 224, 224])
    model.add_outputs("Logits")
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    results = compiled([cricket_frames[:16].transpose(0, 3, 1, 2)[np.newaxis].astype(np.float32)])
    expected = np.load(assets / "oracle" / "cricket_T16_rgb_scratch.npz")["logits"].reshape(1, -1)
    np.testing.assert_allclose(results["Logits"], expected, atol=TOLERANCE)


def test_benchmark_app_runs_the_ir(written: dict[str, Written]) -> None:
    run = subprocess.run(
        [Path(sys.executable).with_name("benchmark_app"), "-m", written["openvino"].path, "-d", "CPU", "-niter", "1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Throughput" in run.stdout


def test_pytorch_runs_the_exported_program(
    written: dict[str, Written], cricket_frames: Frames, oracle_logits: Logits
) -> None:
    program = torch.export.load(written["torch-program"].path).module()
    with torch.inference_mode():
        logits = program(normalize(torch.tensor(cricket_frames[np.newaxis]))).numpy()
    np.testing.assert_allclose(logits, oracle_logits, atol=TOLERANCE)


@pytest.mark.soak
def test_pytorch_runs_the_exported_program_at_another_batch_and_length(
    written: dict[str, Written], cricket_frames: Frames, assets: Path
) -> None:
    """Written, it was already run on two clips of 17 frames, and gave what its source gives."""
    program = torch.export.load(written["torch-program"].path).module()
    expected = np.load(assets / "oracle" / "cricket_T64_rgb_scratch.npz")["logits"].reshape(1, -1)
    with torch.inference_mode():
        pair = program(normalize(torch.tensor(np.repeat(cricket_frames[np.newaxis, :64], 2, axis=0)))).numpy()
    np.testing.assert_allclose(pair, np.repeat(expected, 2, axis=0), atol=TOLERANCE)


def test_our_state_dict_is_that_of_our_module(written: dict[str, Written]) -> None:
    state = torch.load(written["torch"].path, weights_only=True)
    missing, unexpected = I3D().load_state_dict(state)
    assert not missing
    assert not unexpected
