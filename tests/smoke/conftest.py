"""The environment under test: `make test-matrix` installs the wheel there and says where it is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

Run: TypeAlias = Callable[..., str]


@pytest.fixture(scope="session")
def python() -> Path:
    """The tested environment's interpreter."""
    return Path(os.environ["QUOVADIS_SMOKE_PYTHON"])


@pytest.fixture(scope="session")
def run(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run `quovadis`, or another program of the environment, away from the repository; return its stdout."""
    folder = tmp_path_factory.mktemp("elsewhere")
    kept = ("PATH", "LANG", "TMPDIR", "SYSTEMROOT", "PIP_", "SSL_")
    environment = {name: value for name, value in os.environ.items() if name.startswith(kept)}
    environment |= {"HOME": str(folder), "QUOVADIS_HOME": os.environ["QUOVADIS_SMOKE_HOME"], "COLUMNS": "120"}

    def command(*arguments: str | Path, program: str = "quovadis") -> str:
        done = subprocess.run(
            [python.with_name(program), *map(str, arguments)],
            cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        assert "Warning" not in done.stderr
        return done.stdout

    return command
