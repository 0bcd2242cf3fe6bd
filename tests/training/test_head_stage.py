"""The stage `head`: features once, then a logistic regression that is solved exactly."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from quovadis.architecture import variable_shapes
from quovadis.datasets import Example
from quovadis.errors import VideoError
from quovadis.training.head_features import HeadFeatures, head_features
from quovadis.training.head_stage import DEFAULT_PENALTY, train_head
from quovadis.weights.model import make_weights
from support.fake_engine import FakeEngine, recognizer
from support.training import options


class MeanEngine(FakeEngine):
    """Its features are the clip's mean colour, in the first channels."""

    def answer(self, clip: NDArray[Any], steps: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        features = np.zeros((steps, 1024), np.float32)
        features[:, :3] = clip.mean((0, 1, 2))
        return np.zeros((steps, 400), np.float32), features


class Clip(NamedTuple):
    clip: NDArray[np.uint8]


@dataclass
class Colours:
    """Clips of one colour each, some of which cannot be read."""

    folder: Path
    count: int = 6
    unreadable: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for index in range(self.count):
            (self.folder / f"{index}.mp4").write_text(f"video {index}")

    @property
    def examples(self) -> tuple[Example, ...]:
        return tuple(Example(f"{index}", index % 2, self.folder / f"{index}.mp4") for index in range(self.count))

    @property
    def targets(self) -> NDArray[np.int64]:
        return np.arange(self.count) % 2

    def clip(self, epoch: int, index: int) -> Clip:
        if index in self.unreadable:
            raise VideoError(f"{index}.mp4: cannot be read")
        return Clip(np.full((16, 224, 224, 3), 20 * index + epoch, np.uint8))


def separable(videos: int = 30, *, seed: int = 0, classes: int = 3, views: int = 2) -> HeadFeatures:
    """Features of classes that overlap a little."""
    generator = np.random.default_rng(seed)
    targets = np.arange(videos) % classes
    centres = np.random.default_rng(99).normal(size=(classes, 1024))
    values = centres[targets][:, None] * 0.08 + generator.normal(size=(videos, views, 1024))
    return HeadFeatures(tuple(f"v{n}" for n in range(videos)), values.astype(np.float32), targets, {})


def test_features_are_computed_once(tmp_path: Path) -> None:
    engine = MeanEngine()
    (tmp_path / "videos").mkdir()
    clips = Colours(tmp_path / "videos")
    found = head_features(recognizer(engine), clips, tmp_path, views=2, settings={"frames": 16})
    assert found.values.shape == (6, 2, 1024)
    assert found.values[:, :, 0].tolist() == [[20 * index, 20 * index + 1] for index in range(6)]
    assert len(engine.shapes) == 12
    again = head_features(recognizer(engine), clips, tmp_path, views=2, settings={"frames": 16})
    assert np.array_equal(again.values, found.values)
    assert len(engine.shapes) == 12
    # A video that has changed, and other clips, are computed again.
    (tmp_path / "videos" / "3.mp4").write_text("another video")
    head_features(recognizer(engine), clips, tmp_path, views=2, settings={"frames": 16})
    assert len(engine.shapes) == 14
    head_features(recognizer(engine), clips, tmp_path, views=1, settings={"frames": 16})
    assert len(engine.shapes) == 20


def test_an_interrupted_run_goes_on_with_what_it_has(tmp_path: Path) -> None:
    engine = MeanEngine()
    clips = Colours(tmp_path)
    whole = clips.clip

    def clip(epoch: int, index: int) -> Clip:
        if index == 4:
            raise KeyboardInterrupt
        return whole(epoch, index)

    clips.clip = clip  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        head_features(recognizer(engine), clips, tmp_path, views=1, settings={})
    clips.clip = whole  # type: ignore[method-assign]
    head_features(recognizer(engine), clips, tmp_path, views=1, settings={})
    assert len(engine.shapes) == 6


def test_features_that_were_damaged_on_disk_are_computed_again(tmp_path: Path) -> None:
    engine, clips = MeanEngine(), Colours(tmp_path)
    found = head_features(recognizer(engine), clips, tmp_path, views=1, settings={})
    (path,) = tmp_path.glob("features-*.sqlite")
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], b"no database" * 1000):
        path.write_bytes(damaged)
        engine.shapes.clear()
        again = head_features(recognizer(engine), clips, tmp_path, views=1, settings={})
        assert np.array_equal(again.values, found.values)
        assert len(engine.shapes) == 6


