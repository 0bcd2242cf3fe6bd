"""The one table of results: whoever wrote it, one reader reads it back, and refuses all else."""

from __future__ import annotations

import json
import sys
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.dataset
import pyarrow.parquet
import pytest
from numpy.typing import NDArray

from quovadis.errors import DatasetError, MissingDependencyError, OutputError, VideoError
from quovadis.evaluation.parquet import read_predictions, write_predictions
from quovadis.evaluation.predictions import Failure, PartialVideo, Predictions
from quovadis.features import FeatureOptions, FeatureRow
from quovadis.features.extract import extract_features
from quovadis.features.formats import Provenance, feature_writer
from quovadis.report.output import ResultOutput
from quovadis.results import ClipPrediction, VideoPrediction, WeightsIdentity
from quovadis.results.table import ResultRow, ResultTable, TableWriter, engine_text, read_table
from quovadis.video import Dense, Sampling
from support.fake_engine import MeanEngine, recognizer
from support.numbered_frames import write_gray

COLUMNS = [
    *("key", "path", "start_seconds", "end_seconds", "clip", "crop", "logits", "features", "weights_sha256", "engine"),
]
ENGINE = {"engine": "native", "version": "0.1.0", "device": "CPU (avx512)", "precision": "f32"}
LABELS = ("a", "b", "c")


