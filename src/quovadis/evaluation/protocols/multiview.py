"""Several clips and crops of a video, whose softmax is averaged: how SlowFast and MMAction2 test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import partial

import av
import numpy as np
from numpy.typing import NDArray

from quovadis.architecture import CLIP_FRAMES, FRAME_SIZE, FRAMES_PER_SECOND
from quovadis.engines import Engine
from quovadis.errors import ArchitectureError
from quovadis.evaluation.protocols.protocol import View
from quovadis.fields import check_value
from quovadis.video import SourceReader, clips_at
from quovadis.video.geometry import SHORT_SIDE, FrameConverter, Geometry
from quovadis.video.orientation import UPRIGHT, Orientation
from quovadis.video.sampling import FrameRate

CLIPS, CROPS = 10, 3
"""The usual number of views: 30."""
MAX_CLIPS = 1000
_SMALLEST_CROP = 193
"""Pixels of a side; less leaves the head nothing to pool."""


class MultiviewProtocol:
    """Clips of 79 frames spread evenly over the video at 25 frames a second, each seen through one or three crops.

    Clip i of n begins at frame round(i * (N - 79) / (n - 1)), halves to even; a single one in the middle; of a video
    under 79 frames every clip is the video looped (MMAction2's `SampleFrames` in test mode, aligned with SlowFast). The
    short side becomes 256; three squares lie at both ends and in the middle of the longer side, one in the middle
    (SlowFast's `uniform_crop`). The video's scores are the mean of all softmaxes.
    """

    name = "multiview"
    in_order_of_keys = False

    def __init__(
        self,
        clips: int = CLIPS,
        crops: int = CROPS,
        crop_size: int | None = None,
        *,
        clip_frames: int = CLIP_FRAMES,
        fps: FrameRate = FRAMES_PER_SECOND,
    ) -> None:
        """Choose the views.

        Args:
            clips: of a video, 1 to 1,000.
            crops: 1 or 3.
            crop_size: pixels, 193 to 256; None: 256 for three crops, as both tools take it, and 224 for one.
            clip_frames: of a clip; other than 79 only for weights that were trained on others.
            fps: frames a second, of which the same holds.

        Raises:
            ArchitectureError: another number or size, or no whole number.
        """
        clips = check_value("clips", clips, int, ArchitectureError, at_most=MAX_CLIPS)
        crops = check_value("crops", crops, int, ArchitectureError)
        crop_size = check_value("crop_size", crop_size, int | None, ArchitectureError)
        if clips < 1 or crops not in (1, 3):
            raise ArchitectureError(f"{clips} clips and {crops} crops: there must be 1 or more clips, and 1 or 3 crops")
        self._clips = clips
        self._crops = crops
        self._frames, self._fps = clip_frames, fps
        usual = SHORT_SIDE if crops == 3 else FRAME_SIZE
        self._size = usual if crop_size is None else crop_size
        if not _SMALLEST_CROP <= self._size <= SHORT_SIDE:
            raise ArchitectureError(f"crops must be of {_SMALLEST_CROP} to {SHORT_SIDE} pixels, not {self._size}")

    @property
    def settings(self) -> Mapping[str, int | float | str]:
        """Everything that results depend on."""
        return {
            "protocol": self.name,
            "clips": self._clips,
            "crops": self._crops,
            "crop_size": self._size,
            "clip_frames": self._frames,
            "fps": self._fps,
        }

    def views(self, video: SourceReader, engine: Engine) -> Iterator[View]:
        """Yield clips times crops views."""
        windows = clip_windows(video.count_frames(self._fps), self._clips, self._frames)
        made = partial(_CropConverter, self._size, self._crops)
        for clip in clips_at(video, windows, fps=self._fps, converter=made):
            for crop in range(self._crops):
                pixels = np.ascontiguousarray(clip.pixels[:, crop])
                yield View(clip.index, crop, windows[clip.index][0], engine.run(pixels[np.newaxis]).logits[0])


class _CropConverter:
    """Cuts crops out of frames whose short side becomes 256."""

    def __init__(self, size: int, crops: int) -> None:
        self._whole = FrameConverter(Geometry(crop=None, keep_224=False))
        self._size = size
        self._crops = crops

    def convert(
        self, frame: av.VideoFrame, aspect_ratio: Fraction, orientation: Orientation = UPRIGHT
    ) -> NDArray[np.uint8]:
        """Return RGB, uint8 0..255, shape crops, size, size, 3, contiguous."""
        pixels = self._whole.convert(frame, aspect_ratio, orientation)
        # Of a video whose frames change their shape, as broadcasts do, each has corners of its own.
        height, width = pixels.shape[:2]
        corners = crop_corners(height, width, self._size, self._crops)
        return np.stack([pixels[top : top + self._size, left : left + self._size] for top, left in corners])


def clip_windows(frames: int, clips: int, clip_frames: int = CLIP_FRAMES) -> list[list[int]]:
    """Return the frames of each clip of a video, by their numbers from 0."""
    rest = max(frames - clip_frames, 0)
    starts = [rest // 2] if clips == 1 else [round(clip * (rest / (clips - 1))) for clip in range(clips)]
    return [[(start + index) % frames for index in range(clip_frames)] for start in starts]


def crop_corners(height: int, width: int, size: int, crops: int) -> list[tuple[int, int]]:
    """Return top and left of each crop: of three the first at the top or left, the second in the middle."""
    top, left = -(-(height - size) // 2), -(-(width - size) // 2)
    if crops == 1:
        return [(top, left)]
    if height > width:
        return [(0, left), (top, left), (height - size, left)]
    return [(top, 0), (top, left), (top, width - size)]
