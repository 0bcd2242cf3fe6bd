"""Work done in a forked child, which can never hang the tests."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest


def in_forked_child(work: Callable[[], Any], *, seconds: float = 90) -> Any:
    """Return what `work` returns, or the `Exception` that it raises, in a child of this process.

    The test fails if the child is not done after so many seconds, or does not end in an orderly way.
    """
    reader, writer = multiprocessing.Pipe(duplex=False)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            # Should it hang in spite of all: nobody may be left to end a grandchild.
            signal.alarm(int(seconds))
            try:
                writer.send(work())
            except Exception as error:
                writer.send(error)
            status = 0
        finally:
            os._exit(status)
    writer.close()
    try:
        if not reader.poll(seconds):
            pytest.fail(f"the forked child is not done after {seconds} s")
        return reader.recv()
    except EOFError:
        pytest.fail("the forked child died")
    finally:
        reader.close()
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
