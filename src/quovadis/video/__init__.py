"""Video to frames to clips: streaming, upright, undistorted, at 25 frames a second."""

from __future__ import annotations

from quovadis.limits import VideoLimits
from quovadis.video.array import ArrayFrames
from quovadis.video.base_source import VideoSource
from quovadis.video.clips import Clip, clips_at, sampled_clips, sliding_clips
from quovadis.video.decoder import VideoReport
from quovadis.video.expand import discover_videos
from quovadis.video.frames import CountedFrames, Frame
from quovadis.video.prefetch import Prefetch
from quovadis.video.reader import Video
from quovadis.video.sampling import CentreClip, Dense, Sampling, SlidingWindows, TimeSpan
from quovadis.video.source_reader import SourceReader
from quovadis.video.sources import (
    Address,
    Camera,
    FileObject,
    FrameFolder,
    LocalFile,
    SourceLike,
    open_video,
    video_source,
)

__all__ = [
    "Address",
    "ArrayFrames",
    "Camera",
    "CentreClip",
    "Clip",
    "CountedFrames",
    "Dense",
    "FileObject",
    "Frame",
    "FrameFolder",
    "LocalFile",
    "Prefetch",
    "Sampling",
    "SlidingWindows",
    "SourceLike",
    "SourceReader",
    "TimeSpan",
    "Video",
    "VideoLimits",
    "VideoReport",
    "VideoSource",
    "clips_at",
    "discover_videos",
    "open_video",
    "sampled_clips",
    "sliding_clips",
    "video_source",
]
