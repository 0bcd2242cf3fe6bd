"""What decides the results of a run, in the words of whoever asked for it: options as keywords."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

_KEYWORDS: Mapping[str, str] = MappingProxyType(
    {
        "chunk_frames": "chunk",
        "format": "file_format",
        "initial_weights": "weights",
        "initial_weights_sha256": "weights_sha256",
        "start_seconds": "start",
        "window_steps": "window",
    }
)
"""Options that have another name than their setting."""
_OF_PRESET = ("ignore_sample_aspect_ratio", "keep_224", "long_side", "lookahead_frames")
"""Settings that a preset alone decides; its scaler tells of all."""
_OF_PROTOCOL = ("chunk", "clip_frames", "clips", "crop_size", "crops", "fps")
"""Settings that follow from an evaluation's protocol, or are options of one protocol alone."""
_WINDOWS: Mapping[str, str | None] = MappingProxyType({"drop": "full", "loop": "loop", "join": "join", "mixed": None})


def given_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what has to be asked for to have these settings, as options by keyword; None and False: left out."""
    options = dict(_options(settings))
    if "stride" in options and options["stride"] == options.get("clip_frames"):
        # As it is unless asked for.
        options["stride"] = None
    return options


def _options(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _options(value)
        elif name == "clip":
            yield from {"clip": "centre" if value == "CentreClip" else "all", "dense": value == "Dense"}.items()
        elif name == "clips" and isinstance(value, str):
            yield "dense", value == "dense"
        elif name == "remainder":
            yield "windows", None if settings.get("lookahead_frames") else _WINDOWS.get(value)
        elif name == "scaler":
            yield "preset", "video_features" if value == "pillow" else None
        elif name not in _OF_PRESET:
            yield _KEYWORDS.get(name, name), value


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Return how the settings of earlier results differ from those of a run; nothing where they do not."""
    if old == new:
        return ""
    before, now = given_options(old), given_options(new)
    names = [name for name in {**before, **now} if (before.get(name) or None) != (now.get(name) or None)]
    # The rest follows from these: with `dense` there is no stride, with `precision="f32"` no calibration.
    names = [name for name in names if name in before and name in now] or names
    if "weights" in names and "weights_sha256" in names:
        names.remove("weights_sha256")
    if "protocol" in names:
        names = [name for name in names if name not in _OF_PROTOCOL]
    if not names:
        return "holds results of another version of quovadis, whose settings differ"
    return f"holds results made {_all_told(before, names)}, and this run is {_all_told(now, names)}"


def _all_told(options: Mapping[str, Any], names: list[str]) -> str:
    return " and ".join(_told(name, options.get(name)) for name in names)


def _told(name: str, value: Any) -> str:
    if name.endswith("_sha256"):
        kind = name.removesuffix("_sha256")
        return f"with {kind} {value[:12]}…" if value else f"without {kind}"
    if not value:
        return f"without `{name}`"
    written = f"{value:g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
    return f"with `{name}={True if value is True else written}`"
