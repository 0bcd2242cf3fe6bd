"""Twelve short videos in every form of dataset, and a network whose answers are the colours in them.

A video's colour says which class the network answers, and it changes twice: what each protocol must find is known.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from quovadis.labels import kinetics400
from support.synthetic import write_video

ANSWERS = (0, 5, 399, 17, 42, 250)
"""Classes that the network may answer; the one after its answer comes second."""
FRAMES = 100
CHANGES = (5, 15)
"""Frames at which the colour changes. Clips of 79 frames begin at 0, 10 and 20 or 21 in both protocols with clips."""
WIDTH, HEIGHT = 64, 48


class Video(NamedTuple):
    """One video."""

    name: str
    label: int
    answers: tuple[int, int, int]
    """Places in `ANSWERS`, before the first change, between both, and after the second."""


VIDEOS = (
    Video("aaaaaaaaaaa_000001_000005", 0, (0, 0, 0)),
    Video("bbbbbbbbbbb_000002_000006", 0, (0, 1, 1)),
    Video("ccccccccccc_000003_000007", 0, (5, 5, 0)),
    Video("ddddddddddd_000004_000008", 0, (1, 2, 3)),
    Video("-eeeeeeeeee_000010_000014", 5, (1, 1, 1)),
    Video("fffffffffff_000011_000015", 5, (1, 1, 0)),
    Video("_gggggggggg_000012_000016", 5, (0, 1, 0)),
    Video("hhhhhhhhhhh_000013_000017", 5, (2, 2, 2)),
    Video("iiiiiiiiiii_000020_000024", 399, (2, 2, 2)),
    Video("jjjjjjjjjjj_000021_000025", 399, (2, 1, 2)),
    Video("kkkkkkkkkkk_000022_000026", 399, (3, 3, 2)),
    Video("lllllllllll_000023_000027", 399, (3, 4, 5)),
)


def logits_of(answer: int) -> NDArray[np.float32]:
    """Return what the network says of a colour."""
    logits = np.zeros(400, np.float32)
    logits[ANSWERS[answer]] = 5
    logits[ANSWERS[(answer + 1) % len(ANSWERS)]] = 3
    return logits


def answer_in(picture: NDArray[np.uint8]) -> int:
    return round((float(picture[100:120, 100:120, 0].mean()) - 20) / 40) % len(ANSWERS)


def pictures(video: Video) -> list[NDArray[np.uint8]]:
    result = []
    for frame in range(FRAMES):
        answer = video.answers[sum(frame >= change for change in CHANGES)]
        result.append(np.full((HEIGHT, WIDTH, 3), (20 + 40 * answer, 90, 60), np.uint8))
    return result


def write_clip(path: Path, video: Video) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_encoded(video, path.suffix))


@cache
def _encoded(video: Video, suffix: str) -> bytes:
    with TemporaryDirectory() as folder:
        # One key frame each, so that colours change at once.
        return write_video(Path(folder, f"clip{suffix}"), pictures(video), options={"g": "1", "crf": "8"}).read_bytes()


def write_frames(folder: Path, video: Video) -> None:
    folder.mkdir(parents=True)
    for number, picture in enumerate(pictures(video), start=1):
        Image.fromarray(picture).save(folder / f"image_{number:05d}.jpg", quality=95)


def label_name(video: Video) -> str:
    return kinetics400()[video.label]


def as_folders(root: Path) -> tuple[Path, Path | None]:
    for video in VIDEOS:
        write_clip(root / label_name(video) / f"{video.name}.mp4", video)
    return root, None


def as_kinetics_csv(root: Path) -> tuple[Path, Path | None]:
    for video in VIDEOS:
        write_clip(root / "val" / f"{video.name}.mp4", video)
    annotation = root / "kinetics_val.csv"
    with annotation.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["label", "youtube_id", "time_start", "time_end", "split"])
        for video in VIDEOS:
            identifier, start, end = video.name[:11], video.name[12:18], video.name[19:]
            rows.writerow([label_name(video), identifier, int(start), int(end), "val"])
    return annotation, root / "val"


def as_list(root: Path) -> tuple[Path, Path | None]:
    lines = []
    for video in VIDEOS:
        write_clip(root / "clips" / f"{video.name}.mp4", video)
        lines.append(f"clips/{video.name}.mp4 {video.label}")
    annotation = root / "list.txt"
    annotation.write_text("\n".join(lines) + "\n")
    return annotation, None


def _json(root: Path, videos: Path) -> tuple[Path, Path | None]:
    database = {video.name: {"subset": "validation", "annotations": {"label": label_name(video)}} for video in VIDEOS}
    database["unwanted"] = {"subset": "training", "annotations": {"label": "archery"}}
    annotation = root / "kinetics.json"
    annotation.write_text(json.dumps({"labels": list(kinetics400()), "database": database}))
    return annotation, videos


def as_kinetics_json(root: Path) -> tuple[Path, Path | None]:
    for video in VIDEOS:
        write_clip(root / "videos" / label_name(video) / f"{video.name}.mp4", video)
    return _json(root, root / "videos")


def as_frames(root: Path) -> tuple[Path, Path | None]:
    for place, video in enumerate(VIDEOS):
        folder = root / "frames" / label_name(video) / video.name
        write_frames(folder, video)
        if place % 2:
            (folder / "n_frames").write_text(f"{FRAMES}\n")
    return _json(root, root / "frames")


FORMS: dict[str, Callable[[Path], tuple[Path, Path | None]]] = {
    "folders": as_folders,
    "kinetics-csv": as_kinetics_csv,
    "list": as_list,
    "kinetics-json": as_kinetics_json,
    "frames": as_frames,
}
"""Each writes the videos and returns the annotation and the folder of videos, None where it need not be said."""
