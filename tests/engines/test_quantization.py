"""8-bit integers: close to float32 on every window of the real clips, in clips and in dense mode alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from quovadis import Recognizer, SlidingWindows, load, precision
from quovadis.engines import NativeEngine
from quovadis.engines.native_library import has_integers, instruction_sets
from quovadis.engines.quantization import CALIBRATION_CLIPS, Quantization
from quovadis.errors import EngineError, VideoError
from quovadis.precision import calibration_videos, quantization_for
from quovadis.video import open_video, sliding_clips
from quovadis.weights import Weights, read_weights
from support.command_line import quovadis

Clips = NDArray[np.uint8]
FEW_FRAMES = 16
"""Frames of the clips to calibrate on, which are fewer than users calibrate on, and so no easier."""


@pytest.fixture(scope="module")
def official(rgb_scratch_path: Path) -> Weights:
    return read_weights(rgb_scratch_path)


@pytest.fixture(scope="module")
def exact(rgb_scratch_path: Path) -> Recognizer:
    return load(rgb_scratch_path)


def read_windows(assets: Path, stride: int) -> list[Clips]:
    """Windows of 79 frames of every clip that can be read."""
    found: list[Clips] = []
    for path in sorted(path for path in (assets / "clips").iterdir() if path.is_file()):
        try:
            with open_video(path) as video:
                found += [clip.pixels[:79] for clip in sliding_clips(video, SlidingWindows(stride=stride))]
        except VideoError:
            assert path.name == "corrupted.mp4"
    return found


@pytest.fixture(scope="module")
def windows(assets: Path) -> list[Clips]:
    """The first window of each clip, and what does not overlap with it."""
    found = read_windows(assets, 79)
    assert len(found) >= 12
    return found


@pytest.fixture(scope="module")
def int8_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("int8-home")


@pytest.fixture(scope="module")
def quantized(rgb_scratch_path: Path, windows: list[Clips], int8_home: Path) -> Recognizer:
    """Calibrated on every third window; measured on others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUOVADIS_HOME", str(int8_home))
        patch.setattr(precision, "CLIP_FRAMES", FEW_FRAMES)
        clips = [window[:FEW_FRAMES] for window in windows[::3]]
        patch.setattr(precision, "CALIBRATION_CLIPS", len(clips))
        return load(rgb_scratch_path, precision="int8", calibration=clips)


def check_agreement(quantized: Recognizer, exact: Recognizer, unseen: list[Clips]) -> None:
    """Whether top 1 is the same and its probability hardly changes; of 27 windows two are close to a tie in float32."""
    assert quantized.engine.description["precision"] == "int8"
    agreements, changes = [], []
    for window in unseen:
        a, b = (model.run(window[np.newaxis]).probabilities[0] for model in (exact, quantized))
        agreements.append(a.argmax() == b.argmax())
        changes.append(abs(float(a.max() - b[a.argmax()])))
    # One of the two may fall to the other side on another engine.
    assert sum(agreements) >= len(unseen) - 1
    assert 0 < np.mean(changes) <= 0.02
    assert max(changes) <= 0.1


def test_top_1_agrees_and_its_probability_hardly_changes(
    quantized: Recognizer, exact: Recognizer, windows: list[Clips]
) -> None:
    check_agreement(quantized, exact, windows[1::3])


