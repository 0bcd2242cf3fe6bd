"""`quovadis convert`: its options, what it prints, what it refuses, what it leaves behind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import quovadis
from quovadis.errors import (
    ArchitectureError,
    LabelsError,
    MissingDependencyError,
    OutputError,
    QuovadisError,
    WeightsError,
)
from quovadis.export import conversion, worker
from quovadis.labels import kinetics400
from quovadis.openvino_runtime import ov
from support.command_line import quovadis as quovadis_command
from support.conversions import Written, convert_in_process

TESTS = Path(__file__).resolve().parents[1]
CONVERT_AGAIN = """
import json, sys
import pytest
from quovadis import convert
from support.conversions import convert_in_process

with pytest.MonkeyPatch.context() as patch:
    convert_in_process(patch)
    for name, path in json.load(sys.stdin).items():
        convert("rgb-scratch", path, to=name, verify=False)
"""


@pytest.fixture
def source(written: dict[str, Written]) -> Path:
    return written["safetensors"].path


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    convert_in_process(monkeypatch)


def test_the_command_prints_a_line_a_step_and_the_differences(source: Path, tmp_path: Path) -> None:
    run = quovadis_command("convert", source, tmp_path / "a.xml", "--frames", "9")
    assert run.returncode == 0, run.stderr
    steps = [line.removeprefix("quovadis: ").split()[0] for line in run.stderr.splitlines()]
    assert steps == ["reading", "read", "writing", "running", "running"]
    assert "OpenVINO IR: OpenVINO 2026" in run.stdout
    assert "logits differ by at most" in run.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bin", "a.xml"]


@pytest.mark.usefixtures("in_process")
def test_json_tells_weights_models_and_files(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "clip_shapes", lambda options: [(1, 9)])
    run = quovadis_command("convert", source, tmp_path / "b.safetensors", "--json", "--quiet")
    assert run.returncode == 0, run.stderr
    record = json.loads(run.stdout)
    assert run.stderr == ""
    assert record["weights"]["name"] == "rgb-scratch"
    assert record["models"][0]["verified"]["logits"] == 0
    assert record["files"] == [
        {"path": str(tmp_path / "b.safetensors"), "size": (tmp_path / "b.safetensors").stat().st_size}
    ]


def test_safetensors_metadata_names_the_weights(source: Path) -> None:
    from safetensors import safe_open

    with safe_open(source, "numpy") as file:
        metadata = file.metadata()
    assert metadata["weights"] == "rgb-scratch"
    assert metadata["sha256"] == "40cda3a73eba49c7cec1b125cf2197c122a1c4e08a50031b91889e9be252d1ac"
    assert metadata["source"] == "i3d-kinetics-400.ckpt"


@pytest.mark.usefixtures("in_process")
def test_the_recipe_of_open_model_zoo_writes_its_folders(source: Path, tmp_path: Path) -> None:
    done = quovadis.convert(source, tmp_path / "public", recipe="omz", frames=16)
    root = tmp_path / "public" / "i3d-rgb-tf"
    assert sorted(str(path.relative_to(root)) for path in root.rglob("*.*")) == [
        "FP16/i3d-rgb-tf.bin", "FP16/i3d-rgb-tf.xml", "FP32/i3d-rgb-tf.bin", "FP32/i3d-rgb-tf.xml",
    ]  # fmt: skip
    sizes = {name: (root / name / "i3d-rgb-tf.bin").stat().st_size for name in ("FP16", "FP32")}
    assert sizes["FP16"] == pytest.approx(sizes["FP32"] / 2, rel=0.01)
    half, full = sorted(done.models, key=lambda model: str(model.path))
    assert half.difference is not None
    assert full.difference is not None
    assert full.difference.logits < 1e-3 < half.difference.logits < half.difference.tolerance.logits


@pytest.mark.usefixtures("in_process")
def test_ovms_gets_a_repository(source: Path, tmp_path: Path) -> None:
    quovadis.convert(source, tmp_path, to="ovms", verify=False)
    root = tmp_path / "i3d-rgb"
    assert ov.Core().read_model(root / "1" / "model.xml").input().partial_shape.is_dynamic
    config = json.loads((root / "config.json").read_text())
    assert config["model_config_list"][0]["config"] == {"name": "i3d-rgb", "base_path": "/models/i3d-rgb"}
    assert tuple((root / "labels.txt").read_text().splitlines()) == kinetics400()
    assert "Placeholder" in (root / "README.md").read_text()


@pytest.mark.usefixtures("in_process")
def test_triton_gets_a_repository(source: Path, tmp_path: Path) -> None:
    quovadis.convert(source, tmp_path, to="triton", verify=False)
    config = (tmp_path / "i3d-rgb" / "config.pbtxt").read_text()
    assert 'backend: "onnxruntime"' in config
    assert "dims: [-1, 3, 224, 224]" in config
    assert "max_batch_size: 8" in config
    assert (tmp_path / "i3d-rgb" / "1" / "model.onnx").is_file()
    quovadis.convert(source, tmp_path, to="triton", verify=False, batch=4, frames=16, layout="BDHWC", overwrite=True)
    config = (tmp_path / "i3d-rgb" / "config.pbtxt").read_text()
    assert "dims: [4, 16, 224, 224, 3]" in config
    assert "max_batch_size: 0" in config


@pytest.mark.usefixtures("in_process")
def test_batch_frames_layout_and_labels_are_as_asked(source: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("\n".join(f"class {number}" for number in range(400)))
    path = tmp_path / "a.xml"
    done = quovadis.convert(source, path, batch=2, frames=9, layout="BDHWC", labels=names)
    model = ov.Core().read_model(path)
    assert list(model.input().shape) == [2, 9, 224, 224, 3]
    assert model.get_rt_info(["model_info", "labels"]).astype(str).startswith("class_0 class_1 ")
    assert done.models[0].difference is not None
    quovadis.convert(source, tmp_path / "b.xml", batch="any", frames="any", verify=False)
    assert str(ov.Core().read_model(tmp_path / "b.xml").input().partial_shape) == "[?,?,3,224,224]"


@pytest.mark.usefixtures("in_process")
def test_what_is_there_stays_unless_force_replaces_it(source: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.with_suffix(".bin").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"a\.bin: is there already; `overwrite=True`"):
        quovadis.convert(source, path)
    assert [file.name for file in tmp_path.iterdir()] == ["a.bin"]
    quovadis.convert(source, path, verify=False, overwrite=True)
    assert path.with_suffix(".bin").stat().st_size > 50_000_000


@pytest.mark.usefixtures("in_process")
def test_a_model_that_differs_from_its_source_is_not_left_behind(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = worker.write

    def wrong(identity: worker.StoredWeights, store: Path, *rest: Any) -> None:
        tensors = load_file(store)
        name = "RGB/inception_i3d/Mixed_3c/Branch_2/Conv3d_0b_3x3/batch_norm/moving_variance"
        tensors[name] = tensors[name] * 1.05
        save_file(tensors, tmp_path / "tampered")
        right(identity, tmp_path / "tampered", *rest)
        (tmp_path / "tampered").unlink()

    monkeypatch.setattr(conversion.worker, "write", wrong)
    with pytest.raises(
        OutputError, match=r"a\.onnx: not written, because it would not compute the same.*allowed 1e-03"
    ):
        quovadis.convert(source, tmp_path / "a.onnx", batch=1, frames=9)
    assert list(tmp_path.iterdir()) == []
    quovadis.convert(source, tmp_path / "a.onnx", verify=False)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.foo", {}, "say which format to write with `to`"),
        ("a.onnx", {"to": "caffe"}, 'no format is called "caffe"'),
        ("a.onnx", {"recipe": "caffe"}, 'no recipe is called "caffe"'),
        ("a.onnx", {"to": "onnx", "recipe": "omz"}, "not both"),
        ("a.safetensors", {"frames": 16}, "`frames` has no effect with the format safetensors"),
        ("a.onnx", {"compress": "fp16"}, "`compress` has no effect with the format onnx"),
        ("a.pb", {"layout": "BDCHW"}, "`layout` has no effect with the format tensorflow-graph"),
        ("a.onnx", {"batch": 0}, "`batch=0`: give a number from 1"),
        ("a.onnx", {"frames": 0}, "`frames=0`: give a number from 9"),
        ("a.onnx", {"layout": "HWC"}, "`layout` must be one of BDHWC, BDCHW"),
        ("a.xml", {"compress": "zip"}, "`compress` must be one of none, fp16"),
        ("model", {"to": "openvino"}, "is called .xml"),
        (".", {"to": "onnx"}, "is a folder"),
    ],
)
def test_a_destination_that_makes_no_sense_is_refused_at_once(
    name: str, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match=message):
        quovadis.convert(tmp_path / "not even read", tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []


def test_other_bad_input_is_named(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ArchitectureError, match="6 frames is too short"):
        quovadis.convert(source, tmp_path / "a.onnx", frames=6)
    with pytest.raises(LabelsError, match="none"):
        quovadis.convert(source, tmp_path / "a.onnx", labels=tmp_path / "none")
    with pytest.raises(WeightsError, match="nothing: neither a file nor official weights"):
        quovadis.convert(tmp_path / "nothing", tmp_path / "a.onnx")
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(source.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match=r"damaged\.safetensors: not a safetensors file, or damaged"):
        quovadis.convert(damaged, tmp_path / "a.onnx")


@pytest.mark.parametrize(
    ("module", "name", "line"),
    [
        ("torch", "a.pt", 'writing for PyTorch needs PyTorch: run pip install "quovadis[torch]"'),
        ("onnx", "a.onnx", 'writing ONNX needs onnx: run pip install "quovadis[onnx]"'),
        ("onnxruntime", "a.onnx", 'running ONNX needs onnxruntime: run pip install "quovadis[onnx]"'),
        (
            "tensorflow",
            "a.pb",
            'writing a TensorFlow frozen graph needs TensorFlow: run pip install "quovadis[tensorflow]"',
        ),
    ],
)
def test_a_missing_package_is_named_with_the_line_that_installs_it(
    module: str, name: str, line: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / f"{module}.py").write_text(f"raise ModuleNotFoundError('No module named {module}', name={module!r})")
    monkeypatch.setenv("PYTHONPATH", str(hidden))
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(MissingDependencyError) as caught:
        # Of a few frames: what is missing may show only after the source has run.
        quovadis.convert(source, out / name, **({} if name == "a.pt" else {"batch": 1, "frames": 9}))
    assert str(caught.value) == line
    assert list(out.iterdir()) == []


def test_a_process_that_dies_is_reported(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "onnx.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    monkeypatch.setenv("PYTHONPATH", str(hidden))
    with pytest.raises(OutputError, match=r"a\.onnx: to write it failed \(signal 9\)"):
        quovadis.convert(source, tmp_path / "a.onnx")


def test_no_conversion_takes_more_memory_than_any_laptop_has(written: dict[str, Written]) -> None:
    # TensorFlow's is the largest: 1.42 to 1.51 GB, by its threads and the processor.
    peak = written["tensorflow-graph"].peak_bytes
    assert peak is not None
    assert peak < 1.6e9


def test_two_conversions_give_the_same_bytes(written: dict[str, Written], tmp_path: Path) -> None:
    # safetensors' own library orders the metadata anew each time.
    paths = {
        name: tmp_path / written[name].path.name for name in ("onnx", "openvino", "tensorflow-checkpoint", "piergiaj")
    }
    job = json.dumps({name: str(path) for name, path in paths.items()})
    run = subprocess.run([sys.executable, "-c", CONVERT_AGAIN], input=job, text=True, check=False, cwd=TESTS)
    assert run.returncode == 0
    for name in paths:
        for before in written[name].conversion.files:
            assert (tmp_path / before.name).read_bytes() == before.read_bytes(), before.name


def test_the_interface_of_numpy_is_enough_to_read_the_result(source: Path) -> None:
    tensors = load_file(source)
    assert len(tensors) == 230
    assert sum(array.size for array in tensors.values()) == 12_704_544
    assert all(array.dtype == np.float32 for array in tensors.values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("rgb-scratch", 3), "destination must be text or a path, not 3"),
        (("rgb-scratch", None), "destination must be text or a path, not None"),
        ((3, "x.onnx"), "source must be text or a path, not 3"),
        ((b"rgb-scratch", "x.onnx"), "source must be text or a path, not b'rgb-scratch'"),
    ],
)
def test_what_is_no_path_is_refused(arguments: tuple[Any, Any], message: str) -> None:
    with pytest.raises(OutputError, match=re.escape(message)):
        quovadis.convert(*arguments)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("to", ["onnx"], "to must be text or None"),
        ("recipe", 3, "recipe must be text or None, not 3"),
        ("batch", "2", "batch must be a whole number, \"any\" or None, not '2'"),
        ("batch", True, "batch must be a whole number"),
        ("frames", float("nan"), "frames must be a whole number"),
        ("frames", 16.5, "frames must be a whole number"),
        ("verify", "no", "verify must be True or False, not 'no'"),
        ("overwrite", None, "overwrite must be True or False, not None"),
        ("on_step", "x", "on_step must be a function, not 'x'"),
        ("labels", 3, "labels must be a file or a list of names, not 3"),
        ("labels", {"archery"}, "labels must be a file or a list of names"),
        ("labels", [3], "class name 1 must be text, not 3"),
    ],
)
def test_an_option_of_another_type_is_refused_by_name(tmp_path: Path, option: str, value: Any, message: str) -> None:
    with pytest.raises(QuovadisError, match=re.escape(message)) as refused:
        quovadis.convert("rgb-scratch", tmp_path / "x.onnx", **{option: value})
    assert refused.value.option == option
    assert not list(tmp_path.iterdir())
