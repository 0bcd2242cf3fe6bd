"""Features on disk: what each format reads back as, and that files are there whole or not at all."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pyarrow.parquet
import pytest
from numpy.typing import NDArray

from quovadis.errors import MissingDependencyError
from quovadis.features import FeatureRow
from quovadis.features.formats import feature_writer

SHAPES = [(1024,), (9, 1024), (2, 7, 7, 16)]
RATE = 98 / 5


class Read(NamedTuple):
    """What a format holds; None where it has no place for it, or nothing tells."""

    features: NDArray[np.float32]
    starts: NDArray[np.float64] | None
    ends: NDArray[np.float64]
    rate: float | None


def read_npy(folder: Path) -> Read:
    document = json.loads((folder / "clip.json").read_text())
    assert list(document) == ["frames_per_second", "start_seconds", "end_seconds"]
    starts, ends = (np.array(document[name]) for name in ("start_seconds", "end_seconds"))
    return Read(np.load(folder / "clip.npy"), starts, ends, document["frames_per_second"])


def read_npz(folder: Path) -> Read:
    with np.load(folder / "clip.npz") as archive:
        assert sorted(archive) == ["features", "frames_per_second", "seconds"]
        seconds = archive["seconds"]
        return Read(archive["features"], seconds[:, 0], seconds[:, 1], float(archive["frames_per_second"]))


def read_video_features(folder: Path) -> Read:
    ends = np.load(folder / "clip_timestamps_ms.npy") / 1000
    return Read(np.load(folder / "clip_rgb.npy"), None, ends, float(np.load(folder / "clip_fps.npy")))


def read_parquet(folder: Path) -> Read:
    table = pyarrow.parquet.read_table(folder / "clip.parquet")
    assert table["key"].unique().to_pylist() == ["clip"]
    assert table["clip"].to_pylist() == list(range(len(table)))
    assert table["logits"].null_count == len(table)
    metadata = json.loads(pyarrow.parquet.read_metadata(folder / "clip.parquet").metadata[b"quovadis"])
    shape = metadata["features"]["shape"]
    features = table["features"].combine_chunks().flatten().to_numpy().reshape(-1, *shape)
    starts, ends = (table[name].to_numpy() for name in ("start_seconds", "end_seconds"))
    return Read(features, starts, ends, metadata["frames_per_second"])


def read_hdf5(folder: Path) -> Read:
    with h5py.File(folder / "clip.h5") as file:
        seconds = file["seconds"][:]
        return Read(file["features"][:], seconds[:, 0], seconds[:, 1], float(file.attrs["frames_per_second"]))


FORMATS: dict[str, tuple[Callable[[Path], Read], list[str]]] = {
    "npy": (read_npy, ["clip.npy", "clip.json"]),
    "npz": (read_npz, ["clip.npz"]),
    "video_features": (read_video_features, ["clip_rgb.npy", "clip_fps.npy", "clip_timestamps_ms.npy"]),
    "parquet": (read_parquet, ["clip.parquet"]),
    "hdf5": (read_hdf5, ["clip.h5"]),
}
every_format = pytest.mark.parametrize("form", list(FORMATS))


def rows_of(count: int, shape: tuple[int, ...]) -> list[FeatureRow]:
    random = np.random.default_rng(count)
    return [FeatureRow(i * 3.16, i * 3.16 + 3.2, random.standard_normal(shape, np.float32)) for i in range(count)]


def write(form: str, folder: Path, rows: list[FeatureRow]) -> list[str]:
    writer = feature_writer(form, folder, "clip")  # type: ignore[arg-type]
    for row in rows:
        writer.append(row)
    return writer.finish(RATE)


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- what is read back ------------------------------------------------------------------------------------------------


@every_format
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("count", [1, 37])
def test_what_was_appended_is_read_back(form: str, shape: tuple[int, ...], count: int, tmp_path: Path) -> None:
    rows = rows_of(count, shape)
    read, names = FORMATS[form]
    assert write(form, tmp_path, rows) == names
    assert listing(tmp_path) == sorted(names)
    found = read(tmp_path)
    assert found.features.dtype == np.float32
    np.testing.assert_array_equal(found.features, np.stack([row.values for row in rows]))
    np.testing.assert_allclose(found.ends, [row.end_seconds for row in rows], rtol=1e-15)
    if found.starts is not None:
        np.testing.assert_array_equal(found.starts, [row.start_seconds for row in rows])
    assert found.rate == RATE


def test_every_format_has_a_place_for_the_rate_and_only_video_features_none_for_starts(tmp_path: Path) -> None:
    for form, (read, _) in FORMATS.items():
        write(form, tmp_path, rows_of(2, (4,)))
        found = read(tmp_path)
        assert found.rate == RATE
        assert (found.starts is None) == (form == "video_features")


def test_of_npy_a_pattern_for_arrays_finds_features_alone(tmp_path: Path) -> None:
    write("npy", tmp_path, rows_of(2, (4,)))
    assert [path.name for path in tmp_path.glob("*.npy")] == ["clip.npy"]


def test_every_format_but_video_features_states_the_axes_and_the_crops(tmp_path: Path) -> None:
    labels = {"axes": ["windows", "crops", "channels"], "crops": ["left or top", "centre", "right or bottom"]}
    for form in FORMATS:
        writer = feature_writer(form, tmp_path, "clip", labels)  # type: ignore[arg-type]
        for row in rows_of(2, (3, 4)):
            writer.append(row)
        assert writer.finish(RATE) == FORMATS[form][1]
    crops = "left or top,centre,right or bottom"
    document = json.loads((tmp_path / "clip.json").read_text())
    assert {name: document[name] for name in labels} == labels
    with np.load(tmp_path / "clip.npz", allow_pickle=False) as archive:
        assert {name: archive[name].tolist() for name in labels} == labels
    with h5py.File(tmp_path / "clip.h5") as file:
        assert (file.attrs["axes"], file.attrs["crops"]) == ("windows,crops,channels", crops)
    metadata = json.loads(pyarrow.parquet.read_metadata(tmp_path / "clip.parquet").metadata[b"quovadis"])
    # A window is a row there: shape and axes are those of a row.
    assert metadata["features"] == {"shape": [3, 4], "axes": ["crops", "channels"], "crops": labels["crops"]}


def test_npy_is_what_numpy_itself_would_have_written_and_can_be_mapped_into_memory(tmp_path: Path) -> None:
    rows = rows_of(12, (9, 1024))
    write("npy", tmp_path, rows)
    whole = np.stack([row.values for row in rows])
    np.save(tmp_path / "expected.npy", whole)
    assert (tmp_path / "clip.npy").read_bytes() == (tmp_path / "expected.npy").read_bytes()
    mapped = np.load(tmp_path / "clip.npy", mmap_mode="r")
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(mapped, whole)


def test_npz_is_a_sound_archive_whose_members_are_not_compressed(tmp_path: Path) -> None:
    write("npz", tmp_path, rows_of(12, (1024,)))
    with zipfile.ZipFile(tmp_path / "clip.npz") as archive:
        assert archive.testzip() is None
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}


def test_an_archive_may_be_larger_than_the_old_limit_of_its_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the 2 GiB were 2 kB.
    with monkeypatch.context() as patch:
        patch.setattr(zipfile, "ZIP64_LIMIT", 2000)
        write("npz", tmp_path, rows_of(12, (1024,)))
    assert read_npz(tmp_path).features.shape == (12, 1024)


def test_parquet_has_a_row_a_window_and_floats_of_one_width(tmp_path: Path) -> None:
    write("parquet", tmp_path, rows_of(5, (9, 1024)))
    table = pyarrow.parquet.read_table(tmp_path / "clip.parquet")
    assert table.num_rows == 5
    assert table.schema.field("features").type == pyarrow.list_(pyarrow.float32())
    lengths = {len(values) for values in table["features"].to_pylist()}
    assert lengths == {9 * 1024}


def test_a_rate_that_nothing_tells_is_no_number(tmp_path: Path) -> None:
    for form in FORMATS:
        writer = feature_writer(form, tmp_path, "clip")  # type: ignore[arg-type]
        writer.append(rows_of(1, (4,))[0])
        writer.finish(float("nan"))
        rate = FORMATS[form][0](tmp_path).rate
        # JSON has no such number, but null.
        assert rate is None if form in ("npy", "parquet") else np.isnan(rate or 0)


def test_the_same_features_are_the_same_bytes_whenever_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of(20, (9, 1024))
    folders = [tmp_path / "now", tmp_path / "later"]
    for folder in folders:
        folder.mkdir()
        for form in FORMATS:
            write(form, folder, rows)
        if folder is folders[0]:
            # Archives know time by two seconds, and ask Python; HDF5 asks the system, and knows it by one.
            monkeypatch.setattr(time, "time", partial(float, time.time() + 3600))
            time.sleep(1.01)
    now, later = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders)
    assert len(now) == 8
    assert [name for name in now if now[name] != later[name]] == []


# --- memory -----------------------------------------------------------------------------------------------------------


@every_format
def test_rows_go_to_disk_as_they_come_and_not_into_memory(form: str, tmp_path: Path) -> None:
    megabyte = 1 << 20
    random = np.random.default_rng(0)
    writer = feature_writer(form, tmp_path, "clip")  # type: ignore[arg-type]
    tracemalloc.start()
    try:
        before = pyarrow.total_allocated_bytes()
        for i in range(120):
            writer.append(FeatureRow(i, i + 1, random.random((4, megabyte // 16), np.float32)))
        peak = tracemalloc.get_traced_memory()[1] + pyarrow.total_allocated_bytes() - before
        on_disk = sum(path.stat().st_size for path in tmp_path.iterdir())
    finally:
        tracemalloc.stop()
        writer.abandon()
    # Of 120 MiB Parquet gathers 16, and copies them before it writes them.
    assert peak < 56 * megabyte
    assert on_disk > 100 * megabyte
    assert listing(tmp_path) == []


# --- whole or not at all ----------------------------------------------------------------------------------------------


@every_format
def test_before_it_is_finished_nothing_has_its_name(form: str, tmp_path: Path) -> None:
    writer = feature_writer(form, tmp_path, "clip")  # type: ignore[arg-type]
    assert listing(tmp_path) == []
    for row in rows_of(30, (1024,)):
        writer.append(row)
        assert all(name.startswith(".") and name.endswith(".part") for name in listing(tmp_path))
    assert writer.finish(RATE) == FORMATS[form][1]
    assert listing(tmp_path) == sorted(FORMATS[form][1])
    writer.abandon()
    assert listing(tmp_path) == sorted(FORMATS[form][1])


@every_format
@pytest.mark.parametrize("rows", [0, 1, 30])
def test_nothing_is_left_behind_of_what_is_abandoned(form: str, rows: int, tmp_path: Path) -> None:
    writer = feature_writer(form, tmp_path, "clip")  # type: ignore[arg-type]
    for row in rows_of(rows, (1024,)):
        writer.append(row)
    writer.abandon()
    writer.abandon()
    assert listing(tmp_path) == []


@every_format
def test_an_abandoned_rewrite_leaves_the_earlier_file_as_it_was(form: str, tmp_path: Path) -> None:
    write(form, tmp_path, rows_of(3, (1024,)))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    writer = feature_writer(form, tmp_path, "clip")  # type: ignore[arg-type]
    for row in rows_of(5, (1024,)):
        writer.append(row)
    writer.abandon()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="this system has no /dev/full, a disk without room")
@pytest.mark.parametrize(
    ("form", "full"),
    [
        ("npy", ".clip.npy.part"),
        ("npy", ".clip.json.part"),
        ("npz", ".clip.features.npy.part"),
        ("npz", ".clip.npz.part"),
        ("video_features", ".clip_rgb.npy.part"),
        ("video_features", ".clip_fps.npy.part"),
        ("video_features", ".clip_timestamps_ms.npy.part"),
        ("parquet", ".clip.parquet.part"),
        ("hdf5", ".clip.h5.part"),
    ],
)
@pytest.mark.parametrize("width", [8, 1 << 20])
def test_a_disk_without_room_is_an_error_and_leaves_nothing(form: str, full: str, width: int, tmp_path: Path) -> None:
    (tmp_path / full).symlink_to("/dev/full")
    writer = feature_writer(form, tmp_path, "clip")  # type: ignore[arg-type]

    def fill() -> None:
        for row in rows_of(5, (width,)):
            writer.append(row)
        writer.finish(RATE)

    with pytest.raises(OSError, match="No space left on device"):
        fill()
    writer.abandon()
    assert listing(tmp_path) == []
    assert Path("/dev/full").is_char_device()


FILL_UP = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from quovadis.features import FeatureRow
from quovadis.features.formats import feature_writer

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for form in sys.argv[2:]:
    writer = feature_writer(form, Path(sys.argv[1]), "clip")
    try:
        for i in range(400):
            writer.append(FeatureRow(i, i + 1, np.random.default_rng(i).random(1024, np.float32)))
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
        writer.finish(25.0)
    except OSError as error:
        print(form, error.errno, flush=True)
    finally:
        writer.abandon()
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""
"""Writes 1.6 MB where a file may have 1 MB: the disk is full in the midst of it."""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_a_disk_that_fills_up_on_the_way_is_an_error_and_the_process_lives_on(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FILL_UP, str(tmp_path), *FORMATS]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stderr
    # 27 is EFBIG.
    assert run.stdout.splitlines() == [f"{form} 27" for form in FORMATS]
    assert run.stderr == ""
    assert listing(tmp_path) == []


@pytest.mark.parametrize(("form", "module", "extra"), [("parquet", "pyarrow", "parquet"), ("hdf5", "h5py", "hdf5")])
def test_a_format_whose_package_is_missing_says_what_to_install(
    form: str, module: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependencyError, match=rf'pip install "quovadis\[{extra}\]"'):
        feature_writer(form, tmp_path, "clip")  # type: ignore[arg-type]
