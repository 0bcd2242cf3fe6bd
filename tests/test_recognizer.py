"""The public object on real clips: what a user's three lines give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import quovadis
from quovadis import (
    ArchitectureError,
    CentreClip,
    ClipPrediction,
    LabelsError,
    Recognizer,
    Sampling,
    SlidingWindows,
    TimeSpan,
    VideoError,
    VideoPrediction,
)
from quovadis.video.decoder import Decoder
from support.fake_engine import ColourEngine, recognizer
from support.synthetic import ORIENTATIONS, as_stored, set_display_matrix, write_video


@pytest.fixture(scope="module")
def model(rgb_scratch_path: Path) -> Recognizer:
    return quovadis.load("rgb-scratch", threads=2)


@pytest.fixture
def fake() -> Recognizer:
    """For what is the same whatever a network says."""
    return recognizer()


@pytest.fixture(scope="module")
def cricket(model: Recognizer, cricket_gif: Path) -> VideoPrediction:
    return model.classify(cricket_gif)


def test_the_original_sample_is_playing_cricket_as_the_original_graph_says(
    cricket: VideoPrediction, assets: Path
) -> None:
    result = cricket
    oracle = np.load(assets / "oracle" / "cricket_rgb_scratch.npz")
    (clip,) = result.clips
    np.testing.assert_allclose(clip.logits, oracle["logits"], rtol=0, atol=1e-3)
    np.testing.assert_allclose(result.probabilities, oracle["softmax"], rtol=0, atol=1e-5)
    best = result.top(1)[0]
    assert best.label == "playing cricket"
    assert best.probability >= 0.98
    assert (clip.start_seconds, clip.end_seconds, clip.frames, clip.looped) == (0.0, pytest.approx(3.16), 79, False)


@pytest.mark.parametrize(
    ("name", "label", "probability"),
    [
        ("arm_wrestling.mp4", "arm wrestling", 0.95),
        ("archery.avi", "archery", 0.9),
        ("clean_and_jerk.mp4", "clean and jerk", 0.95),
    ],
)
def test_the_centre_clip_of_a_real_video_shows_its_action(
    model: Recognizer, assets: Path, name: str, label: str, probability: float
) -> None:
    result = model.classify(assets / "clips" / name, Sampling(clips=CentreClip()))
    assert len(result.clips) == 1
    best = result.top(1)[0]
    assert best.label == label
    assert best.probability >= probability


def test_the_video_is_the_mean_of_the_softmax_of_its_clips(model: Recognizer, assets: Path) -> None:
    sampling = Sampling(clips=SlidingWindows(stride=10, clip_frames=24), span=TimeSpan(start_seconds=3.2))
    result = model.classify(assets / "clips" / "archery.avi", sampling)
    # 51 of the 131 frames: windows at 0, 10 and 20 hold 24; the 7 frames left join the last one.
    assert [clip.frames for clip in result.clips] == [24, 24, 31]
    assert [clip.start_seconds for clip in result.clips] == pytest.approx([3.2, 3.6, 4.0])
    mean = np.mean([clip.probabilities for clip in result.clips], axis=0)
    np.testing.assert_allclose(result.probabilities, mean, atol=1e-7)
    assert result.clips[-1].end_seconds == pytest.approx(131 / 25)


def test_frames_in_memory_give_what_the_file_gives(
    model: Recognizer, cricket: VideoPrediction, cricket_frames: NDArray[np.uint8]
) -> None:
    from_array = model.classify(cricket_frames)
    np.testing.assert_array_equal(from_array.probabilities, cricket.probabilities)
    assert from_array.source == "<array>"


def test_the_centre_of_an_array_is_its_middle_frames(model: Recognizer, cricket_frames: NDArray[np.uint8]) -> None:
    centre = model.classify(cricket_frames, Sampling(clips=CentreClip(clip_frames=16)))
    middle = model.classify(cricket_frames[31:47], Sampling(clips=SlidingWindows(clip_frames=16)))
    np.testing.assert_array_equal(centre.probabilities, middle.probabilities)


def test_a_video_shorter_than_a_clip_is_looped_and_says_so(fake: Recognizer, assets: Path) -> None:
    result = fake.classify(assets / "clips" / "sign_language_thanks.mkv")
    (clip,) = result.clips
    assert clip.looped
    assert clip.frames < 79
    assert any("looped" in note for note in result.notes)


@pytest.mark.parametrize("frames", [1, 8])
def test_one_and_eight_frames_are_looped_and_say_so(
    fake: Recognizer, cricket_frames: NDArray[np.uint8], frames: int
) -> None:
    result = fake.classify(cricket_frames[:frames])
    assert result.clips[0].frames == frames
    assert any(f"{frames} frame" in note and "looped to 79" in note for note in result.notes)


def test_a_part_of_a_video_can_be_asked_for(fake: Recognizer, assets: Path) -> None:
    result = fake.classify(
        assets / "clips" / "archery.avi", Sampling(span=TimeSpan(start_seconds=1.0, duration_seconds=2.0))
    )
    assert result.clips[0].start_seconds == pytest.approx(1.0)
    assert result.clips[0].frames == 50


def test_every_result_says_which_weights_and_engine_made_it(model: Recognizer, cricket_gif: Path) -> None:
    result = model.classify(
        cricket_gif, Sampling(clips=SlidingWindows(clip_frames=16), span=TimeSpan(duration_seconds=0.64))
    )
    record = result.to_dict(3)
    assert record["weights"]["name"] == "rgb-scratch"
    assert len(record["weights"]["sha256"]) == 64
    assert record["engine"]["engine"] == model.engine.description["engine"] == "native"
    assert len(record["top"]) == len(record["clips"][0]["top"]) == 3
    assert "rgb-scratch" in repr(model)


def test_run_gives_steps_features_and_endpoints(model: Recognizer, cricket_frames: NDArray[np.uint8]) -> None:
    output = model.run(cricket_frames[np.newaxis, :17], ["Mixed_4f"])
    assert output.step_logits.shape == (1, 2, 400)
    assert output.features.shape == (1, 2, 1024)
    assert output.endpoints["Mixed_4f"].shape == (1, 5, 14, 14, 832)


def test_progress_is_reported_clip_by_clip(fake: Recognizer, assets: Path) -> None:
    expected: list[int | None] = []
    seen: list[int] = []
    fake.classify(
        assets / "clips" / "archery.avi",
        Sampling(clips=SlidingWindows(clip_frames=32)),
        on_start=expected.append,
        on_clip=lambda clip: seen.append(clip.index),
    )
    assert expected == [len(seen)]
    assert seen == list(range(len(seen)))


def test_own_class_names_replace_the_400(
    rgb_scratch_path: Path, cricket_frames: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quovadis.recognizer.open_engine", lambda *_, **__: ColourEngine())
    names = [f"class {number}" for number in range(400)]
    (tmp_path / "labels.txt").write_text("\n".join(names))
    for labels in (names, tmp_path / "labels.txt"):
        model = quovadis.load("rgb-scratch", labels=labels)
        best = model.classify(cricket_frames[:16], Sampling(clips=SlidingWindows(clip_frames=16))).top(1)[0]
        assert best.label == f"class {best.index}"
    with pytest.raises(LabelsError, match="399 class names"):
        quovadis.load("rgb-scratch", labels=names[:-1])


@pytest.mark.parametrize(
    "make",
    [
        lambda: SlidingWindows(clip_frames=8),
        lambda: CentreClip(clip_frames=8),
        lambda: SlidingWindows(stride=0),
        lambda: Sampling(fps=0.0),
        lambda: Sampling(fps=float("nan")),
        lambda: Sampling(clips="middle"),  # type: ignore[arg-type]
        lambda: TimeSpan(start_seconds=-1.0),
        lambda: TimeSpan(duration_seconds=0.0),
    ],
)
def test_an_impossible_sampling_is_refused_when_it_is_made(make: Callable[[], object]) -> None:
    with pytest.raises(ArchitectureError):
        make()


def test_a_start_after_the_end_is_an_error_that_names_the_video(fake: Recognizer, assets: Path) -> None:
    with pytest.raises(VideoError, match=r"archery\.avi"):
        fake.classify(assets / "clips" / "archery.avi", Sampling(span=TimeSpan(start_seconds=60)))


def test_an_array_of_the_wrong_kind_is_refused(fake: Recognizer) -> None:
    with pytest.raises(VideoError, match="uint8"):
        fake.classify(np.zeros((79, 224, 224, 3), np.float32))  # type: ignore[arg-type]


def test_the_public_names_are_those_promised() -> None:
    assert all(hasattr(quovadis, name) for name in quovadis.__all__)
    assert quovadis.__all__ == sorted(quovadis.__all__)


def test_all_eight_orientations_of_one_clip_score_alike(
    model: Recognizer, cricket_frames: NDArray[np.uint8], tmp_path: Path
) -> None:
    frames = [np.asarray(Image.fromarray(frame).resize((320, 256))) for frame in cricket_frames[:32]]
    scores = []
    for name, orientation in ORIENTATIONS.items():
        path = tmp_path / f"{name}.mp4"
        stored = [as_stored(frame, orientation) for frame in frames]
        # Full colour and little loss: what differs is then the orientation, not what the codec made of it.
        write_video(path, stored, pixel_format="yuv444p", options={"crf": "4", "preset": "ultrafast"})
        set_display_matrix(path, orientation)
        result = model.classify(path, clip_frames=32)
        scores.append({prediction.label: prediction.probability for prediction in result.top(400)})
    reference = scores[0]
    assert max(reference, key=lambda label: reference[label]) == "playing cricket"
    for score in scores[1:]:
        assert max(abs(score[label] - reference[label]) for label in reference) <= 0.02


@pytest.mark.parametrize("frames", [1, 8])
def test_a_file_of_one_or_eight_frames_is_looped_and_says_so(
    fake: Recognizer, cricket_frames: NDArray[np.uint8], tmp_path: Path, frames: int
) -> None:
    path = write_video(tmp_path / "short.mp4", cricket_frames[:frames])
    result = fake.classify(path)
    assert result.clips[0].frames == frames
    assert any(f"its {frames} frame" in note and "looped to 79" in note for note in result.notes)


def test_a_live_source_that_is_stopped_gives_what_it_has(
    fake: Recognizer, assets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(clip: ClipPrediction) -> None:
        if clip.index == 1:
            raise KeyboardInterrupt

    path = assets / "clips" / "archery.avi"
    with pytest.raises(KeyboardInterrupt):
        fake.classify(path, Sampling(clips=SlidingWindows(clip_frames=16)), on_clip=stop)
    monkeypatch.setattr(Decoder, "live", True)
    result = fake.classify(path, Sampling(clips=SlidingWindows(clip_frames=16)), on_clip=stop)
    assert len(result.clips) == 2
    assert "stopped by the user" in result.notes


def test_a_live_source_has_no_centre(fake: Recognizer, assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Decoder, "live", True)
    with pytest.raises(VideoError, match="no centre"):
        fake.classify(assets / "clips" / "archery.avi", Sampling(clips=CentreClip()))
