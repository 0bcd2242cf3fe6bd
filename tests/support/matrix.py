"""Every kind of file that FFmpeg writes, as a product of axes: what there is, and how each is made."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

from support.boxes import set_edit_list
from support.numbered import HEIGHT, WIDTH, run_ffmpeg, write_numbered_frames

FRAMES = 60
"""Of each video: more than a decoder of 16 threads holds back."""
SECOND_PICTURE = 128
"""Added to the numbers of a second track of pictures, so that it is told from the first."""

X264 = ("-c:v", "libx264", "-preset", "superfast", "-g", "15")
X265 = ("-c:v", "libx265", "-preset", "ultrafast", "-g", "15", "-x265-params", "log-level=none:bframes={b}")
VP = ("-deadline", "realtime", "-cpu-used", "8", "-g", "20", "-b:v", "300k", "-auto-alt-ref", "{alt}")
CODECS: dict[str, tuple[str, ...]] = {
    "h264": (*X264, "-bf", "{b}"),
    "hevc": X265,
    "mpeg4": ("-c:v", "mpeg4", "-q:v", "3", "-bf", "{b}"),
    # Xvid packs two frames into one packet when it writes B-frames to AVI.
    "xvid": ("-c:v", "libxvid", "-q:v", "3", "-bf", "{b}"),
    "mpeg1": ("-c:v", "mpeg1video", "-q:v", "3", "-bf", "{b}"),
    "mpeg2": ("-c:v", "mpeg2video", "-q:v", "3", "-bf", "{b}"),
    "msmpeg4": ("-c:v", "msmpeg4", "-q:v", "3"),
    "wmv2": ("-c:v", "wmv2", "-q:v", "3"),
    "flv1": ("-c:v", "flv", "-q:v", "3"),
    # VP8 and VP9 have no B-frames, but frames that are never shown.
    "vp8": ("-c:v", "libvpx", *VP, "-lag-in-frames", "{lag}"),
    "vp9": ("-c:v", "libvpx-vp9", *VP, "-lag-in-frames", "{lag}"),
    "av1": ("-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "{usage}", "-b:v", "200k", "-lag-in-frames", "{lag}"),
    "theora": ("-c:v", "libtheora", "-q:v", "8"),
    "mjpeg": ("-c:v", "mjpeg", "-q:v", "4", "-strict", "unofficial"),
    "ffv1": ("-c:v", "ffv1"),
    "huffyuv": ("-c:v", "huffyuv"),
    "png": ("-c:v", "png"),
    "prores": ("-c:v", "prores_ks"),
    "raw": ("-c:v", "rawvideo"),
    "gif": ("-c:v", "gif"),
}
WITH_B_FRAMES = ("h264", "hevc", "mpeg4", "xvid", "mpeg1", "mpeg2", "vp8", "vp9", "av1")
PIXEL_FORMATS = {"prores": "yuv422p10le", "png": "rgb24", "gif": "gray"}

RATES: dict[str, str] = {
    "25": "25",
    "30": "30",
    "29.97": "30000/1001",
    "12.5": "25/2",
    "50": "50",
    "uneven": "25",
    "pause": "25",
    "frames left out": "25",
}
"""The last three are variable: no two frames as far apart as the next two; a second without one; some missing."""
FILTERS = {
    "uneven": "settb=1/1000,setpts=N*40+mod(N*17\\,23)",
    "pause": "settb=1/1000,setpts=N*40+gte(N\\,30)*1000",
    "frames left out": "select=not(between(mod(n\\,7)\\,3\\,4))",
}
OFFSETS: dict[str, tuple[str, str, str]] = {
    # Seconds that are added to the times of the pictures, of the sound, and of the whole file.
    "0": ("0", "0", "0"),
    "pictures 0.3 s late": ("0.3", "0", "0"),
    "pictures 3 s late": ("3", "0", "0"),
    "sound 0.3 s late": ("0", "0.3", "0"),
    "all 5 s late": ("0", "0", "5"),
}
EDITS = ("none", "cut at the start", "hidden start", "hidden end", "hidden middle")
"""`cut` is what `ffmpeg -ss -c copy` does; `hidden` is an edit list over packets that stay in the file."""
SOUNDS = {"none": 0.0, "shorter": 0.5, "equal": 1.0, "longer": 1.7}


@dataclass(frozen=True)
class Container:
    """What a container can hold, and how FFmpeg writes it."""

    suffix: str
    codecs: tuple[str, ...]
    sound: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    edits: tuple[str, ...] = ("none",)
    rates: tuple[str, ...] = tuple(RATES)
    writings: tuple[str, ...] = ("file",)
    offsets: tuple[str, ...] = tuple(OFFSETS)
    muxer: str = ""


AAC, PCM = ("-c:a", "aac"), ("-c:a", "pcm_s16le")
PICTURES = ("second picture", "small second picture", "small picture first")
CONSTANT = ("25", "30", "29.97", "12.5", "50")
BROADCAST = ("25", "30", "29.97", "50", "frames left out")
CONTAINERS: dict[str, Container] = {
    "mp4": Container(
        ".mp4",
        ("h264", "hevc", "mpeg4", "av1", "vp9", "mpeg2", "mjpeg"),
        AAC,
        ("timecode", "cover", "subtitles", *PICTURES),
        EDITS,
        writings=("file", "faststart", "fragmented", "fragmented pipe", "negative offsets"),
    ),
    "mov": Container(
        ".mov",
        ("h264", "hevc", "prores", "mjpeg", "png", "mpeg4"),
        AAC,
        ("timecode", "subtitles", *PICTURES),
        EDITS,
        writings=("file", "faststart", "fragmented"),
    ),
    "3gp": Container(".3gp", ("h264", "mpeg4"), AAC, edits=("none", "hidden end")),
    "matroska": Container(
        ".mkv",
        ("h264", "hevc", "mpeg4", "mpeg2", "vp8", "vp9", "av1", "mjpeg", "ffv1", "theora", "prores", "huffyuv"),
        AAC,
        ("attachment", "cover", "subtitles", *PICTURES),
        ("none", "cut at the start"),
        writings=("file", "pipe"),
        muxer="matroska",
    ),
    "webm": Container(
        ".webm",
        ("vp8", "vp9", "av1"),
        ("-c:a", "libopus"),
        ("subtitles",),
        ("none", "cut at the start"),
        writings=("file", "pipe"),
        muxer="webm",
    ),
    "avi": Container(
        ".avi",
        ("h264", "mpeg4", "xvid", "mjpeg", "msmpeg4", "huffyuv", "ffv1", "raw", "mpeg2"),
        PCM,
        ("second picture",),
        rates=(*CONSTANT, "frames left out"),
        writings=("file", "pipe"),
        muxer="avi",
    ),
    "ts": Container(
        ".ts",
        ("h264", "hevc", "mpeg2", "mpeg4", "mpeg1"),
        ("-c:a", "mp2"),
        ("data", *PICTURES),
        ("none", "cut at the start"),
        muxer="mpegts",
    ),
    "m2ts": Container(".m2ts", ("h264", "hevc", "mpeg2"), ("-c:a", "ac3"), muxer="mpegts"),
    "ps": Container(".mpg", ("mpeg1", "mpeg2"), ("-c:a", "mp2"), rates=BROADCAST),
    "vob": Container(".vob", ("mpeg2", "h264"), ("-c:a", "ac3"), rates=BROADCAST, muxer="vob"),
    "flv": Container(".flv", ("h264", "flv1"), AAC, writings=("file", "pipe"), muxer="flv"),
    "asf": Container(
        ".wmv", ("wmv2", "msmpeg4", "h264"), ("-c:a", "wmav2"), (), writings=("file", "pipe"), muxer="asf"
    ),
    "ogg": Container(".ogv", ("theora", "vp8"), ("-c:a", "libvorbis"), rates=(*CONSTANT, "frames left out")),
    "nut": Container(".nut", ("h264", "mpeg4", "ffv1", "mjpeg"), PCM, writings=("file", "pipe"), muxer="nut"),
    "mxf": Container(".mxf", ("mpeg2", "h264"), (*PCM, "-ar", "48000"), rates=("25", "29.97", "50"), offsets=("0",)),
    "gif": Container(".gif", ("gif",), offsets=("0",)),
    "raw h264": Container(".h264", ("h264",), rates=("25",), offsets=("0",)),
    "raw hevc": Container(".hevc", ("hevc",), rates=("25",), offsets=("0",)),
    "raw mpeg4": Container(".m4v", ("mpeg4",), rates=("25",), offsets=("0",)),
    "raw mpeg2": Container(".m2v", ("mpeg2",), rates=("25",), offsets=("0",)),
    "raw mjpeg": Container(".mjpeg", ("mjpeg",), rates=("25",), offsets=("0",)),
    "ivf": Container(".ivf", ("vp8", "vp9", "av1"), rates=CONSTANT, offsets=("0",)),
}
WRITINGS: dict[str, tuple[str, ...]] = {
    "file": (),
    "pipe": (),
    "faststart": ("-movflags", "faststart"),
    "fragmented": ("-movflags", "frag_keyframe+empty_moov"),
    "fragmented pipe": ("-movflags", "frag_keyframe+empty_moov", "-f", "mp4"),
    "negative offsets": ("-movflags", "negative_cts_offsets"),
}


@dataclass(frozen=True)
class Case:
    """One file of the matrix: a value on each axis."""

    container: str
    codec: str
    b_frames: int
    order: str
    extra: str
    offset: str
    edit: str
    sound: str
    rate: str
    writing: str

    def __str__(self) -> str:
        parts = [self.container, self.codec]
        parts += [f"{self.b_frames} B-frames"] if self.b_frames else []
        parts += ["sound first"] if self.order == "sound first" else []
        parts += [value for value in (self.extra, self.edit) if value != "none"]
        parts += [self.offset] if self.offset != "0" else []
        parts += [f"sound {self.sound}"] if self.sound != "none" else []
        parts += [f"rate {self.rate}"] if self.rate != "25" else []
        parts += [self.writing] if self.writing != "file" else []
        return ", ".join(parts)

    @property
    def suffix(self) -> str:
        """Of the file's name."""
        return CONTAINERS[self.container].suffix

    @property
    def frames_per_second(self) -> float:
        """Of the pictures, before some are left out."""
        number, _, divisor = RATES[self.rate].partition("/")
        return int(number) / int(divisor or 1)


