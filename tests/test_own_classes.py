"""Weights of other classes than Kinetics-400's, through every command and every format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from typer.testing import CliRunner

import quovadis
from quovadis import recognizer
from quovadis.cli.main import app
from quovadis.engines import open_engine
from quovadis.engines.quantization import Quantization, quantized_scopes
from quovadis.errors import LabelsError, OutputError
from quovadis.export import worker
from quovadis.export.formats import FORMATS
from quovadis.labels import class_set
from quovadis.torch import I3D, normalize
from quovadis.weights import read_weights
from quovadis.weights.model import make_weights
from support.conversions import UNFOLDED, convert_in_process
from support.fake_engine import ColourEngine
from support.own_classes import with_classes, write_kinetics600
from support.synthetic import write_video

pytestmark = pytest.mark.slow
"""It starts processes, or takes long."""

OWN = ("to wave", "to_nod", 'to say "no"', "schütteln", *(f"sign {number}" for number in range(8)))
"""Names that have every difficulty: a space, an underscore, quotes, letters beyond ASCII."""
READ_BACK = [name for name in FORMATS if name != "torch-program"]
SIX_HUNDRED = {"tensorflow-checkpoint", "tensorflow-graph", "onnx", "hassony2"}


@dataclass(frozen=True)
class OwnFile:
    """A file of weights, and what PyTorch makes of it."""

    path: Path
    labels: tuple[str, ...]
    logits: NDArray[np.float32]

    @property
    def best(self) -> str:
        return self.labels[int(self.logits.argmax())]


@pytest.fixture(scope="module")
def clips(cricket_frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return cricket_frames[np.newaxis, :9]


@pytest.fixture(scope="module")
def twelve(rgb_scratch_path: Path, clips: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> OwnFile:
    """What a training in PyTorch saves, its class names beside it."""
    torch.manual_seed(0)
    model = I3D.from_pretrained(rgb_scratch_path, num_classes=12).eval()
    path = tmp_path_factory.mktemp("twelve") / "tuned.pt"
    torch.save(model.state_dict(), path)
    path.with_name("labels.txt").write_text("".join(f"{name}\n" for name in OWN), encoding="utf-8")
    return OwnFile(path, OWN, run(model, clips))


@pytest.fixture(scope="module")
def six_hundred(rgb_scratch_path: Path, clips: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> OwnFile:
    """A checkpoint in the form of DeepMind's for Kinetics-600."""
    tensors = with_classes(read_weights(rgb_scratch_path), 600)
    prefix = write_kinetics600(tensors, tmp_path_factory.mktemp("six hundred") / "model.ckpt")
    labels = class_set("kinetics600")
    prefix.with_name("labels.txt").write_text("".join(f"{name}\n" for name in labels))
    model = I3D.from_pretrained(make_weights(tensors, prefix, "model.ckpt")).eval()
    return OwnFile(prefix, labels, run(model, clips))


@pytest.fixture(params=["twelve", "six_hundred"])
def own(request: pytest.FixtureRequest) -> OwnFile:
    file: OwnFile = request.getfixturevalue(request.param)
    return file


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    convert_in_process(monkeypatch)


def run(model: I3D, clips: NDArray[np.uint8]) -> NDArray[np.float32]:
    with torch.inference_mode():
        logits: NDArray[np.float32] = model(normalize(torch.tensor(clips)))[0].numpy()
    return logits