def test_videos_that_cannot_be_read_are_left_out_and_told(tmp_path: Path) -> None:
    told: dict[str, VideoError] = {}
    clips = Colours(tmp_path, unreadable=(1, 4))
    found = head_features(recognizer(MeanEngine()), clips, tmp_path, views=1, settings={}, on_failure=told.__setitem__)
    assert found.keys == ("0", "2", "3", "5")
    assert found.targets.tolist() == [0, 0, 1, 1]
    assert found.failures == {"1": "1.mp4: cannot be read", "4": "4.mp4: cannot be read"}
    assert {key: str(error) for key, error in told.items()} == found.failures
    clips.unreadable = tuple(range(6))
    with pytest.raises(VideoError, match=r"none of 6 videos could be read; the first: 0\.mp4"):
        head_features(recognizer(MeanEngine()), clips, tmp_path, views=2, settings={})


def test_the_layer_is_that_of_logistic_regression() -> None:
    part = separable()
    head = train_head(part, None, 3, options())
    values = part.values.reshape(-1, 1024).astype(np.float64)
    mean, deviation = values.mean(0), values.std(0)
    theirs = LogisticRegression(C=1 / (DEFAULT_PENALTY * len(values)), tol=1e-10, max_iter=2000)
    theirs.fit((values - mean) / deviation, part.targets.repeat(2))
    expected = theirs.predict_proba((values - mean) / deviation)
    logits = head.logits(part.values).reshape(-1, 3)
    found = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_the_penalty_is_chosen_on_the_validation_part() -> None:
    tried = {}
    head = train_head(
        separable(60),
        separable(60, seed=1),
        3,
        options(),
        on_penalty=lambda penalty, found: tried.update({penalty: found}),
    )
    assert head.evaluation is tried[head.penalty]
    assert head.evaluation is not None
    assert head.evaluation.score == max(found.score for found in tried.values()) > 0.7
    assert {"clip_top1", "video_top1"} <= head.evaluation.figures.keys()
    assert head.evaluation.figures["video_top1"] >= head.evaluation.figures["clip_top1"]


@pytest.mark.parametrize("balance", ["sampler", "weights"])
def test_a_rare_class_can_be_weighted(balance: str) -> None:
    # One feature, of which the classes' values overlap, and ten times as many videos of one class.
    generator = np.random.default_rng(0)
    targets = np.array([0] * 200 + [1] * 20)
    values = generator.normal(size=(220, 1, 1)) + 1.5 * targets[:, None, None]
    part = HeadFeatures(tuple(map(str, range(220))), values.astype(np.float32), targets, {})

    def recall(**settings: Any) -> float:
        found = train_head(part, None, 2, options(**settings)).logits(part.values[:, 0]).argmax(1)
        return float((found[targets == 1] == 1).mean())

    assert recall(balance=balance) > recall() + 0.2


def test_several_classes_a_video_have_a_logit_each() -> None:
    part = separable(60)
    several = np.zeros((60, 3), np.float32)
    several[np.arange(60), part.targets] = 1
    several[:, 2] = np.arange(60) % 2
    both = HeadFeatures(part.keys, part.values, several, {})
    head = train_head(both, both, 3, options(loss="sigmoid"))
    assert head.evaluation is not None
    assert head.evaluation.figures["video_map"] > 0.95


def test_the_layer_goes_onto_the_backbone(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    tensors = {name: generator.normal(size=shape).astype(np.float32) for name, shape in variable_shapes(7).items()}
    backbone = make_weights(tensors, tmp_path / "w", "w")
    head = train_head(separable(9), None, 3, options())
    made = head.put_on(backbone, ("a", "b", "c"), tmp_path / "best.safetensors")
    assert made.num_classes == 3
    assert made.labels == ("a", "b", "c")
    changed = [name for name in tensors if not np.array_equal(tensors[name], made.tensors[name])]
    assert [name.rpartition("/")[2] for name in changed] == ["b", "w"]
    assert np.array_equal(made.tensors[changed[1]][0, 0, 0], head.weights)