def random(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng([*shape]).standard_normal(shape, np.float32)


def row(number: int = 0, **changed: Any) -> ResultRow:
    values: dict[str, Any] = {
        "key": "/videos/a.mp4",
        "path": "a.mp4",
        "start_seconds": 3.16 * number,
        "end_seconds": 3.16 * (number + 1),
        "clip": number,
        "weights_sha256": "ab" * 32,
        "engine": engine_text(ENGINE),
    }
    return ResultRow(**{**values, **changed})


def write(path: Path, rows: list[ResultRow], metadata: dict[str, Any] | None = None, **more: Any) -> Path:
    writer = TableWriter(path, **more)
    writer.append(rows)
    writer.finish(metadata or {})
    return path


# --- round trips ------------------------------------------------------------------------------------------------------


def write_classified(path: Path) -> VideoPrediction:
    logits, features = random(2, 3), random(2, 8)
    video = VideoPrediction(
        source="videos/\udcff.mp4",
        clips=tuple(
            ClipPrediction(
                index=i,
                start_seconds=i * 3.16,
                end_seconds=i * 3.16 + 3.16,
                frames=79,
                looped=False,
                logits=logits[i],
                features=features[i],
                labels=LABELS,
            )
            for i in range(2)
        ),
        weights=WeightsIdentity("mean", "ab" * 32),
        engine=ENGINE,
        incomplete=True,
        notes=("cut off",),
        labels=LABELS,
    )
    with ResultOutput(
        output=path,
        plot=None,
        top=1,
        several=True,
        notify=lambda line: None,
        settings=lambda: {"clip": "all", "fps": 25},
    ) as output:
        output._shows_table = False
        output.result(video)
        output.failure("bad.mp4", VideoError("bad.mp4: empty"))
    return video


def write_evaluated(path: Path) -> Predictions:
    predictions = Predictions(
        settings={"protocol": "multiview", "fps": 25, "clip_frames": 79, "weights_sha256": "ab" * 32, **ENGINE},
        dataset={"source": "k400.csv", "examples": 3},
        labels=LABELS,
        keys=("one", "two"),
        paths=("v/one.mp4", "v/two.mp4"),
        truth=np.array([2, 0]),
        frames=np.array([250, 40]),
        video=np.array([0, 0, 1]),
        clip=np.array([0, 1, 0]),
        crop=np.array([2, 2, 2]),
        start_frame=np.array([0, 171, 0]),
        logits=random(3, 3),
        failures=(Failure("three", "", 1, "missing", "no such file"),),
        incomplete=(PartialVideo("two", "v/two.mp4", ("cut off",)),),
    )
    write_predictions(predictions, path)
    return predictions


def write_features(path: Path) -> list[FeatureRow]:
    rows = [FeatureRow(i * 1.0, i + 2.0, random(3, i + 1, 4)[:, 0]) for i in range(3)]
    provenance = Provenance("/videos/a.mp4", "a.mp4", {"endpoint": "Mixed_5c", "weights_sha256": "ab" * 32, **ENGINE})
    labels = {"axes": ["windows", "crops", "channels"], "crops": ["left", "centre", "right"]}
    writer = feature_writer("parquet", path.parent, path.stem, labels, provenance)
    for one in rows:
        writer.append(one)
    assert writer.finish(19.6) == [path.name]
    return rows


WRITERS: list[Callable[[Path], object]] = [write_classified, write_evaluated, write_features]
every_writer = pytest.mark.parametrize("write_one", WRITERS)


def common(table: ResultTable) -> None:
    assert set(table.weights_sha256) == {"ab" * 32}
    assert set(table.engine) == {"native 0.1.0 CPU (avx512) f32"}
    assert table.metadata["quovadis"]


def test_clips_of_classified_videos_are_read_back(tmp_path: Path) -> None:
    video = write_classified(tmp_path / "r.parquet")
    table = read_table(tmp_path / "r.parquet")
    common(table)
    assert table.labels == LABELS
    assert table.settings == {"clip": "all", "fps": 25}
    assert list(table.path) == ["videos/\\udcff.mp4"] * 2
    assert list(table.key) == [str(Path("videos").absolute() / "\\udcff.mp4")] * 2
    np.testing.assert_array_equal(table.clip, [0, 1])
    np.testing.assert_array_equal(table.end_seconds, [clip.end_seconds for clip in video.clips])
    np.testing.assert_array_equal(table.logits, np.stack([clip.logits for clip in video.clips]))
    np.testing.assert_array_equal(table.features, random(2, 8))
    assert table.metadata["features"] == {"shape": [8], "axes": ["channels"]}
    assert table.metadata["failures"] == [{"source": "bad.mp4", "error": "bad.mp4: empty", "kind": "VideoError"}]
    (incomplete,) = table.metadata["incomplete"]
    assert incomplete["notes"] == ["cut off"]


def test_views_of_an_evaluation_are_read_back(tmp_path: Path) -> None:
    predictions = write_evaluated(tmp_path / "p.parquet")
    table = read_table(tmp_path / "p.parquet")
    common(table)
    assert list(table.key) == ["one", "one", "two"]
    assert table.features is None
    np.testing.assert_array_equal(table.logits, predictions.logits)
    np.testing.assert_array_equal(table.crop, [2, 2, 2])
    np.testing.assert_array_equal(table.start_seconds, [0, 171 / 25, 0])
    # The clip of the short video is looped.
    np.testing.assert_array_equal(table.end_seconds, [79 / 25, 10, 40 / 25])
    assert list(table.own["label"]) == ["c", "c", "a"]
    again = read_predictions(tmp_path / "p.parquet")
    for name, value in vars(predictions).items():
        np.testing.assert_equal(getattr(again, name), value)


def test_windows_of_features_are_read_back(tmp_path: Path) -> None:
    rows = write_features(tmp_path / "a.parquet")
    table = read_table(tmp_path / "a.parquet")
    common(table)
    assert (table.labels, table.logits, table.own) == ((), None, {})
    assert table.settings["endpoint"] == "Mixed_5c"
    assert table.metadata["frames_per_second"] == 19.6
    np.testing.assert_array_equal(table.features, np.stack([one.values for one in rows]))
    np.testing.assert_array_equal(table.start_seconds, [one.start_seconds for one in rows])
    assert table.metadata["features"] == {
        "shape": [3, 4],
        "axes": ["crops", "channels"],
        "crops": ["left", "centre", "right"],
    }


@every_writer
def test_the_same_results_make_the_same_bytes(write_one: Callable[[Path], object], tmp_path: Path) -> None:
    path = tmp_path / "same.parquet"
    write_one(path)
    first = path.read_bytes()
    path.unlink()
    write_one(path)
    assert path.read_bytes() == first
    assert [file.name for file in tmp_path.iterdir()] == ["same.parquet"]


@every_writer
def test_arrow_reads_the_shared_columns_of_every_file(write_one: Callable[[Path], object], tmp_path: Path) -> None:
    write_one(tmp_path / "x.parquet")
    schema = pyarrow.parquet.read_schema(tmp_path / "x.parquet")
    assert schema.names[: len(COLUMNS)] == COLUMNS
    kinds = ["string", "string", "double", "double", "int32", "int32", "string", "string"]
    assert [str(schema.field(name).type) for name in COLUMNS if name not in ("logits", "features")] == kinds
    for name in ("logits", "features"):
        assert schema.field(name).type.value_type == pyarrow.float32()


def test_files_of_several_commands_are_one_dataset(tmp_path: Path) -> None:
    for number, write_one in enumerate(WRITERS):
        write_one(tmp_path / f"{number}.parquet")
    scanned = pyarrow.dataset.dataset(tmp_path).to_table(columns=["path", "clip", "start_seconds", "engine"])
    assert scanned.num_rows == 2 + 3 + 3


def test_features_on_the_way_are_those_that_are_asked_for(tmp_path: Path) -> None:
    video = str(write_gray(tmp_path / "v.mp4", 200))
    network = recognizer(MeanEngine())
    for sampling in (Sampling(), Sampling(clips=Dense())):
        predicted = network.classify(video, sampling)
        asked = network.features(video, FeatureOptions(sampling=sampling))
        found = [clip.features for clip in predicted.clips if clip.features is not None]
        np.testing.assert_array_equal(np.stack(found), asked.values)
        assert '"features":' not in json.dumps(predicted.to_dict())


def test_a_run_over_videos_says_in_its_tables_what_they_are(tmp_path: Path) -> None:
    video = str(write_gray(tmp_path / "v.mp4", 100))
    (tmp_path / "out").mkdir()
    extract_features(recognizer(MeanEngine()), [video], tmp_path / "out", FeatureOptions(), "parquet", workers=1)
    table = read_table(tmp_path / "out" / "v.parquet")
    assert (set(table.path), set(table.key), set(table.engine)) == ({video}, {video}, {"mean 1 none f32"})
    assert table.settings["weights_sha256"] == set(table.weights_sha256).pop() == "0" * 64


# --- what is not there ------------------------------------------------------------------------------------------------


def test_rows_without_logits_features_or_times_read_as_not_a_number(tmp_path: Path) -> None:
    rows = [row(0, logits=random(3), start_seconds=None), row(1, features=random(2, 5)), row(2)]
    table = read_table(write(tmp_path / "t.parquet", rows, labels=LABELS))
    assert table.logits is not None
    assert table.features is not None
    np.testing.assert_array_equal(table.logits[0], random(3))
    np.testing.assert_array_equal(table.features[1], random(2, 5))
    assert np.isnan(table.logits[1:]).all()
    assert np.isnan(table.features[[0, 2]]).all()
    np.testing.assert_array_equal(np.isnan(table.start_seconds), [True, False, False])


def test_a_table_may_be_empty(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "t.parquet", []))
    assert (len(table), table.logits, table.features, table.labels) == (0, None, None, ())
    assert table.settings == {}


