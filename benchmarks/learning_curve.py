"""How many videos does the stage `head` need? Accuracy by the videos of each class: what docs/training.md says.

Two sets: generated videos that only motion tells apart, which is as far from what the network was trained on as can be;
and windows of the five real test clips, earlier ones to train on and later ones to validate with, which is as near.
Features are computed once; then a last layer is trained on several random choices of so many videos. Prints JSON.

    python benchmarks/learning_curve.py [--weights rgb-scratch] [--assets ../shared] [--videos 32] [--small]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_case import ASSETS
from machine import describe

import quovadis
from quovadis.datasets import read_dataset
from quovadis.recognizer import Recognizer
from quovadis.training.clips import ClipDataset, ClipSampling
from quovadis.training.head_features import HeadFeatures, head_features
from quovadis.training.head_stage import train_head
from quovadis.training.options import TrainingOptions
from quovadis.training.synthetic import MOTION_CLASSES, write_motion_dataset
from quovadis.video import open_video

CLIPS = ("arm_wrestling.mp4", "archery.avi", "clean_and_jerk.mp4", "horse_riding.gif", "sign_language_thanks.mkv")
WINDOW, STRIDE, WINDOWS = 16, 3, 4
"""Frames of a window of a real clip, frames from one to the next, windows to train on; one later one validates."""
VALIDATION_VIDEOS = 16
"""Generated ones of each class."""
CHOICES = 5
"""Random choices of so many videos."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="rgb-scratch")
    parser.add_argument("--assets", type=Path, default=ASSETS, help="the folder that holds clips/")
    parser.add_argument("--videos", type=int, default=32, help="generated ones of each class, at most, to train on")
    parser.add_argument("--small", action="store_true", help="few short videos: a trial of the script")
    arguments = parser.parse_args()
    with quovadis.load(arguments.weights) as backbone, tempfile.TemporaryDirectory() as folder:
        found: dict[str, Any] = {"machine": describe(torch.get_num_threads()), "weights": arguments.weights}
        found["engine"] = backbone.maker
        for name, (training, validation, seconds) in {
            "generated": generated(backbone, Path(folder), 2 if arguments.small else arguments.videos, arguments.small),
            "real windows": real_windows(backbone, arguments.assets / "clips"),
        }.items():
            clips = len(training.keys) + len(validation.keys)
            found[name] = {
                "classes": len(np.unique(training.targets)),
                "validation_videos": len(validation.keys),
                "seconds_for_features_of_a_clip": seconds / clips,
                "curve": curve(training, validation),
            }
    print(json.dumps(found, indent=1))


def curve(training: HeadFeatures, validation: HeadFeatures) -> list[dict[str, float]]:
    """Train a last layer on 1, 2, 4 … videos of each class, and tell how good it is."""
    rows = []
    classes = int(training.targets.max()) + 1
    count, most = 1, int(np.bincount(training.targets).min())
    while count <= most:
        scores, start = [], time.perf_counter()
        for choice in range(CHOICES if count < most else 1):
            of_class = [np.flatnonzero(training.targets == index) for index in range(classes)]
            random = np.random.default_rng(choice)
            chosen = np.concatenate([random.permutation(own)[:count] for own in of_class])
            part = replace(
                training,
                keys=tuple(training.keys[index] for index in chosen),
                values=training.values[chosen],
                targets=training.targets[chosen],
            )
            head = train_head(part, validation, classes, TrainingOptions())
            assert head.evaluation is not None
            scores.append(head.evaluation.figures["video_top1"])
        row = {"videos_of_each_class": count, "top1_mean": float(np.mean(scores))}
        row |= {"top1_least": min(scores), "top1_greatest": max(scores), "choices": len(scores)}
        rows.append(row | {"seconds_for_a_head": (time.perf_counter() - start) / len(scores)})
        count *= 2
    return rows


def generated(backbone: Recognizer, folder: Path, videos: int, small: bool) -> tuple[HeadFeatures, HeadFeatures, float]:
    """Return features of generated videos, and the seconds that they took: each is one clip."""
    frames = 16 if small else 64
    sampling = ClipSampling(frames=frames, flip=False)
    parts: list[HeadFeatures] = []
    seconds = 0.0
    for part, count in (("train", videos), ("validation", 2 if small else VALIDATION_VIDEOS)):
        own = write_motion_dataset(folder / part, videos_per_class=count, frames=frames, seed=len(parts))
        clips = ClipDataset(read_dataset(own, MOTION_CLASSES), sampling, training=part == "train")
        start = time.perf_counter()
        parts.append(head_features(backbone, clips, folder / f"{part}-features", views=1, settings={}))
        seconds += time.perf_counter() - start
    return parts[0], parts[1], seconds


def real_windows(backbone: Recognizer, clips: Path) -> tuple[HeadFeatures, HeadFeatures, float]:
    """Return features of windows of the real clips, the last of each clip without a common frame with those before."""
    rows: dict[str, list[np.ndarray]] = {"train": [], "validation": []}
    start = time.perf_counter()
    for file in CLIPS:
        with open_video(clips / file) as video:
            frames = np.stack([frame.pixels for frame in video])
        starts = {"train": range(0, WINDOWS * STRIDE, STRIDE), "validation": [len(frames) - WINDOW]}
        assert len(frames) - WINDOW >= (WINDOWS - 1) * STRIDE + WINDOW
        for part, first in starts.items():
            for index in first:
                output = backbone.run(frames[np.newaxis, index : index + WINDOW])
                rows[part].append(output.features[0].mean(0))
    seconds = time.perf_counter() - start
    parts = []
    for part, values in rows.items():
        targets = np.repeat(np.arange(len(CLIPS)), len(values) // len(CLIPS))
        keys = tuple(f"{part} {index}" for index in range(len(values)))
        parts.append(HeadFeatures(keys, np.stack(values)[:, np.newaxis].astype(np.float32), targets, {}))
    return parts[0], parts[1], seconds


if __name__ == "__main__":
    main()
