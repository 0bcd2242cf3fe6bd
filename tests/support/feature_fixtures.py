"""Videos of which features are extracted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.feature_runs import VIDEOS
from support.numbered_frames import write_gray


@pytest.fixture(scope="session")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("originals")
    for place, (name, frames) in enumerate(VIDEOS.items()):
        write_gray(folder / name, frames, first=20 + 40 * place)
    return folder


@pytest.fixture
def videos(originals: Path, tmp_path: Path) -> list[str]:
    """Copies, which a test may change."""
    shutil.copytree(originals, tmp_path / "videos")
    return [str(tmp_path / "videos" / name) for name in VIDEOS]
