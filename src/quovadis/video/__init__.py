"""Video to frames to clips: streaming, upright, undistorted, at 25 frames a second."""

from __future__ import annotations

from quovadis.video.array import array_frames, check_array
from quovadis.video.centre import centre_clip
from quovadis.video.clips import Clip, centre_of, clips_from_frames
from quovadis.video.decoder import VideoReport
from quovadis.video.expand import discover_videos
from quovadis.video.frames import CountedFrames, Frame
from quovadis.video.limits import VideoLimits
from quovadis.video.prefetch import Prefetch
from quovadis.video.reader import Video, open_video

__all__ = [
    "Clip",
    "CountedFrames",
    "Frame",
    "Prefetch",
    "Video",
    "VideoLimits",
    "VideoReport",
    "array_frames",
    "centre_clip",
    "centre_of",
    "check_array",
    "clips_from_frames",
    "discover_videos",
    "open_video",
]
