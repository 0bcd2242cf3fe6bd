"""Keys of every JSON document that is written are identifiers; what people read stands in the values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quovadis.errors import VideoError
from quovadis.evaluation.comparison import compare
from quovadis.evaluation.predictions import Failure
from quovadis.evaluation.run import RunRecord
from quovadis.evaluation.summary import summarize
from quovadis.export import Conversion
from quovadis.export.conversion import ConvertedModel
from quovadis.export.verification import Difference, Tolerance
from quovadis.features import FeatureOptions
from quovadis.fvd import compare_videos
from quovadis.report.evaluation.documents import comparison_document, report_document, run_document
from quovadis.report.model_card import model_card
from quovadis.report.weights_table import catalogue_records
from quovadis.results import WeightsIdentity
from quovadis.results.records import failure_dict
from quovadis.weights.verify import FileCheck, Verification
from support.fake_engine import CornerEngine, MeanEngine, recognizer
from support.prediction_tables import predictions, scored
from support.video_predictions import video_prediction
from support.video_sets import noise_videos


def keys_of(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        for name, value in document.items():
            yield name
            yield from keys_of(value)
    elif isinstance(document, list | tuple):
        for value in document:
            yield from keys_of(value)


def evaluation(protocol: str) -> dict[str, Any]:
    failures = (Failure("gone", "gone.mp4", 0, "missing", "gone"),)
    given = predictions(scored([[0, 1, 1], [0, 0, 0], [2, 2, 2]]), [0, 0, 0], protocol=protocol, failures=failures)
    return report_document(given, summarize(given))


def comparison() -> dict[str, Any]:
    one = predictions(scored([[0], [1]]), [0, 0], protocol="deepmind")
    other = replace(one, settings={**one.settings, "precision": "int8"})
    return comparison_document(compare(one, other), Path("a"), Path("b"))


def distances() -> dict[str, Any]:
    videos = noise_videos(3)
    return compare_videos(videos, videos, model=recognizer(CornerEngine()), notify=lambda _: None).to_dict()


def conversion() -> dict[str, Any]:
    model = ConvertedModel(Path("i3d.onnx"), "onnx", Difference(1e-6, 1e-7, "onnxruntime 1.20", Tolerance(1e-3, 1e-5)))
    # Of a file that is gone, too.
    return Conversion(WeightsIdentity("rgb-scratch", "0" * 64), (model,), (Path("i3d.onnx"),), (7,)).to_dict()


def verification() -> dict[str, Any]:
    return Verification("a", (FileCheck("a", 1, "0", None),), 230, 1, 400, "0", None, None).to_dict()


def timeline() -> dict[str, Any]:
    result = video_prediction()
    return replace(result, timeline=result.segments()).to_dict()


DOCUMENTS: dict[str, Callable[[], Any]] = {
    "result": timeline,
    "failure": lambda: failure_dict("a.mp4", VideoError("bad")),
    "features": lambda: recognizer(MeanEngine()).features(np.zeros((79, 32, 32, 3), np.uint8)).to_dict(),
    "settings of features": lambda: FeatureOptions().settings(),
    "evaluation of videos": lambda: evaluation("multiview"),
    "evaluation of clips": lambda: evaluation("omz"),
    "run": lambda: run_document(RunRecord(seconds=4.0, videos=2, views=6, earlier=3, workers=2)),
    "comparison": comparison,
    "distances": distances,
    "model card": model_card,
    "official weights": catalogue_records,
    "verification": verification,
    "conversion": conversion,
    "weights": lambda: asdict(WeightsIdentity("rgb-scratch", "0" * 64)),
}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=list(DOCUMENTS))
def test_keys_are_identifiers(document: Callable[[], Any]) -> None:
    found = set(keys_of(document()))
    assert found
    assert [key for key in found if not (key.isidentifier() and key.islower())] == []


def test_figures_of_an_evaluation_are_identified_by_their_names() -> None:
    for protocol in ("deepmind", "omz", "multiview"):
        names = [metric["name"] for metric in evaluation(protocol)["metrics"]]
        assert all(name.isidentifier() and name.islower() for name in names)
        assert len({*names}) == len(names)


def test_published_accuracy_names_its_dataset_in_a_value() -> None:
    assert model_card()["published_accuracy"][0] == {
        "weights": "rgb-imagenet",
        "dataset": "Kinetics-400 validation",
        "top1": 65.96,
        "top5": 86.01,
    }


def test_a_conversion_says_how_large_its_files_were_also_when_they_are_gone() -> None:
    assert conversion()["files"] == [{"path": "i3d.onnx", "size": 7}]
