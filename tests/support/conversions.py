"""Files that the product wrote for others, and its steps without a process for each."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import pytest

from quovadis import Conversion
from quovadis.export import worker
from quovadis.export.formats import FORMATS

FOLDED = ["onnx", "openvino"]
UNFOLDED = [name for name in FORMATS if name not in (*FOLDED, "torch-program")]
"""Formats that keep all 230 tensors, to the bit; nothing is read back out of a program."""

T = TypeVar("T")


@dataclass(frozen=True)
class Written:
    path: Path
    conversion: Conversion
    peak_bytes: int | None = None
    """Memory of the largest process that took part, where that was measured."""


def convert_in_process(patch: pytest.MonkeyPatch) -> None:
    """Convert in this process, but for what needs TensorFlow, whose import takes and warns too much."""

    def ask(job: dict[str, Any]) -> Any:
        name = str(job.get("format"))
        job = json.loads(json.dumps(job))
        if name == "tensorflow-graph" or (name == "tensorflow-checkpoint" and job["step"] == "run"):
            return do_in_tensorflow(worker._do, job)
        return json.loads(json.dumps(worker._do(job)))

    patch.setattr(worker, "_ask", ask)


def do_in_tensorflow(work: Callable[..., T], *arguments: Any) -> T:
    """Call a function in a process that has imported TensorFlow, one for all tests of this process."""
    return _tensorflow().submit(work, *arguments).result()


@cache
def _tensorflow() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))
