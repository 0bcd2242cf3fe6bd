"""Compile the kernels, once for each instruction set, into one shared library beside this file.

    python -m quovadis.native

Installing the package does the same (`hatch_build.py`), where there is a C++ compiler; this module therefore imports
nothing of the package.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCES = Path(__file__).parent
LIBRARY = SOURCES / "_kernels.so"

INSTRUCTION_SETS: dict[str, tuple[int, tuple[str, ...]]] = {
    "avx512": (16, ("-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mfma", "-mprefer-vector-width=512")),
    "avx2": (8, ("-mavx2", "-mfma")),
}
"""Name, floats in a vector, and what to tell the compiler."""
AMX_FLAGS = ("-mamx-tile", "-mamx-int8", "-mavx512vbmi")
"""For the kernels on the matrix unit, which use AVX-512 too; older compilers do not know them."""


def unsupported_machine() -> str | None:
    """Say why there are no kernels for this machine's system or kind of processor; None if there are."""
    if platform.machine().lower() in ("x86_64", "amd64") and sys.platform != "win32":
        return None
    return f"the kernels are written for x86-64 on Linux and macOS, not {sys.platform} {platform.machine()}"


class BuildError(Exception):
    """The kernels cannot be compiled here; the message says why."""


def build(library: Path | None = None) -> Path:
    """Compile the kernels for x86-64.

    The compiler is `$CXX`, else c++, g++ or clang++; `$CXXFLAGS` are added.

    Returns:
        The shared library, `library` or the package's own, which appears whole or not at all.

    Raises:
        BuildError: another processor, no compiler, or one that fails.
    """
    reason = unsupported_machine()
    if reason is not None:
        raise BuildError(reason)
    compiler = _compiler()
    common = [
        *compiler,
        "-std=c++17",
        "-O3",
        "-fPIC",
        "-fvisibility=hidden",
        *shlex.split(os.environ.get("CXXFLAGS", "")),
    ]
    library = library or LIBRARY
    with tempfile.TemporaryDirectory() as folder:
        objects = []
        for name, (lanes, flags) in INSTRUCTION_SETS.items():
            objects.append(f"{folder}/{name}.o")
            defines = [f"-DQUOVADIS_KERNELS={name}", f"-DQUOVADIS_LANES={lanes}"]
            _run([*common, *flags, *defines, "-c", str(SOURCES / "kernels.cpp"), "-o", objects[-1]])
        objects.append(f"{folder}/integers.o")
        flags = (*INSTRUCTION_SETS["avx512"][1], "-mavx512vnni")
        _run([*common, *flags, "-c", str(SOURCES / "integers.cpp"), "-o", objects[-1]])
        defines = []
        if _knows_amx(compiler, folder):
            defines = ["-DQUOVADIS_AMX"]
            objects.append(f"{folder}/amx.o")
            _run([*common, *flags, *AMX_FLAGS, "-c", str(SOURCES / "amx.cpp"), "-o", objects[-1]])
        made = library.with_name(f"{library.name}.{os.getpid()}")
        _run([*common, *defines, "-shared", "-pthread", str(SOURCES / "library.cpp"), *objects, "-o", str(made)])
        made.replace(library)
    return library


def _compiler() -> list[str]:
    chosen = os.environ.get("CXX")
    if chosen:
        return shlex.split(chosen)
    for name in ("c++", "g++", "clang++"):
        if shutil.which(name):
            return [name]
    raise BuildError("there is no C++ compiler: install g++ or clang++, or name one in CXX")


def _knows_amx(compiler: list[str], folder: str) -> bool:
    """Return whether there can be kernels for AMX: on Linux, and if compiler and assembler know the instructions."""
    trial = Path(folder, "trial.cpp")
    trial.write_text("#include <immintrin.h>\nvoid trial() { _tile_dpbusd(0, 1, 2); }\n", "utf-8")
    try:
        _run([*compiler, *AMX_FLAGS, "-c", str(trial), "-o", f"{folder}/trial.o"])
    except BuildError:
        return False
    return sys.platform == "linux"


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError as error:
        raise BuildError(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        raise BuildError(f"{' '.join(command)}:\n{done.stderr}")


def main() -> int:
    """Build, and say where the library is or why there is none."""
    try:
        print(build())
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
