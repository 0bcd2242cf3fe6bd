"""`quovadis doctor`: what is installed and works, in lines to paste into a report of a bug."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quovadis import diagnostics
from quovadis.engines import native_library
from quovadis.native import build
from quovadis.version import __version__
from support.command_line import quovadis


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache below a home directory of its own."""
    monkeypatch.setenv("HOME", str(tmp_path / "jane"))
    monkeypatch.setenv("QUOVADIS_HOME", str(tmp_path / "jane" / "cache"))
    (tmp_path / "jane").mkdir()
    # A process: one test asks it.
    monkeypatch.setattr(diagnostics.shutil, "which", lambda name: None)
    return tmp_path / "jane" / "cache"


def doctor(*arguments: str, code: int = 0) -> dict[str, Any]:
    done = quovadis("doctor", "--json", *arguments)
    assert done.returncode == code, done.stdout
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def keys(value: object) -> list[str]:
    if not isinstance(value, dict):
        return []
    return [*value, *(key for one in value.values() for key in keys(one))]


def test_it_tells_versions_machine_engines_ffmpeg_cache_weights_extras_and_environment(home: Path) -> None:
    found = doctor()
    assert found["versions"]["quovadis"] == __version__
    assert found["machine"]["usable_cores"] >= 1
    assert found["engines"]["auto"]["f32"] in ("native", "openvino")
    assert found["ffmpeg"]["libraries"]["libavcodec"].count(".") == 2
    assert found["cache"] == {
        "folder": str(Path("~", "cache")),
        "writable": True,
        "bytes": 0,
        "bytes_by_kind": dict.fromkeys(("weights", "samples", "compiled", "calibrations"), 0),
    }
    assert found["weights"] == dict.fromkeys(("rgb-imagenet", "rgb-scratch", "rgb-scratch-kinetics600"), "not cached")
    assert found["extras"]["torch"]
    assert found["environment"]["variables"]["QUOVADIS_HOME"] == str(Path("~", "cache"))
    assert found["problems"] == []
    # Looking makes nothing.
    assert not home.exists()


def test_its_json_has_identifiers_for_keys() -> None:
    found = doctor()
    # What packages, weights and variables are called is theirs to say.
    own = keys({**found, "versions": None, "weights": None, "environment": None})
    assert [key for key in own if not key.isidentifier()] == []


def test_its_lines_are_plain_and_name_nobody(tmp_path: Path) -> None:
    shown = quovadis("doctor").stdout
    assert f"  quovadis: {__version__}\n" in shown
    assert shown.endswith("no problem found\n")
    assert str(tmp_path) not in shown
    assert "\x1b" not in shown


def test_missing_kernels_are_told_with_the_reason_and_the_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_library, "LIBRARY", tmp_path / "missing.so")
    # Slow, but no fault.
    engines = doctor()["engines"]
    assert engines["kernels"] == []
    assert "install a C++ compiler" in engines["kernels_missing"]
    assert engines["auto"] == {"f32": "openvino", "int8": "openvino"}


def test_kernels_that_cannot_be_loaded_are_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.so").write_bytes(b"no library")
    monkeypatch.setattr(native_library, "LIBRARY", tmp_path / "broken.so")
    native_library._library.cache_clear()
    try:
        (problem,) = doctor(code=1)["problems"]
    finally:
        native_library._library.cache_clear()
    assert "the kernels cannot be loaded" in problem


def test_a_processor_that_has_no_kernels_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build.platform, "machine", lambda: "aarch64")
    assert "written for x86-64" in doctor()["engines"]["kernels_missing"]


def test_damaged_weights_are_a_problem_with_the_command_that_helps(home: Path) -> None:
    folder = home / "weights" / "rgb-scratch"
    folder.mkdir(parents=True)
    (folder / "i3d-kinetics-400.ckpt").write_bytes(b"cut off")
    found = doctor(code=1)
    assert found["weights"]["rgb-scratch"] == "damaged"
    assert found["problems"] == ["rgb-scratch: not the official file; run quovadis weights pull rgb-scratch --force"]


def test_official_weights_are_verified(rgb_scratch_path: Path, quovadis_home: Path) -> None:
    done = quovadis("doctor", "--json", QUOVADIS_HOME=str(quovadis_home))
    assert json.loads(done.stdout)["weights"]["rgb-scratch"] == "verified"


def test_a_cache_that_cannot_be_written_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("QUOVADIS_HOME", str(tmp_path / "file" / "cache"))
    (problem,) = doctor(code=1)["problems"]
    assert "the cache cannot be written: Not a directory; set QUOVADIS_HOME" in problem


