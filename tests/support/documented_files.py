"""The files that the pages speak of: clip.mp4, videos/, val.csv and so on, each as short as it may be."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image

from quovadis.export import tensorflow_checkpoint
from quovadis.export.options import ExportOptions
from quovadis.weights import load_weights
from support.googlenet import googlenet

CLASSES = {"archery": "archery.avi", "arm wrestling": "arm_wrestling.mp4"}
"""Videos by class of Kinetics."""


def make_documented_files(folder: Path, clips: Path) -> None:
    """Make everything that a reader of the pages is taken to have, in a folder that is there."""
    archery = clips / CLASSES["archery"]
    _cut(archery, folder / "clip.mp4", frames=79)
    for number, (label, name) in enumerate(CLASSES.items()):
        video, name = clips / name, label.replace(" ", "_")
        # Enough for a window of 64 frames and the one that has to follow it.
        _cut(video, folder / "videos" / f"{name}.mp4", frames=65)
        short = _cut(video, folder / "my_videos" / label / f"{name}.mp4", frames=24)
        # A class has to have a video to train on and another to validate with.
        _cut(video, folder / "my_videos" / label / f"{name}_mirrored.mp4", "scale=320:240,hflip", frames=24)
        key = f"video{number:06d}"
        for root in (folder, folder / "kinetics"):
            _copy(short, root / "val" / f"{key}_000010_000020.mp4")
        _write_frames(short, folder / "frames" / label / key)
    _write_annotations(folder)
    for number, name in enumerate(("archery.avi", "arm_wrestling.mp4", "clean_and_jerk.mp4")):
        # The longest clips that the page on FVD measures have 128 frames.
        real = _cut(clips / name, folder / "real_videos" / f"{number}.mp4", "scale=96:72", frames=128)
        generated = _cut(clips / name, folder / "generated_videos" / f"{number}.mp4", "scale=96:72,hflip", frames=128)
        _copy(real, folder / "real" / real.name)
        _copy(generated, folder / "generated" / generated.name)
    noise = np.random.default_rng(0).integers(0, 256, (3, 128, 32, 32, 3), np.uint8)
    np.save(folder / "generated.npy", noise)
    torch.save(googlenet().state_dict(), folder / "googlenet.pth")
    (folder / "my_classes.txt").write_text("wave\nnod\npoint\n")
    tensorflow_checkpoint.write(load_weights("rgb-scratch"), folder / "model.ckpt", ExportOptions())


def copy_documented_files(source: Path, folder: Path) -> None:
    """Put them into another folder; large files are linked, since nothing writes into files that are there."""
    shutil.copytree(source, folder, copy_function=os.link, dirs_exist_ok=True)


def _cut(source: Path, path: Path, filters: str = "scale=320:240", *, frames: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    arguments = ["-frames:v", str(frames), "-vf", filters, "-r", "25", "-an", "-c:v", "libx264", "-preset", "ultrafast"]
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(source), *arguments, str(path)], check=True)
    return path


def _copy(source: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, path)


def _write_frames(video: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    with av.open(str(video)) as container:
        for number, frame in enumerate(container.decode(video=0), 1):
            Image.fromarray(frame.to_ndarray(format="rgb24")).save(folder / f"image_{number:05d}.jpg")


def _write_annotations(folder: Path) -> None:
    lines = ["label,youtube_id,time_start,time_end,split"]
    database = {}
    for number, label in enumerate(CLASSES):
        lines.append(f"{label},video{number:06d},10,20,validate")
        database[f"video{number:06d}"] = {"subset": "validation", "annotations": {"label": label}}
    for root in (folder, folder / "kinetics"):
        (root / "val.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    whole = {"labels": list(CLASSES), "database": database}
    (folder / "kinetics.json").write_text(json.dumps(whole), encoding="utf-8")
