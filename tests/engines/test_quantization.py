"""8-bit integers: close to float32 on every window of the real clips, in clips and in dense mode alike."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from quovadis import Recognizer, SlidingWindows, load, precision
from quovadis.engines.native_library import has_integers
from quovadis.engines.quantization import CALIBRATION_CLIPS, Quantization
from quovadis.errors import EngineError, VideoError
from quovadis.precision import calibration_videos, quantization_for
from quovadis.video import open_video, sliding_clips
from quovadis.weights import Weights, read_weights

Clips = NDArray[np.uint8]
FEW_FRAMES = 16
"""Frames of the clips to calibrate on, where it is not the point how good the calibration is."""
RUN_WITH_FEW_FRAMES = f"""
from quovadis import precision
from quovadis.__main__ import main

precision.CLIP_FRAMES = {FEW_FRAMES}
main()
"""


@pytest.fixture(scope="module")
def official(rgb_scratch_path: Path) -> Weights:
    return read_weights(rgb_scratch_path)


@pytest.fixture(scope="module")
def windows(assets: Path) -> list[Clips]:
    """Windows of 79 frames, half overlapping, of every clip that can be read."""
    found: list[Clips] = []
    for path in sorted(path for path in (assets / "clips").iterdir() if path.is_file()):
        try:
            with open_video(path) as video:
                found += [clip.pixels[:79] for clip in sliding_clips(video, SlidingWindows(stride=40))]
        except VideoError:
            assert path.name == "corrupted.mp4"
    assert len(found) >= 25
    return found


@pytest.fixture(scope="module")
def int8_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("int8-home")


@pytest.fixture(scope="module")
def quantized(rgb_scratch_path: Path, windows: list[Clips], int8_home: Path) -> Recognizer:
    """Calibrated on every third window; measured on the others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUOVADIS_HOME", str(int8_home))
        return load(rgb_scratch_path, precision="int8", calibration=windows[::3])


def test_top_1_agrees_and_its_probability_hardly_changes(
    quantized: Recognizer, rgb_scratch_path: Path, windows: list[Clips]
) -> None:
    exact = load(rgb_scratch_path)
    assert quantized.engine.description["precision"] == "int8"
    agreements, changes = [], []
    unseen = [window for number, window in enumerate(windows) if number % 3]
    for window in unseen:
        a, b = (model.run(window[np.newaxis]).probabilities[0] for model in (exact, quantized))
        agreements.append(a.argmax() == b.argmax())
        changes.append(abs(float(a.max() - b[a.argmax()])))
    # Of 27 windows two are close to a tie in float32: one may fall to the other side on another engine.
    assert sum(agreements) >= len(unseen) - 1
    assert 0 < np.mean(changes) <= 0.02
    assert max(changes) <= 0.1


def test_feature_maps_have_the_original_scale(
    quantized: Recognizer, rgb_scratch_path: Path, cricket_frames: Clips
) -> None:
    names = ("Conv3d_1a_7x7", "Mixed_3c", "Mixed_5c")
    clip = cricket_frames[np.newaxis, :16]
    ours, exact = (model.run(clip, names) for model in (quantized, load(rgb_scratch_path)))
    for name in names:
        error = np.linalg.norm(ours.endpoints[name] - exact.endpoints[name]) / np.linalg.norm(exact.endpoints[name])
        assert 0 < error < 0.15, name
    assert np.linalg.norm(ours.features - exact.features) / np.linalg.norm(exact.features) < 0.15