def test_a_cache_that_cannot_be_made_is_not_writable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "deep")
    for folder in (tmp_path / "link", Path("/proc/quovadis")):
        monkeypatch.setenv("QUOVADIS_HOME", str(folder))
        found = doctor(code=1)
        assert found["cache"]["writable"] is False
        assert "the cache cannot be written" in found["problems"][0]


def test_a_damaged_calibration_is_a_problem(home: Path) -> None:
    path = home / "quantization" / f"{'ab' * 32}.npz"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"cut off")
    assert doctor(code=1)["problems"] == [
        f"{Path('~', 'cache', 'quantization', path.name)}: a calibration that is damaged, or of another version, "
        "and is not used: delete it"
    ]


def test_sizes_are_named_by_their_unit_once() -> None:
    shown = quovadis("doctor").stdout
    assert "  memory: " in shown
    assert "  size: 0.0 MB\n" in shown
    assert "  size by kind: weights 0.0 MB" in shown
    assert "bytes" not in shown


def test_no_weights_and_no_network_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUOVADIS_OFFLINE", "1")
    assert doctor(code=1)["problems"] == ["no weights are cached, and QUOVADIS_OFFLINE forbids downloading them"]


def test_a_password_of_a_mirror_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUOVADIS_MIRROR", "https://jane:secret@mirror.invalid/i3d")
    assert doctor()["environment"]["variables"]["QUOVADIS_MIRROR"] == "https://jane:***@mirror.invalid/i3d"


def test_of_a_proxy_only_the_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://jane:secret@proxy.invalid")
    shown = quovadis("doctor").stdout
    assert "proxies: HTTPS_PROXY" in shown
    assert "secret" not in shown


@pytest.mark.parametrize("section", ["_versions", "_machine", "_engines", "_ffmpeg", "_cache", "_weights", "_extras"])
@pytest.mark.parametrize("error", [RuntimeError("bad\nluck"), SystemExit(3), ImportError("no such library")])
def test_whatever_breaks_is_a_line_and_the_rest_is_told(
    section: str, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(diagnostics, section, fail)
    found = doctor(code=1)
    (problem,) = found["problems"]
    assert type(error).__name__ in problem
    assert "\n" not in problem
    assert found[section.strip("_")] is None
    assert found["environment"] is not None


@pytest.mark.parametrize("package", ["av", "quovadis.openvino_runtime"])
def test_a_package_that_raises_on_import_is_a_line(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    imported: Callable[..., Any] = diagnostics.importlib.import_module

    def import_module(name: str, **relative: str) -> Any:
        if name == package:
            raise OSError("libmissing.so: cannot open shared object file")
        return imported(name, **relative)

    monkeypatch.setattr(diagnostics.importlib, "import_module", import_module)
    (problem,) = doctor(code=1)["problems"]
    assert "cannot be imported" in problem
    assert "libmissing.so" in problem


def test_ffmpegs_program_is_told_where_there_is_one(ffmpeg: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert doctor()["ffmpeg"]["program"].startswith("ffmpeg version")


@pytest.mark.slow
def test_extras_are_imported_on_request_and_a_broken_one_is_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "h5py.py").write_text("raise RuntimeError('built for another NumPy')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setattr("quovadis.extras.EXTRAS", {"h5py": ("h5py", "hdf5"), "pyarrow": ("pyarrow", "parquet")})
    found = doctor("--imports", code=1)
    assert found["extras"]["h5py"].endswith(", broken")
    assert "broken" not in found["extras"]["pyarrow"]
    (problem,) = found["problems"]
    assert problem.endswith("cannot be imported: RuntimeError: built for another NumPy")


@pytest.mark.slow
@pytest.mark.parametrize("module", ["av", "numpy", "typer"])
def test_where_the_command_line_itself_cannot_be_imported_the_doctor_still_speaks(module: str, tmp_path: Path) -> None:
    (tmp_path / f"{module}.py").write_text("raise ImportError('undefined symbol')")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "quovadis", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    asked = run("doctor")
    assert asked.returncode == 1
    assert f"quovadis: {__version__}" in asked.stdout
    assert "undefined symbol" in asked.stdout or module == "typer"
    other = run("info")
    assert other.returncode == 1
    assert other.stderr.startswith("quovadis: error: the installation is broken: ")
    assert "Traceback" not in asked.stderr + other.stderr


def test_it_asks_nothing_of_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*_: object) -> None:
        raise AssertionError("the network is asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert doctor()["problems"] == []
