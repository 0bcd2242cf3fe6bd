"""A model can be closed, and pickled for another process."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import quovadis
from quovadis import EngineError, ModelOptions, Recognizer
from quovadis.weights import Weights, load_weights
from support.fake_engine import ColourEngine, recognizer

FRAMES = np.zeros((9, 224, 224, 3), np.uint8)


def test_a_model_is_closed_at_the_end_of_a_with_and_closing_twice_does_nothing() -> None:
    with recognizer(ColourEngine()) as model:
        assert model.classify(FRAMES).clips
    model.close()
    with pytest.raises(EngineError, match="closed"):
        model.classify(FRAMES)


def test_a_model_made_by_hand_says_why_it_cannot_be_pickled() -> None:
    with pytest.raises(TypeError, match="cannot be pickled, since its weights were in memory: write them to a file"):
        pickle.dumps(recognizer())


@pytest.fixture
def fake_loading(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Loads a fake engine; what weights were asked for is noted, and the last of them have their own SHA-256."""
    asked: list[object] = []
    zeros = {"RGB/inception_i3d/Logits/Conv3d_0c_1x1/conv_3d/b": np.zeros(400, np.float32)}

    def load(weights: object, **options: object) -> Weights:
        asked.append(weights)
        name = "rgb-scratch" if weights == "auto" else Path(str(weights)).name
        return Weights(zeros, name, "b" * 64 if "other" in name else "a" * 64, Path(name))

    monkeypatch.setattr("quovadis.recognizer.load_weights", load)
    monkeypatch.setattr("quovadis.recognizer.open_engine", lambda tensors, **options: ColourEngine())
    return asked


def test_a_model_is_pickled_by_what_makes_it_again_anywhere(
    fake_loading: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = [f"action {number}" for number in range(400)]
    for given in ("auto", "rgb-scratch", "own.ckpt", Path("own.ckpt")):
        model = quovadis.load(given, labels=names)
        monkeypatch.chdir("/")
        again = pickle.loads(pickle.dumps(model))
        monkeypatch.chdir(tmp_path)
        assert isinstance(again, Recognizer)
        assert (again.weights, again.labels, again.options) == (model.weights, tuple(names), model.options)
        assert again.engine is not model.engine
    # Weights that `auto` would choose may be others there.
    assert fake_loading[1] == "rgb-scratch"
    assert fake_loading[-1] == tmp_path / "own.ckpt"
    assert copy.deepcopy(model).weights == model.weights


def test_a_model_whose_weights_have_changed_is_not_loaded_again(fake_loading: list[object]) -> None:
    model = quovadis.load("rgb-scratch")
    assert model.options is not None
    model.options = replace(model.options, weights="other.ckpt")
    with pytest.raises(EngineError, match=r"other\.ckpt: not what was pickled: weights_sha256 is b+ here, and was a+"):
        pickle.loads(pickle.dumps(model))


def test_weights_in_memory_are_not_pickled(fake_loading: list[object]) -> None:
    loaded = Weights({"RGB/inception_i3d/Logits/Conv3d_0c_1x1/conv_3d/b": np.zeros(400)}, "own", "a" * 64, Path("own"))
    with pytest.raises(TypeError, match="in memory"):
        pickle.dumps(quovadis.load("rgb-scratch", loaded=loaded))


def label(model: Recognizer, frames: np.ndarray) -> tuple[str, float]:
    best = model.classify(frames, clip_frames=9).top(1)[0]
    return best.label, best.probability


@pytest.mark.slow
def test_a_pool_of_spawned_processes_takes_a_model(rgb_scratch_path: Path) -> None:
    model = quovadis.load(ModelOptions("rgb-scratch", threads=1))
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(label, model, FRAMES).result() == label(model, FRAMES)
    assert load_weights("rgb-scratch").sha256 == model.weights.sha256
