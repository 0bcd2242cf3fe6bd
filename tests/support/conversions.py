"""Files that the product wrote for others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from quovadis import Conversion


@dataclass(frozen=True)
class Written:
    path: Path
    conversion: Conversion
