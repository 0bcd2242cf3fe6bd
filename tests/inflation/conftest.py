"""Networks for images to inflate: TF-slim's, whose checkpoints TensorFlow wrote, and torchvision's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from support.googlenet import googlenet

TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def slim_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What TensorFlow writes and computes, in a process of its own: it takes seconds and memory, and warns."""
    folder = tmp_path_factory.mktemp("slim")
    run = subprocess.run(
        [sys.executable, "-m", "support.slim_inception", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
        cwd=TESTS,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
    )
    if run.returncode != 0:
        pytest.fail(f"TensorFlow, which the test extra installs, wrote no network: {run.stderr[-2000:]}")
    return folder


@pytest.fixture(scope="session")
def googlenet_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("torchvision") / "googlenet.pth"
    torch.save(googlenet().state_dict(), path)
    return path
