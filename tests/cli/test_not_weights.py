"""What is given as weights and is none: every command says what it is and what is wanted, in one line."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from support.command_line import quovadis


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("holiday.txt", "x")


KINDS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "video": ("clip.mp4", lambda p: p.write_bytes(b"\0\0\0\x20ftypisom" + bytes(99)), "not weights but a video"),
    "damaged video": ("clip.avi", lambda p: p.write_bytes(b"\xff\xee" * 99), "by its name a video"),
    "photo": ("photo.jpg", lambda p: Image.new("RGB", (8, 8)).save(p), "not weights but an image"),
    "empty": ("model.onnx", lambda p: p.write_bytes(b""), "not weights but an empty file"),
    "text": ("notes.txt", lambda p: p.write_text("buy milk"), 'but text that begins "buy milk"'),
    "zip": ("model.pt", _zip, "not weights but a zip archive (in it: holiday.txt)"),
    "noise": ("model.dat", lambda p: p.write_bytes(b"\xff\xee" * 99), "not a file of weights in a format that can be"),
    "folder": ("models", lambda p: p.mkdir(), "no weights directly in this folder"),
    "values alone": ("m.data-00000-of-00001", lambda p: p.write_bytes(b"x"), "only the values of a TensorFlow"),
    "absent": ("gone.pt", lambda p: None, "neither a file nor official weights"),
}
COMMANDS = ("classify", "evaluate", "verify", "convert")


def run(command: str, path: Path, tmp_path: Path) -> str:
    arguments: dict[str, tuple[str | Path, ...]] = {
        "verify": ("weights", "verify", path),
        "convert": ("convert", path, tmp_path / "x.onnx"),
    }
    # One that can be opened: weights are looked at after that.
    Image.new("RGB", (8, 8)).save(tmp_path / "video.gif")
    found = quovadis(*arguments.get(command, (command, tmp_path / "video.gif", "-w", path)), COLUMNS="1000")
    assert found.returncode == 1
    assert "Traceback" not in found.stderr
    return found.stdout + found.stderr


@pytest.mark.parametrize(
    "command", [pytest.param(name, marks=pytest.mark.slow) if name == "convert" else name for name in COMMANDS]
)
def test_every_command_says_what_it_is(command: str, assets: Path, tmp_path: Path) -> None:
    # Each conversion starts a process.
    kinds = [KINDS["video"]] if command == "convert" else KINDS.values()
    for number, (name, make, what) in enumerate(kinds):
        path = tmp_path / str(number) / name
        path.parent.mkdir()
        make(path)
        said = run(command, path, tmp_path)
        assert f"{path}: {what}" in said or f"{path}: not a TensorFlow checkpoint or other weights file, {what}" in said
    index = tmp_path / "model.ckpt.index"
    shutil.copy(assets / "assets" / "checkpoints" / "rgb_scratch" / "model.ckpt.index", index)
    assert f"{index}: only the index of a TensorFlow checkpoint" in run(command, index, tmp_path)
