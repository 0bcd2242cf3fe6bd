"""A trained network, from its file through every format and the engine: it is shown clips as in its training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import quovadis
from quovadis import recognizer
from quovadis.errors import WeightsError
from quovadis.export.formats import FORMATS
from quovadis.training.output import write_weights
from quovadis.weights import InputSpecification, Weights, read_weights
from support.command_line import quovadis as command
from support.conversions import convert_in_process
from support.fake_engine import ColourEngine
from support.opened_engines import open_engines_once
from support.own_classes import with_classes
from support.synthetic import moving_squares, write_video

pytestmark = pytest.mark.slow
"""It computes with the real network."""

TRAINED = InputSpecification(clip_frames=32, fps=12.5, short_side=256, crop_size=224, mean=127.5, scale=127.5)
LABELS = ("wave", "nod", "point")


@pytest.fixture(scope="module")
def best(rgb_scratch_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a training writes."""
    path = tmp_path_factory.mktemp("run") / "best.safetensors"
    write_weights(path, with_classes(read_weights(rgb_scratch_path), 3), LABELS, TRAINED, {"stage": "head"})
    return path


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("video") / "a.mp4", moving_squares(64), rate=25)


@pytest.fixture(scope="module")
def _engines_opened_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        open_engines_once(patch)
        yield


@pytest.mark.usefixtures("_engines_opened_once")
def test_classify_gives_the_logits_of_the_flags_of_the_training(best: Path, video: Path, tmp_path: Path) -> None:
    found = []
    for name, flags in (("told", []), ("asked", ["--fps", "12.5", "--clip-frames", "32"]), ("other", ["--fps", "25"])):
        file = tmp_path / f"{name}.json"
        done = command("classify", video, "-w", best, "-o", file, "-q", "--threads", "1", *flags)
        assert done.returncode == 0, done.stderr
        found.append(file.read_text())
    told, asked, other = found
    assert told == asked != other


def test_a_model_is_the_same_in_another_process_and_in_python(best: Path, video: Path) -> None:
    with quovadis.load(best, threads=1) as model:
        assert model.input == TRAINED
        (clip,) = model.classify(video).clips
        (asked,) = model.classify(video, clip_frames=32, fps=12.5).clips
    assert (clip.frames, clip.end_seconds) == (32, pytest.approx(2.56))
    np.testing.assert_array_equal(clip.logits, asked.logits)


def test_int8_is_calibrated_on_such_clips(best: Path, video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[InputSpecification] = []

    def videos(sources: object, notify: object, specified: InputSpecification) -> None:
        seen.append(specified)
        raise WeightsError("enough is known")

    monkeypatch.setattr("quovadis.precision.calibration_videos", videos)
    with pytest.raises(WeightsError, match="enough is known"):
        quovadis.load(best, precision="int8", calibration=[video])
    assert seen == [TRAINED]


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("tensorflow-graph", "torch-program")])
def test_formats_with_a_place_for_it_keep_it_and_the_others_say_what_to_give(
    name: str, best: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert_in_process(monkeypatch)
    target, told = tmp_path / f"model{(FORMATS[name].suffixes or ('.pth',))[0]}", []
    done = quovadis.convert(best, target, to=name, verify=False, notify=told.append)
    read = read_weights(done.models[0].path)
    assert read.input == (TRAINED if FORMATS[name].holds_labels else InputSpecification())
    notes = [line for line in told if "trained on, clips of 32 frames, 12.5 a second: say so" in line]
    assert len(notes) == (not FORMATS[name].holds_labels)


def test_a_chain_of_conversions_ends_with_what_it_began(
    best: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert_in_process(monkeypatch)
    last = best
    for name in ("a.onnx", "b.xml", "c.safetensors"):
        quovadis.convert(last, tmp_path / name, verify=False)
        last = tmp_path / name
    read: Weights = read_weights(last)
    assert (read.input, read.labels) == (TRAINED, LABELS)


def test_a_graph_of_a_fixed_length_has_the_length_of_the_training(
    best: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    openvino = pytest.importorskip("openvino")
    convert_in_process(monkeypatch)
    for name, frames, length in (("a.xml", None, 32), ("b.xml", 16, 16)):
        quovadis.convert(best, tmp_path / name, verify=False, frames=frames)
        shape = openvino.Core().read_model(tmp_path / name).input("Placeholder").partial_shape
        assert shape.to_shape()[1] == length


def test_files_of_official_weights_say_nothing(rgb_scratch_path: Path, tmp_path: Path) -> None:
    assert read_weights(rgb_scratch_path).input == InputSpecification()


def test_a_file_that_lies_is_one_line(best: Path, video: Path, tmp_path: Path) -> None:
    content, path = best.read_bytes(), tmp_path / "hostile.safetensors"
    size = 8 + int.from_bytes(content[:8], "little")
    assert content[:size].count(b'\\"clip_frames\\": 32') == 1
    path.write_bytes(content[:size].replace(b'\\"clip_frames\\": 32', b'\\"clip_frames\\": -2') + content[size:])
    done = command("classify", video, "-w", path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f'{path}: what its metadata say under "input" cannot be: clip_frames must be from 9 to 1024' in done.stderr


def test_another_size_of_frames_is_warned_of(
    rgb_scratch_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recognizer, "open_engine", lambda *_, **__: ColourEngine())
    path, told = tmp_path / "small.safetensors", []
    specified = InputSpecification(short_side=240, crop_size=200)
    write_weights(path, with_classes(read_weights(rgb_scratch_path), 3), LABELS, specified, {})
    quovadis.load(path, threads=1, notify=told.append).close()
    assert [line for line in told if line.startswith(f"warning: {path}: trained on 200x200 pixels")]