@pytest.fixture
def without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said of class names, no network needs to be opened for."""
    monkeypatch.setattr(recognizer, "open_engine", lambda *_, **__: ColourEngine())


def test_a_file_is_classified_with_its_own_names(own: OwnFile, clips: NDArray[np.uint8]) -> None:
    model = quovadis.load(own.path, engine="native")
    assert model.labels == own.labels
    output = model.run(clips)
    np.testing.assert_allclose(output.logits[0], own.logits, atol=1e-3)
    sampling = quovadis.Sampling(clips=quovadis.SlidingWindows(clip_frames=9))
    found = model.classify(clips[0], sampling)
    assert found.top(1)[0].label == own.best
    assert len(found.top(700)) == len(own.labels)
    features = model.features(clips[0], quovadis.FeatureOptions(sampling=sampling))
    np.testing.assert_allclose(features.values[0], output.features[0].mean(0), atol=1e-4)


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(
    ("head", "name"),
    [
        # Six hundred in TensorFlow's forms and in one that folds; `make soak` has both heads in every format.
        pytest.param(head, name, marks=() if (head == "six_hundred") == (name in SIX_HUNDRED) else pytest.mark.soak)
        for head in ("twelve", "six_hundred")
        for name in READ_BACK
    ],
)
def test_every_format_keeps_classes_names_and_logits(
    head: str, name: str, clips: NDArray[np.uint8], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    own: OwnFile = request.getfixturevalue(head)
    suffix = (FORMATS[name].suffixes or (".pth",))[0]
    done = quovadis.convert(own.path, tmp_path / f"model{suffix}", to=name, verify=False)
    (model,) = done.models
    read = read_weights(model.path)
    assert read.num_classes == len(own.labels)
    assert read.labels == own.labels
    assert (tmp_path / "labels.txt" in done.files) == (not FORMATS[name].holds_labels)
    if name in UNFOLDED:
        # The same bits, of which another test computes the logits.
        before = read_weights(own.path).tensors
        assert read.tensors.keys() == before.keys()
        assert all(tensor.tobytes() == before[key].tobytes() for key, tensor in read.tensors.items())
    else:
        logits = open_engine(read.tensors, name="openvino").run(clips).logits[0]
        np.testing.assert_allclose(logits, own.logits, atol=1e-3)


@pytest.mark.usefixtures("in_process")
def test_a_program_has_the_classes_and_its_names_beside_it(
    twelve: OwnFile, clips: NDArray[np.uint8], tmp_path: Path
) -> None:
    quovadis.convert(twelve.path, tmp_path / "model.pt2", verify=False, batch=1, frames=9)
    program: Any = torch.export.load(tmp_path / "model.pt2").module()
    np.testing.assert_allclose(run(program, clips), twelve.logits, atol=1e-3)
    assert tuple((tmp_path / "labels.txt").read_text(encoding="utf-8").splitlines()) == OWN


@pytest.mark.usefixtures("in_process")
def test_servers_are_told_the_number_of_classes(twelve: OwnFile, tmp_path: Path) -> None:
    quovadis.convert(twelve.path, tmp_path, to="triton", verify=False)
    assert "dims: [12] label_filename" in (tmp_path / "i3d-rgb" / "config.pbtxt").read_text()
    assert tuple((tmp_path / "i3d-rgb" / "labels.txt").read_text(encoding="utf-8").splitlines()) == OWN


@pytest.mark.usefixtures("in_process")
def test_a_conversion_is_verified_and_takes_other_names(
    twelve: OwnFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "clip_shapes", lambda options: [(1, 9)])
    names = [f"sign {number}" for number in range(12)]
    done = quovadis.convert(twelve.path, tmp_path / "a.safetensors", labels=names)
    assert done.models[0].difference is not None
    assert done.models[0].difference.ok
    assert read_weights(tmp_path / "a.safetensors").labels == tuple(names)
    with pytest.raises(LabelsError, match="11 class names, but the network has 12"):
        quovadis.convert(twelve.path, tmp_path / "b.safetensors", labels=names[:-1])


@pytest.mark.usefixtures("in_process")
def test_names_beside_another_model_are_not_replaced(twelve: OwnFile, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("others\n")
    with pytest.raises(OutputError, match=r"labels\.txt: is there already"):
        quovadis.convert(twelve.path, tmp_path / "a.pt", verify=False)
    assert [path.name for path in tmp_path.iterdir()] == ["labels.txt"]
    (tmp_path / "labels.txt").write_bytes(twelve.path.with_name("labels.txt").read_bytes())
    done = quovadis.convert(twelve.path, tmp_path / "a.pt", verify=False)
    assert done.files == (tmp_path / "a.pt",)


@pytest.mark.parametrize("head", ["twelve", pytest.param("six_hundred", marks=pytest.mark.soak)])
def test_an_evaluation_knows_the_names_of_the_file(head: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    own: OwnFile = request.getfixturevalue(head)
    pytest.importorskip("pyarrow")
    frames = (np.full((48, 64, 3), 20 + 9 * number, np.uint8) for number in range(10))
    write_video(tmp_path / "a.mp4", frames)
    (tmp_path / "list.tsv").write_text(f"a.mp4\t{own.labels[1]}\n", encoding="utf-8")
    command = ["evaluate", tmp_path / "list.tsv", "--protocol", "multiview", "--clips", 1, "--crops", 1]
    options = ["--weights", own.path, "--output", tmp_path / "out", "--json", "--quiet"]
    result = CliRunner().invoke(app, [str(part) for part in (*command, *options)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    from quovadis.evaluation.parquet import read_predictions

    predictions = read_predictions(tmp_path / "out" / "predictions.parquet")
    assert predictions.labels == own.labels
    assert predictions.truth.tolist() == [1]
    assert predictions.logits.shape == (1, len(own.labels))


@pytest.mark.parametrize("count", [1, pytest.param(101, marks=pytest.mark.soak)])
def test_a_head_of_any_size_is_run(count: int, rgb_scratch_path: Path, clips: NDArray[np.uint8]) -> None:
    weights = make_weights(with_classes(read_weights(rgb_scratch_path), count), Path("own.pt"), "own")
    assert weights.num_classes == count
    expected = run(I3D.from_pretrained(weights).eval(), clips)
    output = open_engine(weights.tensors, name="native").run(clips)
    assert output.logits.shape == (1, count)
    np.testing.assert_allclose(output.logits[0], expected, atol=1e-3)


def test_every_engine_runs_and_streams_twelve_classes(twelve: OwnFile, cricket_frames: NDArray[np.uint8]) -> None:
    tensors, clips = read_weights(twelve.path).tensors, cricket_frames[np.newaxis, :9]
    streamed = []
    for name in ("native", "openvino", "torch"):
        engine = open_engine(tensors, name=name)
        np.testing.assert_allclose(engine.run(clips).logits[0], twelve.logits, atol=1e-3)
        if name != "torch":
            streamed.append(engine.open_stream().push(cricket_frames[:63]).step_logits)
    assert streamed[0].shape[1] == 12
    np.testing.assert_allclose(streamed[0], streamed[1], atol=1e-3)


def test_integers_run_twelve_classes(twelve: OwnFile, clips: NDArray[np.uint8]) -> None:
    tensors = read_weights(twelve.path).tensors
    betas = {scope: tensors[f"RGB/inception_i3d/{scope}/batch_norm/beta"] for scope in quantized_scopes()}
    scales = {scope: np.ones_like(beta) for scope, beta in betas.items()}
    quantization = Quantization(dict.fromkeys(scales, 8.0), scales)
    output = open_engine(tensors, quantization=quantization).run(clips)
    assert output.logits.shape == (1, 12)


@pytest.mark.usefixtures("without_network")
def test_unknown_names_are_numbers_and_it_is_said(twelve: OwnFile, tmp_path: Path) -> None:
    path = tmp_path / "tuned.pt"
    path.write_bytes(twelve.path.read_bytes())
    notices: list[str] = []
    model = quovadis.load(path, engine="native", notify=notices.append)
    assert model.labels == tuple(f"class {number}" for number in range(12))
    (notice,) = notices
    assert str(path) in notice
    assert "labels.txt" in notice
    assert quovadis.load(path, engine="native", labels=OWN, notify=notices.append).labels == OWN
    assert len(notices) == 1


@pytest.mark.usefixtures("without_network")
def test_names_that_do_not_fit_are_refused_by_their_file(twelve: OwnFile, tmp_path: Path) -> None:
    path = tmp_path / "tuned.pt"
    path.write_bytes(twelve.path.read_bytes())
    (tmp_path / "labels.txt").write_text("one\ntwo\n")
    with pytest.raises(LabelsError, match=r"labels\.txt: 2 class names, but the network has 12 classes"):
        quovadis.load(path, engine="native")
    assert quovadis.load(path, engine="native", labels=OWN).labels == OWN


@pytest.mark.usefixtures("without_network")
def test_features_need_no_names(twelve: OwnFile, tmp_path: Path) -> None:
    path = tmp_path / "tuned.pt"
    path.write_bytes(twelve.path.read_bytes())
    path.with_name("labels.txt").write_text("wrong\n", encoding="utf-8")
    notes: list[str] = []
    model = quovadis.load(path, needs_labels=False, threads=1, notify=notes.append)
    assert (len(model.labels), notes) == (12, [])
