"""What is installed here, what works, and what does not: `quovadis doctor`.

Everything of the package is imported where it is asked about: an installation that is broken is what this is for.
"""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeAlias

from quovadis.version import __version__

Section: TypeAlias = dict[str, Any]

_PACKAGES = (
    *("numpy", "openvino", "av", "pillow", "typer", "rich", "google-crc32c", "httpx", "platformdirs", "filelock"),
    "safetensors",
)
"""What the package needs, by what pip calls it."""
_INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "amx_int8", "asimd", "sve")
"""Those that decide the speed, as Linux calls them."""
_IMPORT_SECONDS = 60


def diagnose(*, imports: bool = False) -> Section:
    """Return what a report of a bug needs, in JSON's types, without the network; nothing that is broken stops it.

    Args:
        imports: import every optional package too, each in a process of its own; this takes some seconds.

    Returns:
        Facts by section, and `problems`: one line for each thing that keeps Quovadis from working as it should.
    """
    problems: list[str] = []
    sections: Mapping[str, Callable[[list[str]], Any]] = {
        "versions": _versions,
        "machine": _machine,
        "engines": _engines,
        "ffmpeg": _ffmpeg,
        "cache": _cache,
        "weights": _weights,
        "calibrations": _calibrations,
        "extras": lambda problems: _extras(problems, imports=imports),
        "environment": _environment,
    }
    found: Section = {}
    for name, section in sections.items():
        try:
            found[name] = section(problems)
        # A library may even want to end the process while it is imported.
        except (Exception, SystemExit) as error:
            problems.append(f"{name}: {_said(error)}")
            found[name] = None
    return {**found, "problems": problems}


def abbreviated(path: str | os.PathLike[str]) -> str:
    """Return a path with ~ in place of the home directory, whose name is nobody's business."""
    found, user = Path(path), Path.home()
    # The administrator's home may be the root of all.
    is_inside = user != Path(user.anchor) and found.is_relative_to(user)
    return str(Path("~", found.relative_to(user))) if is_inside else str(path)


def _versions(problems: list[str]) -> Section:
    packages = {name: _installed(name) for name in _PACKAGES}
    problems += [f"{name} is not installed: run pip install {name}" for name in _PACKAGES if packages[name] is None]
    return {
        "quovadis": __version__,
        "python": platform.python_version(),
        "executable": abbreviated(sys.executable),
        "system": platform.platform(),
        "packages": packages,
    }


def _machine(problems: list[str]) -> Section:
    from quovadis.engines.processors import physical_cores

    processor, flags = _processor()
    return {
        "processor": processor,
        "instructions": [name for name in _INSTRUCTIONS if name in flags],
        "processors": os.cpu_count(),
        "usable_cores": physical_cores(),
        "memory_bytes": _memory_bytes(),
    }


def _processor() -> tuple[str, list[str]]:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine(), []
    values = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = values.get("model name") or platform.processor() or platform.machine()
    return name, (values.get("flags") or values.get("Features", "")).split()


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _engines(problems: list[str]) -> Section:
    from quovadis.engines.choice import fastest
    from quovadis.engines.native_library import has_integers, instruction_sets, why_missing, why_unavailable

    reason = why_unavailable()
    if reason is not None and (why_missing() or "").startswith("the kernels cannot be loaded"):
        problems.append(reason)
    found: Section = {
        "kernels": list(instruction_sets()) if reason is None else [],
        "kernels_missing": reason,
        "int8_kernels": reason is None and has_integers(),
        "auto": {
            "f32": fastest(is_cpu=True, is_cuda=False, is_int8=False),
            "int8": fastest(is_cpu=True, is_cuda=False, is_int8=True),
        },
    }
    try:
        importlib.import_module("quovadis.openvino_runtime")
    except (Exception, SystemExit) as error:
        problems.append(f"OpenVINO cannot be imported: {_said(error)}")
    return found


def _ffmpeg(problems: list[str]) -> Section:
    try:
        av = importlib.import_module("av")
        libraries = {name: ".".join(map(str, numbers)) for name, numbers in av.library_versions.items()}
    except (Exception, SystemExit) as error:
        problems.append(f"PyAV cannot be imported, so that no video can be read: {_said(error)}")
        libraries = None
    return {"libraries": libraries, "program": _ffmpeg_program()}


