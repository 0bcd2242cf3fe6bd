"""What v-iashin/video_features does with a video, by its own means."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image


def as_the_original_does(length: int, stack_size: int, step: int) -> list[tuple[list[int], int]]:
    """The frames of each stack and the frame at which it is run, by the loop of video_features' extract_i3d.py."""
    stack: list[int] = []
    made = []
    for frame in range(length):
        stack.append(frame)
        if len(stack) - 1 == stack_size:
            made.append((stack[:-1], frame))
            stack = stack[step:]
    return made


def opencv_frames(path: Path, most: int | None = None) -> tuple[list[NDArray[np.uint8]], list[float], float]:
    """What OpenCV reads, or the first of it: pictures, CAP_PROP_POS_MSEC after each, and CAP_PROP_FPS."""
    capture = cv2.VideoCapture(str(path))
    rate = capture.get(cv2.CAP_PROP_FPS)
    pictures, times = [], []
    while True:
        there, picture = capture.read()
        if not there or len(pictures) == most:
            capture.release()
            return pictures, times, rate
        pictures.append(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
        times.append(capture.get(cv2.CAP_PROP_POS_MSEC))


def resized_and_cropped(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The original's transforms: Pillow's bilinear with the long side truncated, the centre rounded down."""
    height, width = picture.shape[:2]
    size = (256, int(256 * height / width)) if width < height else (int(256 * width / height), 256)
    image = Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR)
    left, top = (size[0] - 224) // 2, (size[1] - 224) // 2
    return np.asarray(image.crop((left, top, left + 224, top + 224)))
