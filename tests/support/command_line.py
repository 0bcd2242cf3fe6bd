"""The command line, in the test's own process, and in one of its own where the process is the point."""

from __future__ import annotations

import io
import logging
import os
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path

import pytest

from quovadis.cli.main import main
from quovadis.weights import InputSpecification
from support.fake_engine import FakeEngine, recognizer

SAFETY_NET = 900
"""Seconds after which a process is taken to hang, also on a busy machine."""


def quovadis(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as `python -m quovadis` does, with stdout and stderr kept apart.

    What libraries write past Python's own streams is not seen: `quovadis_process` sees it.
    """
    stdout, stderr = io.BytesIO(), io.BytesIO()
    code: object = 0
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    logger = logging.getLogger("quovadis")
    handlers, level = list(logger.handlers), logger.level
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(io.TextIOWrapper(stdout, "utf-8", write_through=True)),
        redirect_stderr(io.TextIOWrapper(stderr, "utf-8", write_through=True)),
    ):
        patch.setattr(sys, "argv", ["quovadis", *map(str, arguments)])
        for name, value in {"COLUMNS": "120", **environment}.items():
            patch.setenv(name, value)
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        finally:
            # What a process of its own takes with it: its reaction to signals, and `--debug`.
            for number, handler in signals.items():
                signal.signal(number, handler)
            logger.handlers[:] = handlers
            logger.setLevel(level)
        found = [stream.getvalue().decode().replace("\r\n", "\n") for stream in (stdout, stderr)]
    assert isinstance(code, int)
    return subprocess.CompletedProcess(sys.argv, code, *found)


def quovadis_process(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as users do, with stdout and stderr kept apart."""
    return subprocess.run(
        [sys.executable, "-m", "quovadis", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=SAFETY_NET,
        check=False,
        env={**os.environ, "COLUMNS": "120", **environment},
    )


def load_fakes(
    patch: pytest.MonkeyPatch, *, specified: InputSpecification | None = None, **engines: FakeEngine
) -> None:
    """Let commands in this process run on engines without a network, given by the command's name.

    Their weights were trained on clips as `specified`.
    """
    for name, engine in engines.items():
        made = partial(recognizer, engine, specified=specified)
        patch.setattr(f"quovadis.cli.{name}.load", lambda *_, made=made, **__: made())


def invoke_features(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command on a video that is not there: what is wrong with its options comes to light before that."""
    return quovadis("features", "absent.mp4", "-o", "/dev/null/out", *arguments)