def test_rows_of_different_shapes_are_a_mistake(tmp_path: Path) -> None:
    for rows in ([row(0, logits=random(2))], [row(0, features=random(2)), row(1, features=random(3))]):
        writer = TableWriter(tmp_path / "t.parquet", labels=LABELS)
        writer.append(rows)
        with pytest.raises(ValueError, match="differ in shape"):
            writer.finish({})
        writer.abandon()


# --- memory -----------------------------------------------------------------------------------------------------------


def test_memory_does_not_grow_with_the_table(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        writer = TableWriter(tmp_path / f"{count}.parquet", labels=LABELS)
        tracemalloc.start()
        before = pyarrow.total_allocated_bytes()
        for number in range(count):
            writer.append([row(number, features=np.full(1 << 18, number, np.float32))])
        writer.finish({})
        used = tracemalloc.get_traced_memory()[1] + max(pyarrow.total_allocated_bytes() - before, 0)
        tracemalloc.stop()
        return used

    few, many = peak(32), peak(128)
    assert many < 1.2 * few < 128 << 20
    file = pyarrow.parquet.ParquetFile(tmp_path / "128.parquet")
    assert file.num_row_groups == 8
    assert file.metadata.num_rows == 128


# --- foreign and damaged files ----------------------------------------------------------------------------------------


def refused(path: Path) -> str:
    with pytest.raises(DatasetError) as caught:
        read_table(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


def rewritten(path: Path, change: Callable[[Any], Any], **metadata: Any) -> Path:
    """Write a good table with one thing changed."""
    whole = pyarrow.parquet.read_table(write(path, [row(0, logits=random(3), features=random(4))], labels=LABELS))
    document = json.loads(pyarrow.parquet.read_metadata(path).metadata[b"quovadis"]) | metadata
    changed = change(whole).replace_schema_metadata({"quovadis": json.dumps(document)})
    pyarrow.parquet.write_table(changed, path)
    return path


def replaced(name: str, values: Any) -> Callable[[Any], Any]:
    return lambda table: table.set_column(table.column_names.index(name), name, values)


def test_a_file_that_is_no_table_of_ours_is_refused_by_its_name(tmp_path: Path) -> None:
    assert refused(tmp_path / "gone.parquet").endswith("no such file")
    assert refused(tmp_path).endswith("is a folder; name the file in it")
    (tmp_path / "text.parquet").write_text("x" * 100)
    pyarrow.parquet.write_table(pyarrow.table({"a": [1]}), tmp_path / "other.parquet")
    good = write(tmp_path / "good.parquet", [row(0, logits=random(3))], labels=LABELS).read_bytes()
    (tmp_path / "cut.parquet").write_bytes(good[:-10])
    (tmp_path / "empty.parquet").write_bytes(b"")
    for name in ("text", "other", "cut", "empty"):
        assert "not results that quovadis wrote" in refused(tmp_path / f"{name}.parquet"), name
    refused(tmp_path)


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_file_is_refused_or_read_but_never_another_error(seed: int, tmp_path: Path) -> None:
    rows = [row(number, logits=random(3), features=random(8)) for number in range(20)]
    path = write(tmp_path / "t.parquet", rows, {"settings": {"fps": 25}}, labels=LABELS)
    content = bytearray(path.read_bytes())
    generator = np.random.default_rng(seed)
    for place in generator.integers(4, len(content), 6):
        content[place] = generator.integers(256)
    path.write_bytes(content)
    with suppress(DatasetError):
        read_table(path)


def unchanged(table: Any) -> Any:
    return table


@pytest.mark.parametrize(
    ("change", "metadata"),
    [
        (lambda table: table, {"features": {"shape": [float("inf")]}}),
        (lambda table: table.drop_columns(["engine"]), {}),
        (lambda table: table.append_column("key", table["key"]), {}),
        (replaced("clip", pyarrow.array(["0"])), {}),
        (replaced("clip", pyarrow.array([None], pyarrow.int32())), {}),
        (replaced("key", pyarrow.array([None], pyarrow.string())), {}),
        (replaced("logits", pyarrow.array([[1.0, 2.0, 3.0]])), {}),
        (replaced("logits", pyarrow.array([[1.0, 2.0]], pyarrow.list_(pyarrow.float32()))), {}),
        (replaced("logits", pyarrow.array([1.0])), {}),
        (replaced("features", pyarrow.array([["a"]])), {}),
        (unchanged, {"labels": ["a", "b"]}),
        (unchanged, {"labels": [1, 2, 3]}),
        (unchanged, {"labels": 3}),
        (unchanged, {"settings": None}),
        (unchanged, {"features": None}),
        (unchanged, {"features": {"shape": [1 << 60, 1 << 60]}}),
        (unchanged, {"features": {"shape": [-1]}}),
        (unchanged, {"features": {"shape": [1.5]}}),
        (unchanged, {"features": 4}),
    ],
)
def test_columns_and_metadata_of_another_form_are_refused(
    change: Callable[[Any], Any], metadata: dict[str, Any], tmp_path: Path
) -> None:
    assert "not results that quovadis wrote" in refused(rewritten(tmp_path / "t.parquet", change, **metadata))


@pytest.mark.parametrize("metadata", [b"", b"[]", b"1", b'{"labels": []}', b"[" * 100_000, b"\xff"])
def test_metadata_that_are_no_document_of_ours_are_refused(metadata: bytes, tmp_path: Path) -> None:
    table = pyarrow.parquet.read_table(write(tmp_path / "t.parquet", [row()]))
    pyarrow.parquet.write_table(table.replace_schema_metadata({"quovadis": metadata}), tmp_path / "t.parquet")
    refused(tmp_path / "t.parquet")


def test_results_that_are_no_predictions_are_not_taken_for_some(tmp_path: Path) -> None:
    write_classified(tmp_path / "r.parquet")
    with pytest.raises(DatasetError, match=r"r\.parquet: not predictions that quovadis evaluate wrote"):
        read_predictions(tmp_path / "r.parquet")


# --- what else can go wrong -------------------------------------------------------------------------------------------


def test_without_pyarrow_a_run_says_so_before_it_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "quovadis\[parquet\]"'):
        write_classified(tmp_path / "r.parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="this system has no /dev/full, a disk without room")
def test_a_disk_without_room_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "r.parquet").symlink_to("/dev/full")
    with pytest.raises(OutputError, match="cannot write the results: No space left on device"):
        write_classified(tmp_path / "r.parquet")


def test_what_made_a_row_is_a_line_with_the_calibration_in_int8() -> None:
    assert engine_text({**ENGINE, "calibration_sha256": "0123456789abcdef"}).endswith("(calibration 0123456789ab)")
    assert engine_text({"engine": "means", "protocol": "omz"}) == "means"
