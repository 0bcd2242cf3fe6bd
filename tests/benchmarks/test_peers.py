"""The benchmark of one clip: a peer's time counts only if its answer is right."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from quovadis.results import softmax

ROOT = Path(__file__).resolve().parents[2]
CLASSES = 400


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("peers")


class FakeProcess:
    """A peer that is `off` by so much in one probability, and counts its runs."""

    off: dict[str, float]
    runs: list[str]

    def __init__(self, name: str, folder: Path, threads: int) -> None:
        self.name = name

    def ask(self) -> dict[str, object]:
        self.runs.append(self.name)
        probabilities = np.full(CLASSES, 1 / CLASSES)
        probabilities[0] += self.off.get(self.name, 0)
        return {"seconds": 1.0, "peak_megabytes": 1.0, "probabilities": probabilities.tolist()}

    def close(self) -> None:
        self.runs.append(f"{self.name} closed")


@pytest.fixture
def process(peers: ModuleType, monkeypatch: pytest.MonkeyPatch) -> type[FakeProcess]:
    monkeypatch.setattr(peers, "_Process", FakeProcess)
    FakeProcess.off, FakeProcess.runs = {}, []
    return FakeProcess


def measure(peers: ModuleType, names: list[str]) -> list[dict[str, object]]:
    return peers.measure(names, Path(), 1, 2, np.full(CLASSES, 1 / CLASSES))


def test_a_wrong_peer_ends_the_benchmark_before_any_time_is_taken(
    peers: ModuleType, process: type[FakeProcess]
) -> None:
    process.off = {"onnxruntime": 0.17}
    with pytest.raises(SystemExit, match=r"onnxruntime, f32 gives a wrong answer.*0\.17.*1e-05 is allowed"):
        measure(peers, ["openvino", "onnxruntime", "torch"])
    assert process.runs == ["openvino", "onnxruntime", "openvino closed", "onnxruntime closed"]


def test_int8_may_differ_by_more_but_not_by_any_amount(peers: ModuleType, process: type[FakeProcess]) -> None:
    process.off = {"ours-int8": 0.01, "openvino-nncf": -0.04}
    found = measure(peers, ["openvino", "ours-int8", "openvino-nncf"])
    assert [row["probability_difference"] for row in found] == pytest.approx([0, 0.01, 0.04])
    process.off["ours-int8"] = 0.06
    with pytest.raises(SystemExit, match="quovadis, int8 gives a wrong answer"):
        measure(peers, ["openvino", "ours-int8"])


@pytest.mark.parametrize("answer", [np.full(CLASSES, np.nan), np.full(12, 1 / 12)])
def test_an_answer_that_is_no_probabilities_is_refused(peers: ModuleType, answer: NDArray[np.float64]) -> None:
    with pytest.raises(SystemExit, match="OpenVINO, f32"):
        peers.require_correct("openvino", answer, np.full(CLASSES, 1 / CLASSES))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ours", "ours-int8"])
def test_our_own_engines_are_set_up_as_the_program_does(
    name: str,
    peers: ModuleType,
    rgb_scratch_path: Path,
    cricket_frames: NDArray[np.uint8],
    assets: Path,
    tmp_path: Path,
) -> None:
    from quovadis.engines.native_library import has_integers, instruction_sets

    if not instruction_sets() or (name == "ours-int8" and not has_integers()):
        pytest.skip(f"{name} does not run on this processor")
    clip = cricket_frames[np.newaxis, :16]
    np.save(tmp_path / peers.CALIBRATION, cricket_frames[np.newaxis, 32:48])
    expected = softmax(np.load(assets / "oracle" / "cricket_T16_rgb_scratch.npz")["logits"])
    found = peers.probabilities_of(peers.PEERS[name].setup(tmp_path, 1)(clip))
    assert peers.require_correct(name, found, expected) <= peers.PEERS[name].tolerance


@pytest.mark.slow
def test_onnxruntime_gets_the_pixels_that_its_graph_takes(
    peers: ModuleType,
    rgb_scratch_path: Path,
    cricket_frames: NDArray[np.uint8],
    assets: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from quovadis import convert

    clip = cricket_frames[np.newaxis, :16]
    np.save(tmp_path / peers.CLIP, clip)
    convert("rgb-scratch", tmp_path / peers.ONNX, to="onnx", verify=False)
    expected = softmax(np.load(assets / "oracle" / "cricket_T16_rgb_scratch.npz")["logits"])

    def answer() -> NDArray[np.float64]:
        return peers.probabilities_of(peers.PEERS["onnxruntime"].setup(tmp_path, 2)(clip))

    assert peers.require_correct("onnxruntime", answer(), expected) < 1e-5
    # With -1..1 in their place the answer is another one, and the benchmark would say so.
    np.save(tmp_path / peers.CLIP, (clip / 127.5 - 1).astype(np.float32))
    with pytest.raises(SystemExit, match="wrong answer"):
        peers.require_correct("onnxruntime", answer(), expected)


def text_of(page: str) -> str:
    return " ".join((ROOT / page).read_text("utf-8").split())


MEASURED = {
    name: json.loads((ROOT / "docs" / name).read_text("utf-8")) for name in ("performance.json", "performance-amx.json")
}


@pytest.mark.parametrize("page", ["README.md", "docs/performance.md"])
def test_a_ratio_to_openvino_names_its_instruction_set_and_processor(page: str) -> None:
    text = text_of(page)
    for name, processor in (("performance.json", "AMD EPYC"), ("performance-amx.json", "Intel(R) Xeon")):
        assert processor in MEASURED[name]["measured"]["single_clip"]["machine"]["processor"]
        ratio = {row["name"]: f"{row['of_openvino']:.2f}" for row in MEASURED[name]["single_clip"]}
        assert f"{ratio['ours']} of OpenVINO's time" in text
        assert f"{ratio['ours-avx2']} with AVX2" in text
    assert "AMD EPYC" in text
    assert "Intel" in text
    assert "half of OpenVINO's time" not in text


@pytest.mark.parametrize("name", MEASURED)
def test_every_figure_names_its_machine_and_every_answer_was_right(name: str, peers: ModuleType) -> None:
    found = MEASURED[name]
    parts = {"single_clip", "dense", "overlap", "commands", "int8_agreement"} & set(found)
    assert set(found["measured"]) == parts
    for part in found["measured"].values():
        assert {"processor", "threads", "system", "versions"} <= set(part["machine"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", part["date"])
    for row in found["single_clip"]:
        assert row["probability_difference"] <= peers.PEERS[row["name"]].tolerance, row["name"]


def test_the_pages_state_one_distance_from_deepminds_graph() -> None:
    pages = ("README.md", "docs/performance.md", "docs/model-card.md", "docs/results.md", "docs/fvd.md")
    for page in pages:
        text = text_of(page)
        assert "5.7e-5" in text, page
        stated = re.findall(r"DeepMind's graph (?:by|differ by) (?:at most|less than) ([\d.e-]*\d)", text)
        assert set(stated) <= {"5.7e-5"}, page
    for page in ("README.md", "docs/performance.md", "docs/model-card.md"):
        assert "`python benchmarks/accuracy.py`" in text_of(page), page