@pytest.mark.parametrize("engine", ["native", "openvino"])
def test_floats_that_are_whole_give_what_bytes_give(
    engine: Literal["native", "openvino"],
    quantized: Recognizer,
    rgb_scratch_path: Path,
    int8_home: Path,
    cricket_frames: Clips,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if engine == "native" and not has_integers():
        pytest.skip("this processor has no AVX-512 VNNI")
    # Where `quantized` has kept its calibration.
    monkeypatch.setenv("QUOVADIS_HOME", str(int8_home))
    model = load(rgb_scratch_path, engine=engine, precision="int8")
    assert (model.engine.description["engine"], model.engine.description["precision"]) == (engine, "int8")
    kept = Quantization.load(next((int8_home / "quantization").iterdir()))
    assert kept is not None
    assert model.engine.description["calibration_sha256"] == kept.identity
    assert "calibration_sha256" not in load(rgb_scratch_path, engine=engine).engine.description
    clip = cricket_frames[np.newaxis, :16]
    np.testing.assert_allclose(model.run(clip.astype(np.float32)).logits, model.run(clip).logits, rtol=0, atol=1e-5)


def test_dense_mode_gives_what_the_whole_graph_gives(quantized: Recognizer, cricket_frames: Clips) -> None:
    frames = np.resize(cricket_frames, (103, 224, 224, 3))
    whole = quantized.run(frames[np.newaxis])
    steps = np.stack([step.step_logits for step in quantized.stream(frames)])
    # A value next to the edge of a level falls to either side of it, and so on from layer to layer: the two differ by
    # no more than each does from float32.
    np.testing.assert_allclose(steps.mean(axis=0), whole.logits[0], atol=0.6)
    assert steps.mean(axis=0).argmax() == whole.logits[0].argmax()


def test_a_calibration_is_kept_for_its_weights_and_damage_is_found(
    official: Weights, windows: list[Clips], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUOVADIS_HOME", str(tmp_path))
    monkeypatch.setattr(precision, "CLIP_FRAMES", FEW_FRAMES)
    lines: list[str] = []
    with pytest.raises(EngineError, match="has to be calibrated on real clips once"):
        quantization_for(official, "int8", None, (), lines.append)
    assert quantization_for(official, "auto", None, (), lines.append) is None
    assert quantization_for(official, "f32", None, (), lines.append) is None
    assert not lines
    made = quantization_for(official, "int8", None, [windows[0]], lines.append)
    assert lines[0].startswith("calibrating int8 for rgb-scratch on 12 clips (")
    assert made is not None
    (path,) = (tmp_path / "quantization").iterdir()
    assert path.name == f"{official.sha256}.npz"
    again = quantization_for(official, "auto", None, (), lines.append)
    assert again is not None
    assert again.identity == made.identity
    whole = path.read_bytes()
    for damage in (b"", b"PK", whole[:1000], whole[:-100]):
        path.write_bytes(damage)
        assert Quantization.load(path) is None


def test_calibration_takes_of_each_source_and_passes_over_what_cannot_be_read(assets: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    lines: list[str] = []
    (video,) = calibration_videos([str(bad), str(assets / "clips" / "clean_and_jerk.mp4")], lines.append)
    assert [clip.shape for clip in video.clips] == [(79, 224, 224, 3)] * len(video.clips)
    assert 4 <= len(video.clips) <= CALIBRATION_CLIPS
    assert len(lines) == 1
    assert "bad.mp4" in lines[0]


def test_an_unknown_precision_is_refused(official: Weights) -> None:
    with pytest.raises(EngineError, match='no precision is called "int4"'):
        quantization_for(official, "int4", None, (), lambda line: None)  # type: ignore[arg-type]


def test_the_command_calibrates_on_its_videos_and_keeps_stdout_for_results(
    rgb_scratch_path: Path, cricket_gif: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUOVADIS_HOME", str(tmp_path))
    command = [sys.executable, "-c", RUN_WITH_FEW_FRAMES, "classify", "-w", rgb_scratch_path]
    command += ["--precision", "int8", "--json"]
    run = subprocess.run([*command, cricket_gif], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    (result,) = json.loads(run.stdout)["results"]
    assert result["engine"]["precision"] == "int8"
    assert result["top"][0]["label"] == "playing cricket"
    assert "calibrating int8 for rgb-scratch on 12 clips" in run.stderr
    assert "int8 is calibrated on 5 clips of 1 video" in run.stderr
    assert "--calibrate SOURCE" in run.stderr
    assert result["engine"]["calibration"].startswith("5 clips of 1 video, ")