def values(case: Case) -> list[tuple[str, object]]:
    """Return the case's place on each axis."""
    return [(axis.name, getattr(case, axis.name)) for axis in fields(case)]


def any_case(chance: random.Random) -> Case:
    """Return a case that FFmpeg can write, at random: rare values are as likely as usual ones."""
    name = chance.choice(list(CONTAINERS))
    container = CONTAINERS[name]
    codec = chance.choice(container.codecs)
    sound = chance.choice(list(SOUNDS)) if container.sound else "none"
    offsets = [o for o in container.offsets if sound != "none" or not o.startswith("sound")]
    edit = chance.choice(container.edits)
    writing = chance.choice(container.writings) if edit == "none" else "file"
    if codec == "av1" and "pipe" in writing:
        # Its header is known only at the end, when FFmpeg goes back to write it.
        writing = "file"
    rates = [
        rate
        for rate in container.rates
        # MPEG-1 and -2 know a fixed list of rates.
        if codec not in ("mpeg1", "mpeg2") or rate in BROADCAST
    ]
    return Case(
        name,
        codec,
        chance.choice((0, 2)) if codec in WITH_B_FRAMES else 0,
        # MXF has its pictures first.
        chance.choice(("pictures first", "sound first")) if sound != "none" and name != "mxf" else "pictures first",
        chance.choice(("none", *container.extras)) if edit == "none" else "none",
        chance.choice(offsets) if edit == "none" else "0",
        edit,
        sound,
        chance.choice(rates),
        writing,
    )


