"""`quovadis cache`: what lies in the cache, and its removal, which touches nothing else."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from quovadis.engines.compiled_cache import CompiledGraphCache
from quovadis.engines.quantization import CalibrationVideo, Provenance, Quantization, quantized_scopes
from quovadis.samples import SOURCES
from support.command_line import quovadis

WEIGHTS, SAMPLE = "i3d-kinetics-400.ckpt", SOURCES[-1].file.name
KEY = repr(("0.1.0 2026.4-22982", "a processor", "CPU", [], "ab" * 32, "", "clip () uint8"))
OTHERS = {"samples/mine.mp4", "weights/mine.pt", "notes.txt"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with one thing of each kind, and with files that are not ours."""
    home = tmp_path / "home"
    monkeypatch.setenv("QUOVADIS_HOME", str(home))
    for name in (
        f"weights/rgb-scratch/{WEIGHTS}",
        f"samples/{SAMPLE}",
        "samples/mine.mp4",
        "weights/mine.pt",
        "notes.txt",
    ):
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(1000))
    CompiledGraphCache(home / "compiled").store(KEY, bytes(2000))
    made_of = Provenance("rgb-scratch", (CalibrationVideo("a.mp4", 12, "00"),), 0, "2026-11-27", "0.1.0")
    scopes = quantized_scopes()
    scales = dict.fromkeys(scopes, np.ones(4, np.float32))
    Quantization(dict.fromkeys(scopes, 1.0), scales, made_of).save(home / "quantization" / f"{'cd' * 32}.npz")
    return home


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_list_says_of_each_thing_its_size_its_date_and_what_it_belongs_to(home: Path) -> None:
    listed = quovadis("cache", "list")
    assert listed.returncode == 0
    for name in ("rgb-scratch", "Kinetics-400 alone", SAMPLE, "1.0 kB", time.strftime("%Y-", time.gmtime())):
        assert name in listed.stdout
    compiled = "weights abababababab on CPU in f32 (clip), quovadis 0.1.0, OpenVINO 2026.4"
    assert compiled in " ".join(listed.stdout.split())
    assert "rgb-scratch: 12 clips of 1 video, 2026-11-27" in listed.stdout
    assert "mine" not in listed.stdout


def test_a_narrow_terminal_has_what_can_be_removed_and_its_size(home: Path) -> None:
    lines = quovadis("cache", "list", COLUMNS="40").stdout.splitlines()
    assert lines[0].split() == ["kind", "name", "size"]
    assert lines[1].split() == ["weights", "rgb-scratch", "1.0", "kB"]
    assert lines[5] == ""


def test_as_json_it_is_the_same_with_totals(home: Path) -> None:
    found = json.loads(quovadis("cache", "list", "--json").stdout)
    assert found["folder"] == str(home)
    assert [item["kind"] for item in found["items"]] == ["weights", "samples", "compiled", "calibrations"]
    assert found["bytes"] == sum(item["bytes"] for item in found["items"])
    assert found["items"][0]["paths"] == [str(home / "weights" / "rgb-scratch" / WEIGHTS)]


def test_an_empty_cache_is_no_error(tmp_path: Path) -> None:
    home = str(tmp_path / "none")
    assert quovadis("cache", "list", QUOVADIS_HOME=home).stdout.strip() == f"{home}: 0.0 kB"
    cleared = quovadis("cache", "clear", "all", "--yes", QUOVADIS_HOME=home)
    assert (cleared.returncode, cleared.stderr) == (0, "quovadis: nothing to remove\n")


@pytest.mark.parametrize(
    ("kind", "gone"),
    [
        ("weights", f"weights/rgb-scratch/{WEIGHTS}"),
        ("samples", f"samples/{SAMPLE}"),
        ("compiled", "compiled/"),
        ("calibrations", "quantization/"),
    ],
)
def test_a_kind_is_cleared_and_nothing_else(kind: str, gone: str, home: Path) -> None:
    before = files(home)
    cleared = quovadis("cache", "clear", kind, "--yes")
    assert cleared.returncode == 0
    assert "removed 1 file" in cleared.stderr
    assert {name for name in before - files(home) if name.startswith(gone)} == before - files(home) != set()


def test_all_leaves_what_is_not_ours(home: Path) -> None:
    assert quovadis("cache", "clear", "all", "--yes").returncode == 0
    assert files(home) - {"weights/rgb-scratch/.lock", "samples/.lock"} == OTHERS


def test_samples_of_earlier_versions_are_listed_and_cleared(home: Path) -> None:
    (home / "samples" / "bikes.mp4").write_bytes(bytes(1000))
    listed = quovadis("cache", "list").stdout
    assert "bikes.mp4" in listed
    assert "of an earlier version" in listed
    assert quovadis("cache", "clear", "samples", "--yes", "-q").stderr == ""
    assert not (home / "samples" / "bikes.mp4").exists()


def test_it_asks_and_takes_no_for_an_answer(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    before = files(home)
    for answer, code in ((b"n\n", 1), (b"\n", 1), (b"y\n", 0)):
        assert files(home) == before
        monkeypatch.setattr(sys, "stdin", Terminal(io.BytesIO(answer)))
        asked = quovadis("cache", "clear", "samples")
        assert asked.returncode == code
        assert f"samples: {SAMPLE}, 1.0 kB" in asked.stderr
        assert "Remove 1 file, 1.0 kB?" in asked.stderr
    assert before - files(home) == {f"samples/{SAMPLE}"}


def test_where_nobody_can_be_asked_it_is_a_wrong_command_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    before = files(home)
    refused = quovadis("cache", "clear", "all")
    assert refused.returncode == 2
    assert refused.stderr.startswith("quovadis: error: there is no terminal to ask on; give --yes")
    assert "--yes" in refused.stderr
    assert files(home) == before


@pytest.mark.parametrize("arguments", [(), ("everything",)])
def test_what_is_to_be_cleared_has_to_be_said(arguments: tuple[str, ...], home: Path) -> None:
    assert quovadis("cache", "clear", *arguments, "--yes").returncode == 2


def test_what_another_process_is_fetching_stays(home: Path) -> None:
    with FileLock(home / "weights" / "rgb-scratch" / ".lock"):
        cleared = quovadis("cache", "clear", "all", "--yes")
    assert cleared.returncode == 1
    assert "rgb-scratch: not removed: another process is fetching it" in cleared.stderr
    assert "removed 3 files" in cleared.stderr
    assert f"weights/rgb-scratch/{WEIGHTS}" in files(home)


def test_what_a_link_leads_to_outside_the_cache_stays(home: Path, tmp_path: Path) -> None:
    (home / "weights" / "rgb-scratch").rename(tmp_path / "elsewhere")
    (home / "weights" / "rgb-scratch").symlink_to(tmp_path / "elsewhere")
    cleared = quovadis("cache", "clear", "weights", "--yes")
    assert cleared.returncode == 1
    assert "leads out of the cache" in cleared.stderr
    assert (tmp_path / "elsewhere" / WEIGHTS).is_file()


def test_what_killed_processes_left_is_cleared_once_it_is_old(home: Path) -> None:
    old, new = home / "compiled" / "tmpold.part", home / "compiled" / "tmpnew.part"
    for path in (old, new):
        path.touch()
    os.utime(old, (0, 0))
    quovadis("cache", "clear", "compiled", "--yes")
    assert files(home / "compiled") == {"tmpnew.part"}
