"""Why a decoder refused: FFmpeg's decoders report damage and forbidden sizes by the same error."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

import av
import av.logging

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

_REFUSED_SIZE = re.compile(r"Picture size \d+x\d+ (exceeds specified max pixel count|is invalid)")
"""What libavutil/imgutils.c logs for a size over `max_pixels`, or over what FFmpeg itself can count."""


def refused_for_size(stream: VideoStream, packets: Iterable[Packet[VideoStream]], max_pixels: int) -> bool:
    """Tell whether one of `packets` holds a picture of more than `max_pixels` pixels.

    The packets are decoded once more, on one thread and listened to. FFmpeg's log is global, which is why this is done
    only after an error; what the stream's own threads still say meanwhile is caught with it.
    """
    context = cast("VideoCodecContext", av.CodecContext.create(stream.codec_context.name, "r"))
    context.extradata = stream.codec_context.extradata
    context.options = {"max_pixels": str(max_pixels)}
    context.thread_count = 1
    level = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture(local=False) as messages:
            for packet in packets:
                try:
                    context.decode(packet)
                except (av.FFmpegError, ValueError):
                    continue
    finally:
        av.logging.set_level(level)
    return any(_REFUSED_SIZE.search(text) for _, _, text in messages)