@cache
def covering_cases(count: int, seed: int) -> list[Case]:
    """Return `count` cases in which as many pairs of values meet as can be found: the same for the same seed."""
    chance = random.Random(seed)
    covered: set[object] = set()
    chosen: list[Case] = []
    while len(chosen) < count:
        candidates = [any_case(chance) for _ in range(150)]
        best = max(candidates, key=lambda case: _new(case, covered))
        covered.update(_tuples(best))
        chosen.append(best)
    return chosen


def _tuples(case: Case) -> Iterator[object]:
    places = values(case)
    yield from places
    yield from itertools.combinations(places, 2)


def _new(case: Case, covered: set[object]) -> float:
    singles = values(case)
    # A value that no case has yet counts more than any number of pairs.
    return sum(place not in covered for place in singles) * 100 + sum(
        pair not in covered for pair in itertools.combinations(singles, 2)
    )


def make(case: Case, folder: Path) -> Path:
    """Write the case's file.

    Raises:
        NotWritten: FFmpeg cannot write it.
    """
    container = CONTAINERS[case.container]
    path = folder / f"video{case.suffix}"
    later, sound_later, all_later = OFFSETS[case.offset]
    raw = ("-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{WIDTH}x{HEIGHT}", "-framerate", RATES[case.rate])
    numbers = write_numbered_frames(folder / "numbers.gray", range(FRAMES))
    inputs: list[str | Path] = ["-itsoffset", later, *raw, "-i", numbers]
    seconds = FRAMES / case.frames_per_second * SOUNDS[case.sound]
    if case.sound != "none":
        inputs += ["-itsoffset", sound_later, "-f", "lavfi", "-i", f"sine=sample_rate=44100:duration={seconds:.3f}"]
    maps = ["-map", "0:v"] + (["-map", "1:a"] if case.sound != "none" else [])
    if case.order == "sound first":
        maps = [*maps[2:], *maps[:2]]
    extra_inputs, maps, extra_options = _extra(case, folder, raw, maps, 2 if case.sound != "none" else 1)
    pixel_format = PIXEL_FORMATS.get(case.codec, "yuv420p")
    options: list[str | Path] = [*_codec_options(case), "-pix_fmt", pixel_format, *container.sound]
    if case.rate in FILTERS:
        options += ["-filter:v:0", FILTERS[case.rate]]
        # Frames that are left out stay in step with the others; the rest needs finer times.
        exact = case.rate != "frames left out"
        options += ["-fps_mode", "passthrough", "-enc_time_base", "1/1000"] if exact else ["-fps_mode", "vfr"]
    options += [*WRITINGS[case.writing], "-output_ts_offset", all_later, *extra_options, "-threads", "1"]
    if "pipe" in case.writing:
        muxer = ("-f", container.muxer) if container.muxer else ()
        run_ffmpeg(*inputs, *extra_inputs, *maps, *options, *muxer, "-", output=path)
    else:
        muxer = ("-f", container.muxer) if container.muxer in ("mpegts", "vob") else ()
        run_ffmpeg(*inputs, *extra_inputs, *maps, *options, *muxer, path)
    numbers.unlink()
    return _edited(case, path)


