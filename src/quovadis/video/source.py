"""What a source is by how it is written, and how FFmpeg opens it: a local file, an address, a camera."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Literal
from urllib.parse import unquote, urlsplit

from quovadis.environment import OFFLINE_VARIABLE, is_offline
from quovadis.errors import VideoError, without_passwords

_ADDRESS = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+)://")
CAMERA_PREFIX = "camera:"
STANDARD_INPUT = "-"
"""A video that is piped in; a file of this name is `./-`."""

_NETWORK_PROTOCOLS = (
    *("http", "https", "httpproxy", "tcp", "tls", "udp", "udplite", "rtp", "srtp", "rtsp", "rtsps", "srt", "crypto"),
    *("rtmp", "rtmpe", "rtmps", "rtmpt", "rtmpte", "rtmpts", "mmsh", "mmst", "ftp", "data"),
)
"""Protocols that an address may use, and what it leads to; never `file`, so that no playlist reads local files."""

_LOCAL_FORMATS = (
    *("mov", "matroska", "webm", "avi", "mpegts", "mpegtsraw", "mpeg", "mpegvideo", "flv", "live_flv", "asf", "ogg"),
    *("gif", "apng", "webp_anim", "webp", "avif", "mxf", "nut", "rm", "wtv", "dv", "gxf", "nsv", "ivf", "swf", "amv"),
    *("h261", "h263", "h264", "hevc", "vvc", "evc", "av1"),
    *("obu", "m4v", "mjpeg", "mjpeg_2000", "mpjpeg", "vc1", "vc1test"),
    *("cavsvideo", "dirac", "dnxhd", "yuv4mpegpipe", "ipmovie", "bink", "smk", "roq", "flic", "film_cpk", "4xm", "jv"),
    *("nuv", "ivr", "rpl", "pva", "ty", "viv", "vivo", "lmlm4", "mm", "thp", "mv", "cine", "ifv", "r3d", "kux", "dhav"),
    *("bmp_pipe", "dds_pipe", "dpx_pipe", "exr_pipe", "gif_pipe", "hdr_pipe", "j2k_pipe", "jpeg_pipe", "jpegls_pipe"),
    *("jpegxl_pipe", "jpegxl_anim", "pam_pipe", "pbm_pipe", "pcx_pipe", "pgm_pipe", "pgmyuv_pipe", "png_pipe"),
    *("ppm_pipe", "psd_pipe", "qoi_pipe", "sgi_pipe", "sunrast_pipe", "tiff_pipe", "webp_pipe", "xbm_pipe", "xpm_pipe"),
)
"""FFmpeg's demuxers of files that are whole in themselves; no playlists (concat, hls, dash), no devices, no scripts."""


@dataclass(frozen=True)
class OpenInstructions:
    """How FFmpeg is to open a source."""

    address: str
    demuxer: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    kind: Literal["file", "network", "camera"] = "file"
    path: Path | None = None
    """The file; None for what is no local file."""


def is_address(source: str) -> bool:
    """Tell whether `source` names something other than a local path."""
    match = _ADDRESS.match(source)
    return (
        source == STANDARD_INPUT
        or source.startswith(CAMERA_PREFIX)
        or (match is not None and match[1].lower() != "file")
    )


def shown_name(source: str) -> str:
    """Return what people are shown of a source: `stdin` says more than a dash."""
    return "stdin" if source == STANDARD_INPUT else public_name(source)


def public_name(source: str) -> str:
    """Return what results and records call a source: as it was given, but for the password in an address."""
    # A password may hold spaces too, at which an address in a sentence ends.
    return without_passwords(source.replace(" ", "\0")).replace("\0", " ") if is_address(source) else source


def short_name(source: str) -> str:
    """Return the last part of a path or an address, without what follows a question mark in the latter."""
    public = public_name(source)
    shown = PurePath(urlsplit(public).path if is_address(source) and "://" in source else source).name
    return shown_name(shown or source)


def local_path(source: str) -> Path:
    """Return the path of a local source; `file://` addresses are read as such.

    Raises:
        VideoError: the name is empty, which a `Path` would take for the current folder, or holds a null byte.
    """
    name = unquote(urlsplit(source).path) if source.lower().startswith("file://") else source
    if not name:
        raise VideoError(f"{source or repr(source)}: an empty name; give a video or a folder (is a variable not set?)")
    if "\0" in name:
        raise VideoError(f"{source}: cannot be read: embedded null byte")
    return Path(name)


def file_instructions(path: Path) -> OpenInstructions:
    """Return how to open a local file, whatever its name looks like, and nothing else that it may refer to."""
    # The prefix keeps FFmpeg from reading meaning into a name such as `concat:a|b` or `http://a`.
    whitelist = {"protocol_whitelist": "file", "format_whitelist": ",".join(_LOCAL_FORMATS)}
    return OpenInstructions(f"file:{path}", None, whitelist, path=path)


def network_instructions(address: str) -> OpenInstructions:
    """Return how to open an address.

    Raises:
        VideoError: an address of an unknown protocol, or whose password is not percent-encoded; any address while
            `QUOVADIS_OFFLINE` forbids the network.
    """
    public = public_name(address)
    before, _, after = public.partition(":***@")
    if public != address and re.search(r"[/?#\s]", address[len(before) : len(address) - len(after)]):
        raise VideoError(
            f"{public}: the password holds a / ? # or space; write it percent-encoded: / as %2F, "
            "? as %3F, # as %23, a space as %20"
        )
    if is_offline():
        raise VideoError(
            f"{address}: {OFFLINE_VARIABLE} is set, which forbids the network; give a local file, or unset it"
        )
    written, separator, rest = address.partition("://")
    protocol = written.lower()
    if not separator or protocol not in _NETWORK_PROTOCOLS:
        raise VideoError(f"{address}: the protocol {protocol} is not supported; download the video and give its path")
    options = {"protocol_whitelist": ",".join(_NETWORK_PROTOCOLS)}
    if protocol.startswith("rtsp"):
        # Over UDP a camera's frames arrive torn as soon as the network is busy.
        options["rtsp_transport"] = "tcp"
    # FFmpeg takes HTTP for another protocol than http.
    return OpenInstructions(f"{protocol}://{rest}", None, options, "network")


def camera_instructions(device: str) -> OpenInstructions:
    """Return how to open a camera, given by its number or by what the system calls it."""
    number = device if device.isdecimal() else None
    if sys.platform == "darwin":
        return OpenInstructions(device, "avfoundation", {"framerate": "30"}, "camera")
    if sys.platform == "win32":
        # DirectShow knows devices by name; a number picks among devices of the same name.
        name = f"video={device}" if number is None else "video=Integrated Camera"
        return OpenInstructions(name, "dshow", {}, "camera")
    return OpenInstructions(f"/dev/video{number}" if number is not None else device, "v4l2", {}, "camera")
