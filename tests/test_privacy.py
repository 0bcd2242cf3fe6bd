"""Nothing is sent and nothing is left: commands under a guard on sockets, in a home directory that stays empty."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from quovadis.errors import VideoError
from quovadis.video import open_video
from support.synthetic import moving_squares, write_video

GUARD = """
import os, sys

def watch(event, arguments):
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        address = arguments[1]
        if not isinstance(address, tuple):
            return  # a file's name: sockets of this machine
    elif event in {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}:
        address = arguments[0]
    else:
        return
    with open(os.environ["GUARD_LOG"], "a") as log:
        log.write(f"{event} {address} in {sys.argv}\\n")
    raise OSError("the guard forbids the network")

sys.addaudithook(watch)
"""
"""A `sitecustomize.py`: every Python process that is started beneath has it, in all its threads."""

RUN_COMMANDS = """
import shlex, sys
from quovadis.cli.main import app

for line in sys.stdin:
    app(shlex.split(line), standalone_mode=False)
    print("loaded:", *sorted({"openvino"} & sys.modules.keys()), file=sys.stderr)
"""


@dataclass
class Guarded:
    """Runs Python programs under the guard."""

    folder: Path
    environment: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        (self.folder / "guard").mkdir()
        (self.folder / "guard" / "sitecustomize.py").write_text(GUARD)
        self.home.mkdir()
        # Telemetry holds back in CI, and where its own packages run tests; users are neither.
        unset = {"CI", "TF_BUILD", "JENKINS_URL", "ORT_DISABLE_TELEMETRY"}
        unset |= {"XDG_CACHE_HOME", "XDG_CONFIG_HOME"}
        self.environment = {name: value for name, value in os.environ.items() if name not in unset}
        search = [str(self.folder / "guard"), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.environment |= {
            "HOME": str(self.home),
            "USERPROFILE": str(self.home),
            "GUARD_LOG": str(self.log),
            "PYTHONPATH": os.pathsep.join(search),
            "QUOVADIS_OFFLINE": "1",
            # Matplotlib keeps a list of the system's fonts, and says where.
            "MPLCONFIGDIR": str(self.folder / "matplotlib"),
        }

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def log(self) -> Path:
        return self.folder / "network.log"

    def run(self, code: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code]
        return subprocess.run(
            command, input=stdin, env=self.environment, capture_output=True, text=True, check=False, timeout=900
        )

    def assert_nothing_was_sent_or_left(self) -> None:
        assert not self.log.exists(), self.log.read_text()
        assert [str(path) for path in self.home.rglob("*")] == []


@pytest.fixture
def guarded(tmp_path: Path) -> Guarded:
    return Guarded(tmp_path)


@pytest.mark.slow
def test_the_guard_sees_a_look_up_in_a_process_of_a_process(guarded: Guarded) -> None:
    inner = "import socket; socket.getaddrinfo('analytics.invalid', 443)"
    run = guarded.run(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])")
    assert "the guard forbids the network" in run.stderr
    assert "socket.getaddrinfo analytics.invalid" in guarded.log.read_text()


def test_commands_send_nothing_and_leave_nothing_and_only_openvino_loads_openvino(
    guarded: Guarded, rgb_scratch_path: Path, assets: Path, tmp_path: Path
) -> None:
    clip = assets / "clips" / "archery.avi"
    write_video(tmp_path / "brief.mp4", moving_squares(20))
    short = "--weights rgb-scratch --threads 1 --clip-frames 16 --duration 0.64 --json"
    (tmp_path / "clips.tsv").write_text(f"{tmp_path / 'brief.mp4'}\tarchery\n")
    commands = [
        "info --json",
        f"classify {clip} {short} --engine native",
        f"features {clip} -w rgb-scratch --threads 1 --clip-frames 16 --stride 200 -q -o {tmp_path / 'features'}",
        f"evaluate {tmp_path / 'clips.tsv'} -w rgb-scratch --threads 1 -q --json -o {tmp_path / 'report'}",
        f"classify {clip} {short} --engine openvino",
        # Writing and proving are done by processes of their own.
        f"convert rgb-scratch {tmp_path / 'i3d.onnx'} -q --batch 1 --frames 16",
    ]
    run = guarded.run(RUN_COMMANDS, "\n".join(commands))
    assert run.returncode == 0, run.stderr
    loaded = [line for line in run.stderr.splitlines() if line.startswith("loaded:")]
    assert loaded == ["loaded:"] * 4 + ["loaded: openvino"] * 2
    assert (tmp_path / "i3d.onnx").is_file()
    guarded.assert_nothing_was_sent_or_left()


@pytest.mark.slow
def test_onnx_runtime_is_imported_without_its_telemetry(guarded: Guarded) -> None:
    run = guarded.run("from quovadis.extras import import_extra; import_extra('onnxruntime', 'a test')")
    assert run.returncode == 0, run.stderr
    guarded.assert_nothing_was_sent_or_left()


def test_the_telemetry_package_itself_stays_usable() -> None:
    from quovadis.openvino_runtime import without_telemetry

    with without_telemetry(), pytest.raises(ImportError):
        import openvino_telemetry
    import openvino_telemetry

    assert sys.modules["openvino_telemetry"] is openvino_telemetry


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/a.mp4", "rtsp://127.0.0.1:9/a", "udp://127.0.0.1:9"])
def test_an_address_is_refused_offline(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUOVADIS_OFFLINE", "1")
    with pytest.raises(VideoError, match=r"127\.0\.0\.1.*QUOVADIS_OFFLINE is set.*give a local file"):
        open_video(address)


def test_local_files_and_cameras_are_read_offline(assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUOVADIS_OFFLINE", "1")
    with open_video(f"file://{assets}/clips/archery.avi") as video:
        assert video.duration_seconds > 0
    with pytest.raises(VideoError) as caught:
        open_video("camera:/dev/no-such-camera")
    assert "QUOVADIS_OFFLINE" not in str(caught.value)
