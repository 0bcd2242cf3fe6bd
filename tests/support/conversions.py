"""Files that the product wrote for others, and its steps without a process for each."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from quovadis import Conversion
from quovadis.export import worker

Step = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True)
class Written:
    path: Path
    conversion: Conversion
    peak_bytes: int | None = None
    """Memory of the largest process that took part, where that was measured."""


def convert_in_process(patch: pytest.MonkeyPatch) -> None:
    """Convert in this process, but for what needs TensorFlow, whose import takes and warns too much."""
    apart: Step = worker._ask

    def ask(job: dict[str, Any]) -> Any:
        name = str(job.get("format"))
        if name == "tensorflow-graph" or (name == "tensorflow-checkpoint" and job["step"] == "run"):
            return apart(job)
        return json.loads(json.dumps(worker._do(json.loads(json.dumps(job)))))

    patch.setattr(worker, "_ask", ask)
