"""Settings that come from the environment, and the folders of the cache."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

HOME_VARIABLE = "QUOVADIS_HOME"
OFFLINE_VARIABLE = "QUOVADIS_OFFLINE"
MIRROR_VARIABLE = "QUOVADIS_MIRROR"

_TRUE = {"1", "true", "yes", "on"}


def home() -> Path:
    """Return the cache's folder: `QUOVADIS_HOME`, else the platform's cache directory. It may not exist yet."""
    chosen = os.environ.get(HOME_VARIABLE)
    return Path(chosen).expanduser() if chosen else user_cache_path("quovadis", appauthor=False)


def weights_folder(name: str) -> Path:
    """Return where the official weights of a name are cached."""
    return home() / "weights" / name


def samples_folder() -> Path:
    """Return where sample clips are cached."""
    return home() / "samples"


def compiled_graphs_folder() -> Path:
    """Return where engines keep compiled graphs."""
    return home() / "compiled"


def quantization_folder() -> Path:
    """Return where the calibration of 8-bit integers is kept, a file for each set of weights."""
    return home() / "quantization"


def notices_folder() -> Path:
    """Return where it is kept which notices the user has seen, a file for each."""
    return home() / "notices"


def is_true(value: str) -> bool:
    """Tell whether the value of a variable that switches something says yes."""
    return value.strip().lower() in _TRUE


def is_offline() -> bool:
    """Tell whether `QUOVADIS_OFFLINE` forbids the network, to weights, samples and videos alike."""
    return is_true(os.environ.get(OFFLINE_VARIABLE, ""))


def mirror() -> str | None:
    """Return the address that stands in for the original repository's files, if `QUOVADIS_MIRROR` names one."""
    return os.environ.get(MIRROR_VARIABLE, "").strip().rstrip("/") or None
