"""What figures were measured on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("numpy", "openvino", "nncf", "onnxruntime", "torch", "tensorflow-cpu")


def describe(threads: int) -> dict[str, str]:
    """Name processor, threads, system and versions."""
    return {
        "processor": _processor(),
        "threads": str(threads),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": ", ".join(f"{name} {found}" for name in PACKAGES if (found := _version(name))),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    values = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = values.get("flags", "").split()
    sets = [name for name in ("avx2", "avx512f", "avx512_vnni", "amx_int8") if name in flags]
    family = f"family {values.get('cpu family', '?')} model {values.get('model', '?')}"
    return f"{values.get('model name', '?')} ({family}; {', '.join(sets)}), {os.cpu_count()} processors"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def peak_megabytes(process: int | str) -> float:
    """Return the most memory that a process has held so far, by its number or "self"; 0 once it is gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text("utf-8").splitlines()
    except (OSError, ProcessLookupError):
        return 0.0
    # Unlike what wait4 says, this does not count what the process was before it became this program.
    return next((float(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)