def _ffmpeg_program() -> str | None:
    """Return what FFmpeg's own command says it is; nothing of ours needs it."""
    program = shutil.which("ffmpeg")
    if program is None:
        return None
    try:
        done = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        return _said(error)
    return (done.stdout.splitlines() or [f"exit code {done.returncode}"])[0]


def _cache(problems: list[str]) -> Section:
    from quovadis.cache import CACHE_KINDS, cached_items
    from quovadis.durable import check_folder
    from quovadis.environment import HOME_VARIABLE, home

    folder = home()
    try:
        check_folder(folder)
        is_writable = True
    except OSError as error:
        is_writable = False
        said = f"the cache cannot be written: {error.strerror}; set {HOME_VARIABLE} to another folder"
        problems.append(f"{abbreviated(folder)}: {said}")
    items = cached_items()
    return {
        "folder": abbreviated(folder),
        "writable": is_writable,
        "bytes": sum(item.bytes for item in items),
        "bytes_by_kind": {kind: sum(item.bytes for item in items if item.kind == kind) for kind in CACHE_KINDS},
    }


def _weights(problems: list[str]) -> dict[str, str]:
    from quovadis.environment import OFFLINE_VARIABLE, is_offline
    from quovadis.fetch.files import is_correct
    from quovadis.weights.catalogue import CATALOGUE
    from quovadis.weights.pull import cached_path

    found = {}
    for name, entry in CATALOGUE.items():
        path = cached_path(name)
        if path is None:
            found[name] = "not cached"
            continue
        there = [file for file in entry.files if (path.parent / file.name).is_file()]
        is_whole = all(is_correct(path.parent / file.name, file) for file in there)
        found[name] = "verified" if is_whole else "damaged"
        if not is_whole:
            problems.append(f'{name}: not the official file; run `quovadis.weights.pull("{name}", force=True)`')
    if is_offline() and not any(state == "verified" for state in found.values()):
        problems.append(f"no weights are cached, and {OFFLINE_VARIABLE} forbids downloading them")
    return found


def _calibrations(problems: list[str]) -> list[str]:
    from quovadis.cache import cached_items

    items = [item for item in cached_items() if item.kind == "calibrations"]
    for item in items:
        if item.is_unusable:
            problems.append(
                f"{abbreviated(item.paths[0])}: a calibration that is {item.belongs_to}, and is not used: delete it"
            )
    return [item.belongs_to for item in items]


def _extras(problems: list[str], *, imports: bool) -> Section:
    from quovadis.extras import EXTRAS

    found = {}
    for module in EXTRAS:
        # TensorFlow goes by two names.
        found[module] = _installed(module) or _installed(f"{module}-cpu")
        if imports and found[module] is not None:
            error = _import_error(module)
            if error is not None:
                problems.append(f"{module} {found[module]} cannot be imported: {error}")
                found[module] = f"{found[module]}, broken"
    return found


def _import_error(module: str) -> str | None:
    """Import an extra in a process of its own, which may even crash, and return what went wrong."""
    code = f"from quovadis.extras import import_extra; import_extra({module!r}, 'a test')"
    try:
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=_IMPORT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"not done after {_IMPORT_SECONDS} seconds"
    lines = done.stderr.strip().splitlines()
    return (lines[-1] if lines else f"exit code {done.returncode}") if done.returncode else None


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _environment(problems: list[str]) -> Section:
    from quovadis.errors import without_passwords

    variables = {name: value for name, value in sorted(os.environ.items()) if name.startswith("QUOVADIS_")}
    proxies = [name for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY") if _is_set(name)]
    return {
        "variables": {name: without_passwords(abbreviated(value)) for name, value in variables.items()},
        "proxies": proxies,
    }


def _is_set(name: str) -> bool:
    # An address may hold a password, so that only the names are told.
    return bool(os.environ.get(name) or os.environ.get(name.lower()))


def _said(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
