"""How many processors there are for this process."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from operator import index
from pathlib import Path
from typing import Any

from quovadis.errors import EngineError
from quovadis.escape import shortened
from quovadis.fields import MAX_THREADS


def physical_cores() -> int:
    """Return the number of physical cores that this process may use, within a container's share of them.

    Two hardware threads of one core share its arithmetic units: a second one would only take the first one's cache.
    """
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    allowed = os.sched_getaffinity(0)
    cores = {_siblings(processor) for processor in allowed}
    return max(1, min(len(cores), _container_share()))


def check_threads(threads: Any) -> int | None:
    """Return the number of threads that was asked for, None where it is left open.

    Raises:
        EngineError: it is not a whole number from 1 to 1024.
    """
    if threads is None:
        return None
    try:
        count = 0 if isinstance(threads, bool) else index(threads)
    except TypeError:
        count = 0
    if not 1 <= count <= MAX_THREADS:
        raise EngineError(
            f"`threads` must be a whole number from 1 to {MAX_THREADS}, not {shortened(threads)}", option="threads"
        )
    return count


def _siblings(processor: int) -> str:
    """Name the core of a hardware thread, by all its threads."""
    try:
        return Path(f"/sys/devices/system/cpu/cpu{processor}/topology/thread_siblings_list").read_text("ascii")
    except OSError:
        return str(processor)


def _container_share(file: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Return how many processors' time the control group has, rounded up (cgroup v2)."""
    with suppress(OSError, ValueError):
        quota, period = file.read_text("ascii").split()
        if quota != "max":
            return max(1, math.ceil(int(quota) / int(period)))
    return os.cpu_count() or 1
