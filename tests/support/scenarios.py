"""Files that cameras, recorders and people make which no product of axes holds: joined, cut, without an index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av

from support.matrix import FRAMES, SECOND_PICTURE, X264
from support.numbered import HEIGHT, WIDTH, run_ffmpeg, write_numbered_frames

TS_PACKET = 188
LONG_PAUSE = "settb=1/1000,setpts=N*40+gte(N\\,30)*20000"
EXACT = ("-fps_mode", "passthrough", "-enc_time_base", "1/1000")
MPEG2 = ("-c:v", "mpeg2video", "-q:v", "3", "-g", "12", "-bf", "2")
MPEG4 = ("-c:v", "mpeg4", "-q:v", "3")
VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8")
B2 = (*X264, "-bf", "2")
TS = ("-f", "mpegts")


@dataclass(frozen=True)
class Scenario:
    """A way to make one file."""

    name: str
    make: Callable[[Path], Path]
    has_notes: bool = False
    """Whether what is unusual about it is to be noted."""
    frame_seconds: float = 1 / 25

    def __str__(self) -> str:
        return self.name


def write(
    path: Path,
    *options: str | Path,
    numbers: Sequence[int] = range(FRAMES),
    sound: float | None = None,
    sound_first: bool = False,
    inputs: Sequence[str | Path] = (),
    maps: Sequence[str] = (),
    maps_before: Sequence[str] = (),
    pixel_format: str = "yuv420p",
    piped: bool = False,
) -> Path:
    """Write numbered frames at 25 a second, with `sound` seconds of sound; further `inputs` come after."""
    raw = write_numbered_frames(path.with_name("numbers.gray"), numbers)
    command: list[str | Path] = [
        "-f",
        "rawvideo",
        "-pix_fmt",
        "gray",
        "-s",
        f"{WIDTH}x{HEIGHT}",
        "-framerate",
        "25",
        "-i",
        raw,
    ]
    tracks = ["-map", "0:v"]
    if sound is not None:
        command += ["-f", "lavfi", "-i", f"sine=sample_rate=44100:duration={sound}"]
        tracks = ["-map", "1:a", *tracks] if sound_first else [*tracks, "-map", "1:a"]
    command += [*inputs, *maps_before, *tracks, *maps, "-pix_fmt", pixel_format, *options, "-threads", "1"]
    if piped:
        run_ffmpeg(*command, "-", output=path)
    else:
        run_ffmpeg(*command, path)
    raw.unlink()
    return path


def joined(
    suffix: str, *parts: tuple[Sequence[str], float | None], offsets: Sequence[float] = ()
) -> Callable[[Path], Path]:
    """Return a maker of recordings written one after the other; `parts` are options and seconds of sound."""

    def make(folder: Path) -> Path:
        data = b""
        for index, (options, sound) in enumerate(parts):
            numbers = range(index * 40, (index + 1) * 40)
            later = ("-output_ts_offset", str(offsets[index])) if offsets else ()
            part = write(folder / f"part{index}{suffix}", *options, *later, numbers=numbers, sound=sound)
            data += part.read_bytes()
        path = folder / f"joined{suffix}"
        path.write_bytes(data)
        return path

    return make


def cut_at_start(share: float, suffix: str, *options: str, sound: float | None = None) -> Callable[[Path], Path]:
    """Return a maker of a transport stream that a recorder began in the middle of a group of pictures."""

    def make(folder: Path) -> Path:
        whole = write(folder / f"whole{suffix}", *options, sound=sound)
        data = whole.read_bytes()
        path = folder / f"cut{suffix}"
        path.write_bytes(data[int(len(data) * share) // TS_PACKET * TS_PACKET :])
        return path

    return make


def without_index(*options: str, sound: float | None = None) -> Callable[[Path], Path]:
    """Return a maker of an AVI without its index, as cameras leave that lose power, but whole."""

    def make(folder: Path) -> Path:
        path = write(folder / "clip.avi", *options, sound=sound)
        data = bytearray(path.read_bytes())
        place = data.rindex(b"idx1")
        data[place : place + 4] = b"JUNK"
        header = data.index(b"avih")
        data[header + 20] &= ~0x10  # AVIF_HASINDEX
        path.write_bytes(data)
        return path

    return make


def plain(name: str, *options: str, **more: object) -> Callable[[Path], Path]:
    """Return a maker of one file by one command."""

    def make(folder: Path) -> Path:
        return write(folder / name, *options, **more)  # type: ignore[arg-type]

    return make


def with_garbage_before(folder: Path) -> Path:
    path = write(folder / "clip.ts", *B2, sound=2.4)
    path.write_bytes(bytes(range(100)) + path.read_bytes())
    return path


def everything(folder: Path) -> Path:
    """A cover first, then sound, subtitles, pictures, a timecode: what an editor exports."""
    cover, text = folder / "cover.png", folder / "text.srt"
    run_ffmpeg("-f", "lavfi", "-i", "color=red:size=640x480", "-frames:v", "1", cover)
    text.write_text("1\n00:00:00,200 --> 00:00:00,900\nhello\n")
    return write(
        folder / "clip.mov.mp4",
        *("-c:v:0", "png", "-disposition:v:0", "attached_pic", "-c:v:1", "libx264", "-bf:v:1", "2", "-c:s", "mov_text"),
        *("-timecode", "00:00:10:00", "-write_tmcd", "1"),
        inputs=["-f", "lavfi", "-i", "sine=duration=2", "-i", text, "-i", cover],
        maps_before=["-map", "3:v", "-map", "1:a", "-map", "2:s"],
    )


def action_camera(folder: Path) -> Path:
    """A second track of low resolution, sound, a timecode and telemetry, as action cameras write them."""
    others = write_numbered_frames(folder / "others.gray", range(SECOND_PICTURE, SECOND_PICTURE + FRAMES))
    text = folder / "text.srt"
    text.write_text("1\n00:00:00,200 --> 00:00:00,900\nhello\n")
    path = write(
        folder / "clip.mp4",
        *("-c:v:0", "libx264", "-bf:v:0", "2", "-c:v:1", "libx264", "-s:v:1", "80x60", "-timecode", "00:00:10:00"),
        *("-c:s", "mov_text", "-write_tmcd", "1"),
        inputs=[
            *("-f", "lavfi", "-i", "sine=duration=2.4"),
            *("-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{WIDTH}x{HEIGHT}", "-framerate", "25", "-i", others),
            *("-i", text),
        ],
        maps=["-map", "1:a", "-map", "2:v", "-map", "3:s"],
    )
    # FFmpeg writes no telemetry, so a track of subtitles is called one.
    path.write_bytes(path.read_bytes().replace(b"sbtl", b"meta").replace(b"tx3g", b"gpmd"))
    return path


def two_programs(folder: Path) -> Path:
    others = write_numbered_frames(folder / "others.gray", range(SECOND_PICTURE, SECOND_PICTURE + FRAMES))
    return write(
        folder / "clip.ts",
        *(*B2, "-s:v:1", "80x60", "-program", "title=one:st=1", "-program", "title=two:st=0"),
        inputs=["-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{WIDTH}x{HEIGHT}", "-framerate", "25", "-i", others],
        maps=["-map", "1:v"],
    )


def chapters(suffix: str) -> Callable[[Path], Path]:
    """Return a maker of a file with chapters, which MP4 and MOV keep as a track of text."""

    def make(folder: Path) -> Path:
        text = folder / "chapters.txt"
        parts = "".join(
            f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={start + 1000}\ntitle=part\n" for start in (0, 1000)
        )
        text.write_text(f";FFMETADATA1\n{parts}")
        return write(folder / f"clip{suffix}", *B2, sound=2.0, inputs=["-i", text], maps=["-map_metadata", "2"])

    return make


def with_telemetry(folder: Path) -> Path:
    """Sparse packets of KLV beside the picture, as drones write them."""
    source = write(folder / "picture.ts", *B2, sound=2.4)
    path = folder / "clip.ts"
    with av.open(str(source)) as pictures, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(pictures.streams.video[0])
        telemetry = container.add_data_stream("klv")
        for count, packet in enumerate(pictures.demux(video=0)):
            if packet.dts is None:
                continue
            if count % 20 == 0:
                words = av.Packet(bytes(range(64)))
                words.stream, words.time_base, words.pts, words.dts = (
                    telemetry,
                    packet.time_base,
                    packet.pts,
                    packet.dts,
                )
                container.mux(words)
            packet.stream = stream
            container.mux(packet)
    return path


def gif_of_uneven_delays(folder: Path) -> Path:
    filters = "settb=1/100,setpts=N*4+floor(mod(N*7\\,5)/2)"
    return write(
        folder / "clip.gif", "-vf", filters, "-fps_mode", "passthrough", "-enc_time_base", "1/100", pixel_format="gray"
    )


def paused(suffix: str, *options: str) -> Scenario:
    """Return a file with a pause of 20 s, which is part of the video: the clocks of these formats do not jump."""
    return Scenario(f"a pause of 20 s in {suffix}", plain(f"clip{suffix}", *options, "-vf", LONG_PAUSE, *EXACT))


def open_gop(encoder: str) -> tuple[str, ...]:
    if encoder == "x265":
        return (
            "-c:v",
            "libx265",
            "-preset",
            "ultrafast",
            "-x265-params",
            "log-level=none:bframes=3:open-gop=1:keyint=12:min-keyint=12:scenecut=0",
        )
    if encoder == "x264":
        return (
            "-c:v",
            "libx264",
            "-preset",
            "superfast",
            "-x264-params",
            "bframes=2:open-gop=1:keyint=12:min-keyint=12:scenecut=0:b-adapt=0",
        )
    return (*MPEG2, "-flags", "-cgop")


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("an editor's export: cover, sound, subtitles, timecode", everything),
    Scenario("an action camera: second picture, telemetry, timecode", action_camera),
    Scenario("two programs in one transport stream", two_programs),
    Scenario("garbage before a transport stream", with_garbage_before),
    Scenario("AVI without index, MJPEG", without_index("-c:v", "mjpeg")),
    Scenario("AVI without index, MPEG-4 and sound", without_index(*MPEG4, "-bf", "2", sound=2.4)),
    Scenario("AVI without index, H.264 and longer sound", without_index(*B2, sound=4.0)),
    Scenario(
        "DV in AVI",
        plain("clip.avi", "-target", "pal-dv", "-f", "avi", numbers=range(30), sound=1.2, pixel_format="yuv420p"),
    ),
    Scenario("DV", plain("clip.dv", "-target", "pal-dv", numbers=range(30), sound=1.2)),
    *(
        Scenario(
            f"{codec} recorded from the middle, open groups, {int(share * 100)} %",
            cut_at_start(share, ".ts", *open_gop(codec), sound=2.4),
        )
        for codec in ("x264", "x265", "mpeg2")
        for share in (0.2, 0.5)
    ),
    Scenario(
        "H.264 refreshed bit by bit, from the middle",
        cut_at_start(0.3, ".ts", *X264[:4], "-x264-params", "intra-refresh=1:keyint=15:bframes=0"),
    ),
    Scenario("interlaced H.264", plain("clip.ts", *B2, "-flags", "+ildct+ilme", "-x264opts", "tff=1", sound=2.4)),
    Scenario("interlaced MPEG-2", plain("clip.mpg", *MPEG2, "-flags", "+ildct+ilme", sound=2.4)),
    Scenario("interlaced H.264 in MP4", plain("clip.mp4", *B2, "-flags", "+ildct+ilme", "-x264opts", "tff=1")),
    Scenario("chapters in MP4", chapters(".mp4")),
    Scenario("chapters in MOV", chapters(".mov")),
    Scenario("telemetry in TS", with_telemetry),
    Scenario("slow motion, 240 a second", plain("clip.mov", *B2, "-vf", "setpts=N/240/TB", "-r", "240", sound=0.25)),
    *(
        Scenario(
            f"a frame every 5 s in {suffix}",
            plain(f"clip{suffix}", *options, "-vf", "setpts=N*5/TB", "-r", "1/5", numbers=range(20)),
            frame_seconds=5.0,
        )
        for suffix, options in ((".mp4", B2), (".mkv", B2), (".webm", VP9), (".avi", MPEG4))
    ),
    Scenario("WTV", plain("clip.wtv", *MPEG2, sound=2.0)),
    Scenario("raw YUV", plain("clip.y4m")),
    Scenario(
        "raw AV1", plain("clip.obu", "-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime", "-b:v", "200k")
    ),
    Scenario("smooth streaming", plain("clip.ismv", *B2, sound=2.0)),
    Scenario("F4V", plain("clip.f4v", *B2, sound=3.0)),
    Scenario("RealMedia", plain("clip.rm", "-c:v", "rv20", "-q:v", "3")),
    # Joined and jumping clocks.
    Scenario(
        "TS joined, of two sizes", joined(".ts", ((*B2, *TS), 1.6), ((*B2, "-s", "320x240", *TS), 1.6)), has_notes=True
    ),
    Scenario(
        "TS joined, MPEG-2 of two sizes",
        joined(".ts", ((*MPEG2, *TS), None), ((*MPEG2, "-s", "80x64", *TS), None)),
        has_notes=True,
    ),
    Scenario(
        "TS joined 3 times, sound of other lengths",
        joined(".ts", ((*B2, *TS), 1.6), ((*B2, *TS), 1.0), ((*B2, *TS), 2.2)),
        has_notes=True,
    ),
    Scenario("TS joined, sound not in all", joined(".ts", ((*B2, *TS), None), ((*B2, *TS), None)), has_notes=True),
    Scenario("TS joined, MPEG-2", joined(".ts", ((*MPEG2, *TS), 1.6), ((*MPEG2, *TS), 1.6)), has_notes=True),
    Scenario("PS joined", joined(".mpg", (MPEG2, 1.6), (MPEG2, 1.6)), has_notes=True),
    Scenario("VOB joined without sound", joined(".vob", (MPEG2, None), (MPEG2, None)), has_notes=True),
    Scenario("raw H.264 joined", joined(".h264", (B2, None), (B2, None))),
    *(
        Scenario(
            f"TS that jumps {'ahead' if second > 1.6 else 'back'} by {abs(second - 1.6):g} s{text}",
            joined(".ts", ((*B2, *TS), sound), ((*B2, *TS), sound), offsets=(first, second + first)),
            has_notes=second - 1.6 < 0 or second - 1.6 > 10,
        )
        for first, second in ((0, 6.6), (0, 21.6), (30, -8.4), (0, 0.6), (0, 3601.6))
        for sound, text in ((None, ""), (1.6, ", sound"))
    ),
    Scenario("TS whose 33 bits of time wrap around", plain("clip.ts", *B2, "-output_ts_offset", "95440.5", sound=2.4)),
    Scenario("PS whose 33 bits of time wrap around", plain("clip.mpg", *MPEG2, "-output_ts_offset", "95440.5")),
    Scenario(
        "MPEG-2 TS whose 33 bits of time wrap around",
        plain("clip.ts", *MPEG2, "-output_ts_offset", "95442", sound=2.4, sound_first=True),
    ),
    Scenario("FLV recorded an hour into a stream", plain("clip.flv", *B2, "-output_ts_offset", "3600", sound=2.4)),
    Scenario("TS recorded a day into a stream", plain("clip.ts", *B2, "-output_ts_offset", "86400", sound=2.4)),
    paused(".mp4", *B2),
    paused(".mkv", *B2),
    paused(".webm", *VP9),
    paused(".flv", *B2),
    paused(".nut", *MPEG4),
    paused(".wmv", "-c:v", "wmv2"),
    # Written in one go.
    Scenario(
        "MP4 for streaming, sound first",
        plain("clip.mp4", *B2, "-movflags", "dash+frag_keyframe+empty_moov", sound=3.0, sound_first=True),
    ),
    Scenario(
        "MP4 in fragments of 0.5 s",
        plain("clip.mp4", *B2, "-movflags", "empty_moov", "-frag_duration", "500000", sound=2.0),
    ),
    Scenario("live Matroska", plain("clip.mkv", *B2, "-f", "matroska", "-live", "1", sound=2.4, piped=True)),
    Scenario("live WebM", plain("clip.webm", *VP9, "-f", "webm", "-live", "1", sound=2.4, piped=True)),
    Scenario(
        "fragments through a pipe",
        plain(
            "clip.mp4",
            *B2,
            "-movflags",
            "frag_keyframe+empty_moov+default_base_moof",
            "-f",
            "mp4",
            sound=4.0,
            piped=True,
        ),
    ),
    # Short and still.
    Scenario("one frame in MP4", plain("clip.mp4", *B2, numbers=range(1), sound=1.0), has_notes=True),
    Scenario("one frame in Matroska", plain("clip.mkv", *B2, numbers=range(1)), has_notes=True),
    Scenario("two frames in TS", plain("clip.ts", *B2, numbers=range(2), sound=1.0)),
    Scenario("GIF of uneven delays", gif_of_uneven_delays),
    Scenario(
        "GIF that shows one frame for long",
        plain("clip.gif", numbers=[*range(20), *[20] * 30, *range(21, 40)], pixel_format="gray"),
    ),
)