def _codec_options(case: Case) -> list[str]:
    b_frames = case.b_frames
    # Frames that are never shown are made only with a look ahead.
    choices = {
        "b": str(b_frames),
        "alt": "1" if b_frames else "0",
        "lag": "10" if b_frames else "0",
        "usage": "good" if b_frames else "realtime",
    }
    return [option.format(**choices) for option in CODECS[case.codec]]


def _extra(
    case: Case, folder: Path, raw: Sequence[str], maps: list[str], index: int
) -> tuple[list[str | Path], list[str], list[str | Path]]:
    """Return inputs, the new order of tracks, and options of what is in the file beside pictures and sound."""
    if case.extra == "timecode":
        return [], maps, ["-timecode", "00:00:10:00", "-write_tmcd", "1"]
    if case.extra == "attachment":
        attached = folder / "font.ttf"
        attached.write_bytes(bytes(1000))
        return [], maps, ["-attach", attached, "-metadata:s:t", "mimetype=application/x-truetype-font"]
    if case.extra == "cover":
        cover = folder / "cover.png"
        run_ffmpeg("-f", "lavfi", "-i", "color=red:size=64x64", "-frames:v", "1", cover)
        if case.container == "matroska":
            options = ["-attach", cover, "-metadata:s:t", "mimetype=image/png", "-metadata:s:t", "filename=cover.png"]
            return [], maps, options
        return ["-i", cover], [*maps, "-map", f"{index}:v"], ["-c:v:1", "png", "-disposition:v:1", "attached_pic"]
    if case.extra == "subtitles":
        text = folder / "text.srt"
        text.write_text("1\n00:00:00,200 --> 00:00:00,900\nhello\n\n2\n00:00:01,000 --> 00:00:07,000\nthere\n")
        codec = {"mp4": "mov_text", "mov": "mov_text", "webm": "webvtt"}.get(case.container, "srt")
        return ["-i", text], [*maps, "-map", f"{index}:s"], ["-c:s", codec]
    if case.extra == "data":
        data = folder / "data.bin"
        data.write_bytes(bytes(range(256)) * 40)
        return ["-f", "data", "-i", data], [*maps, "-map", f"{index}:d"], ["-c:d", "copy"]
    if case.extra in PICTURES:
        others = write_numbered_frames(folder / "others.gray", range(SECOND_PICTURE, SECOND_PICTURE + FRAMES))
        inputs: list[str | Path] = [*raw, "-i", others]
        if case.extra == "small picture first":
            small_is_main = ["-s:v:0", "80x60", "-s:v:1", f"{WIDTH}x{HEIGHT}"]
            # The filter of the rate is that of the first track.
            return inputs, ["-map", f"{index}:v", *maps], list(small_is_main)
        size = "80x60" if case.extra == "small second picture" else f"{WIDTH}x{HEIGHT}"
        return inputs, [*maps, "-map", f"{index}:v"], ["-s:v:1", size]
    return [], maps, []


def _edited(case: Case, path: Path) -> Path:
    length = FRAMES / case.frames_per_second
    if case.edit == "cut at the start":
        cut = path.with_name(f"cut{case.suffix}")
        muxer = ("-f", "mpegts") if case.container == "ts" else ()
        # 0.51 of the way lies between keyframes.
        run_ffmpeg("-ss", f"{length * 0.51:.3f}", "-i", path, "-map", "0", "-c", "copy", *muxer, cut)
        return cut
    parts = {
        "hidden start": [(length / 3, length * 2 / 3)],
        "hidden end": [(0.0, length / 2)],
        "hidden middle": [(0.0, length / 4), (length * 0.6, length * 0.4)],
    }.get(case.edit)
    if parts is not None:
        set_edit_list(path, parts)
    return path