@pytest.mark.soak
def test_top_1_agrees_on_every_window(
    rgb_scratch_path: Path, exact: Recognizer, assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half overlapping ones; calibrated as users do, on every third."""
    monkeypatch.setenv("QUOVADIS_HOME", str(tmp_path))
    every = read_windows(assets, 40)
    assert len(every) >= 25
    quantized = load(rgb_scratch_path, precision="int8", calibration=every[::3])
    check_agreement(quantized, exact, [window for number, window in enumerate(every) if number % 3])


def test_feature_maps_have_the_original_scale(quantized: Recognizer, exact: Recognizer, cricket_frames: Clips) -> None:
    names = ("Conv3d_1a_7x7", "Mixed_3c", "Mixed_5c")
    clip = cricket_frames[np.newaxis, :16]
    ours, original = (model.run(clip, names) for model in (quantized, exact))
    for name in names:
        maps = ours.endpoints[name], original.endpoints[name]
        error = np.linalg.norm(maps[0] - maps[1]) / np.linalg.norm(maps[1])
        assert 0 < error < 0.15, name
    assert np.linalg.norm(ours.features - original.features) / np.linalg.norm(original.features) < 0.15


@pytest.mark.parametrize("engine", ["native", "openvino"])
def test_floats_that_are_whole_give_what_bytes_give(
    engine: Literal["native", "openvino"],
    quantized: Recognizer,
    exact: Recognizer,
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
    assert "calibration_sha256" not in exact.engine.description
    clip = cricket_frames[np.newaxis, :9]
    np.testing.assert_allclose(model.run(clip.astype(np.float32)).logits, model.run(clip).logits, rtol=0, atol=1e-5)


def test_dense_mode_gives_what_the_whole_graph_gives(quantized: Recognizer, cricket_frames: Clips) -> None:
    frames = np.resize(cricket_frames, (103, 224, 224, 3))
    whole = quantized.run(frames[np.newaxis])
    steps = np.stack([step.step_logits for step in quantized.stream(frames)])
    # A value next to the edge of a level falls to either side of it, and so on from layer to layer: the two differ by
    # no more than each does from float32.
    np.testing.assert_allclose(steps.mean(axis=0), whole.logits[0], atol=0.6)
    assert steps.mean(axis=0).argmax() == whole.logits[0].argmax()


@pytest.mark.parametrize(("instruction_set", "device"), [("amx", "CPU (avx512, amx)"), ("avx512", "CPU (avx512)")])
def test_each_instruction_set_is_close_to_float32_and_says_its_name(
    instruction_set: str,
    device: str,
    quantized: Recognizer,
    exact: Recognizer,
    official: Weights,
    int8_home: Path,
    cricket_frames: Clips,
) -> None:
    if instruction_set not in instruction_sets() or not has_integers():
        pytest.skip(f"this processor has no {instruction_set} with kernels for int8")
    kept = Quantization.load(next((int8_home / "quantization").iterdir()))
    assert kept is not None
    clip = np.resize(cricket_frames, (1, 71, 224, 224, 3))
    original = exact.run(clip).features
    with NativeEngine(official.tensors, threads=2, quantization=kept, instruction_set=instruction_set) as engine:
        assert engine.description["device"] == device
        made = engine.run(clip)
        assert 0 < np.linalg.norm(made.features - original) / np.linalg.norm(original) < 0.15
        if instruction_set == "amx":
            # No transform, and so no rounding that depends on where a tile begins.
            stream = engine.open_stream()
            steps = [stream.push(clip[0, :55]), stream.push(clip[0, 55:], is_last=True)]
            found = np.concatenate([some.step_logits for some in steps])
            np.testing.assert_allclose(found, made.step_logits[0], rtol=0, atol=1e-4)


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
    with pytest.raises(EngineError, match='unknown precision "int4": choose'):
        quantization_for(official, "int4", None, (), lambda line: None)  # type: ignore[arg-type]


def test_the_command_calibrates_on_its_videos_and_keeps_stdout_for_results(
    rgb_scratch_path: Path,
    cricket_gif: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(precision, "CLIP_FRAMES", FEW_FRAMES)
    monkeypatch.setattr(precision, "CALIBRATION_CLIPS", 7)
    command = ["classify", "-w", rgb_scratch_path, "--precision", "int8", "--json", cricket_gif]
    run = quovadis(*command, QUOVADIS_HOME=str(tmp_path))
    assert run.returncode == 0, run.stderr
    # Nor do libraries write to it.
    assert capfd.readouterr().out == ""
    (result,) = json.loads(run.stdout)["results"]
    assert result["engine"]["precision"] == "int8"
    assert result["top"][0]["label"] == "playing cricket"
    assert "calibrating int8 for rgb-scratch on 7 clips (5, and 2 other views of them)" in run.stderr
    assert "int8 is calibrated on 5 clips of 1 video" in run.stderr
    assert "--calibrate SOURCE" in run.stderr
    assert result["engine"]["calibration"].startswith("5 clips of 1 video, ")
