"""The commands that `golden.py` records: each case is a name, the commands of one folder in turn, and what they need.

A case runs in a folder of its own that holds `clips` and `assets`, copies of the shared ones, and what `setup` makes:
a text is written as it is, everything else is a function of the folder and the path to make.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

Setup = str | Callable[[Path, Path], None]


class Case(NamedTuple):
    """Commands that run one after the other in one folder."""

    name: str
    commands: tuple[str, ...]
    """What follows `quovadis`, as a shell would part it."""
    setup: Mapping[str, Setup] = {}


def copy(source: str) -> Setup:
    """Take the same bytes under another name."""

    def make(work: Path, target: Path) -> None:
        shutil.copyfile(work / source, target)

    return make


def beginning(source: str, part: float) -> Setup:
    """Take the first part of a file alone, as a copy that was interrupted has it."""

    def make(work: Path, target: Path) -> None:
        content = (work / source).read_bytes()
        target.write_bytes(content[: int(len(content) * part)])

    return make


def images(source: str, count: int) -> Setup:
    """Make a folder of the first pictures of an animation."""

    def make(work: Path, target: Path) -> None:
        target.mkdir()
        with Image.open(work / source) as animation:
            for index in range(count):
                animation.seek(index)
                animation.convert("RGB").save(target / f"image_{index + 1:05d}.png")

    return make


def noise(seed: int, *shape: int, dtype: str = "float32") -> Setup:
    """Write an array of random numbers: bytes from 0 to 255, or floats of mean `seed` and variance 1."""

    def make(work: Path, target: Path) -> None:
        generator = np.random.default_rng(seed)
        values = generator.integers(0, 256, shape) if dtype == "uint8" else generator.normal(seed, 1, shape)
        np.save(target, values.astype(dtype))

    return make


def folder(work: Path, target: Path) -> None:
    """Make an empty folder."""
    target.mkdir()


NET = "-w rgb-scratch --threads 2"
SHORT = f"{NET} --clip-frames 16 --duration 1"
RUN = f"{NET} --workers 1"
FVD = "--threads 2 --workers 1"
SMALL = "clips/faults/font.mkv"

REAL = {f"real/{name}": copy(f"clips/faults/{name}") for name in ("font.mkv", "late03.mkv", "live.avi", "trim_end.mp4")}
FAKE = {f"fake/{name}": copy(f"clips/faults/{name}") for name in ("anim.png", "concat.ts", "tmcd.mov", "late.webm")}
LIST = {"list.tsv": "clips/archery.avi\tarchery\nclips/faults/font.mkv\tabseiling\nclips/horse_riding.gif\t160\n"}
HELP = ("classify", "features", "evaluate", "fvd", "convert", "info", "sample", "weights")

CASES = (
    # Words about the program itself.
    Case("version", ("--version", "weights --version")),
    Case("help", ("--help", *(f"{command} --help" for command in HELP))),
    Case("help-weights", tuple(f"weights {command} --help" for command in ("list", "pull", "verify", "path"))),
    Case("unknown-command", ("guess clips/archery.avi", "", "weights guess", "classify", "classify --nothing")),
    Case("sample-offline", ("sample", "weights pull rgb-imagenet")),
    # classify: what is written, and where.
    Case("classify-table", (f"classify clips/archery.avi {NET}",)),
    Case("classify-json", (f"classify clips/archery.avi {SHORT} --json --top 3",)),
    Case("classify-jsonl", (f"classify clips/archery.avi {SMALL} {SHORT} --format jsonl",)),
    Case("classify-csv", (f"classify clips/archery.avi {SMALL} {SHORT} --format csv",)),
    Case(
        "classify-output",
        (
            *(f"classify clips/archery.avi {SHORT} -o result.{s}" for s in ("json", "jsonl", "csv", "txt", "parquet")),
            f"classify clips/archery.avi {SHORT} -o result.jpeg",
            f"classify clips/archery.avi {SHORT} -o missing/result.json",
            f"classify clips/archery.avi {SHORT} -o - --format csv --json",
        ),
    ),
    # classify: which clips.
    Case("classify-centre", (f"classify clips/clean_and_jerk.mp4 {NET} --clip centre --clip-frames 64 --json",)),
    Case("classify-stride", (f"classify {SMALL} {NET} --clip-frames 32 --stride 16 --format jsonl",)),
    Case("classify-native-rate", (f"classify clips/horse_riding.gif {NET} --clip-frames 16 --fps native --json",)),
    Case("classify-rate-12.5", (f"classify clips/archery.avi {NET} --clip-frames 16 --fps 12.5 --json",)),
    Case("classify-span", (f"classify clips/arm_wrestling.mp4 {NET} --start 2.5 --duration 1.5 --json",)),
    Case("classify-dense", (f"classify {SMALL} {NET} --dense --json", f"classify {SMALL} {NET} --dense --window 3")),
    Case("classify-timeline", (f"classify clips/archery.avi {NET} --timeline --threshold 0.2",)),
    Case("classify-timeline-plot", (f"classify clips/archery.avi {NET} --timeline --json --plot timeline.png",)),
    Case(
        "classify-labels",
        tuple(f"classify {SMALL} {SHORT} --labels assets/{name}.txt" for name in ("label_map", "label_map_600")),
    ),
    Case("classify-short", ("classify clips/rotated_90.mov clips/rotated_0.mov " + f"{NET} --json",)),
    # classify: which sources.
    Case(
        "classify-several",
        (f"classify {SMALL} clips/corrupted.mp4 missing.mp4 clips/archery.avi {NET} --clip-frames 32 --json",),
    ),
    Case("classify-fail-fast", (f"classify missing.mp4 {SMALL} {SHORT} --fail-fast",)),
    Case("classify-folder", (f"classify clips/faults {SHORT} --format csv --top 1",)),
    Case("classify-images", (f"classify pictures {NET} --json",), {"pictures": images("clips/horse_riding.gif", 20)}),
    Case(
        "classify-partial",
        (
            f"classify cut.avi {NET} --clip-frames 16 --json",
            f"classify cut.avi {NET} --clip-frames 16 --json --allow-partial",
            f"classify clips/corrupted.mp4 {NET} --clip-frames 16 --format jsonl --allow-partial",
        ),
        {"cut.avi": beginning("clips/archery.avi", 0.6)},
    ),
    Case(
        "classify-refused-sources",
        (
            f"classify '' {NET}",
            f"classify empty {NET}",
            f"classify notes.txt empty.mp4 {NET}",
            f"classify camera:0 {NET}",
            f"classify https://example.com/video.mp4 {NET}",
            f"classify {SMALL} {NET} --start 90",
        ),
        {"empty": folder, "notes.txt": "not a video\n", "empty.mp4": ""},
    ),
    Case(
        "classify-limits",
        tuple(
            f"classify {SMALL} {NET} {limit}" for limit in ("--max-frames 20", "--max-pixels 100", "--max-seconds 1")
        ),
    ),
    Case(
        "classify-refused-options",
        tuple(
            f"classify {SMALL} {NET} {options}"
            for options in (
                "--engine fast",
                "--fps 0",
                "--fps fast",
                "--fps nan",
                "--clip-frames 8",
                "--clip middle",
                "--top 0",
                "--dense --chunk 12",
                "--dense --clip centre",
                "--stride 8 --dense",
                "--window 3",
                "--threshold 2 --timeline",
                "--plot timeline.png",
                "--json --format csv",
                "--duration 0",
                "--device TPU",
                "--device cuda --engine native",
                "--precision f8",
                "--labels missing.txt",
                "-w missing.pt",
                "-w ''",
                "-w rgb-imagenet",
            )
        ),
    ),
    # classify: what runs the network.
    Case("engine-openvino", (f"classify {SMALL} {SHORT} --engine openvino --json",)),
    Case("engine-openvino-dense", (f"classify {SMALL} {NET} --duration 2 --engine openvino --dense --json",)),
    Case("engine-torch", (f"classify {SMALL} {SHORT} --engine torch --json",)),
    Case("engine-throughput", (f"classify {SMALL} {NET} --clip-frames 16 --hint throughput --json",)),
    Case("precision-int8", (f"classify {SMALL} {SHORT} --precision int8 --calibrate {SMALL} --json",)),
    # features.
    *(
        Case(f"features-{form}", (f"features clips/archery.avi {SMALL} {RUN} --clip-frames 32 --format {form}",))
        for form in ("npy", "npz", "parquet", "hdf5")
    ),
    Case("features-like-video-features", (f"features clips/archery.avi {RUN} --like video_features --json",)),
    Case("features-like-i3d", (f"features {SMALL} {RUN} --like i3d",)),
    Case("features-pool-none", (f"features {SMALL} {RUN} --clip-frames 16 --stride 40 --pool none",)),
    Case("features-pool-space", (f"features {SMALL} {RUN} --clip-frames 64 --pool space --endpoint Mixed_4f",)),
    Case("features-dense", (f"features {SMALL} {RUN} --dense -o dense",)),
    Case("features-crops", (f"features {SMALL} {RUN} --clip-frames 16 --stride 40 --crops 3 --windows full",)),
    Case(
        "features-resume",
        (
            f"features {SMALL} {RUN} --clip-frames 32 --json",
            f"features {SMALL} clips/corrupted.mp4 missing.mp4 clips/horse_riding.gif {RUN} --clip-frames 32 --json",
            f"features {SMALL} clips/corrupted.mp4 missing.mp4 clips/horse_riding.gif {RUN} --clip-frames 32",
            f"features {SMALL} {RUN} --clip-frames 16",
            f"features {SMALL} {RUN} --clip-frames 16 --restart",
        ),
    ),
    Case("features-images", (f"features pictures {RUN} -o out",), {"pictures": images("clips/horse_riding.gif", 20)}),
    Case(
        "features-refused",
        tuple(
            f"features {options} {RUN}"
            for options in (
                f"{SMALL} --endpoint Mixed_9z",
                f"{SMALL} --format csv",
                f"{SMALL} --crops 2",
                f"{SMALL} --like video_features --dense",
                f"{SMALL} --dense --stride 4",
                f"{SMALL} --dense --crops 3",
                f"{SMALL} --clip-frames 16 -o clips/archery.avi",
                f"{SMALL} --fps 0",
                "''",
            )
        ),
    ),
    # evaluate.
    Case("evaluate-deepmind", (f"evaluate list.tsv {RUN}",), LIST),
    Case("evaluate-omz", (f"evaluate list.tsv {RUN} --protocol omz --subset 2 --json",), LIST),
    Case(
        "evaluate-multiview-resume",
        (
            f"evaluate list.csv {RUN} --protocol multiview --clips 2 -o out",
            f"evaluate list.csv {RUN} --protocol multiview --clips 2 -o out --json",
            f"evaluate list.csv {RUN} --protocol multiview --clips 3 -o out",
        ),
        {"list.csv": "clips/faults/font.mkv,archery\nclips/corrupted.mp4,abseiling\nmissing.mp4,archery\n"},
    ),
    Case(
        "evaluate-folders-compare",
        (
            f"evaluate set {RUN} --protocol multiview --clips 1 --crops 1 -o one",
            f"evaluate set {RUN} --protocol multiview --clips 2 --crops 1 -o two",
            f"evaluate set {RUN} --protocol multiview --clips 1 --crops 1 -o other --engine openvino",
            "evaluate --compare one/predictions.parquet other/predictions.parquet -o both --json",
            "evaluate --compare one/predictions.parquet two/predictions.parquet",
            "evaluate --compare one/predictions.parquet one/predictions.parquet",
            "evaluate --compare one/predictions.parquet one/report.json",
        ),
        {
            "set/abseiling/a.mkv": copy(SMALL),
            "set/archery/b.avi": copy("clips/archery.avi"),
            "set/riding_a_bike/c.gif": copy("clips/horse_riding.gif"),
        },
    ),
    Case(
        "evaluate-refused",
        (
            f"evaluate wrong.tsv {RUN}",
            f"evaluate twice.tsv {RUN}",
            f"evaluate none.tsv {RUN}",
            f"evaluate nowhere.tsv {RUN}",
            f"evaluate {RUN}",
            f"evaluate list.tsv {RUN} --clips 2",
            f"evaluate list.tsv {RUN} --protocol multiview --crops 2",
            f"evaluate list.tsv {RUN} --dataset-format xml",
            f"evaluate list.tsv {RUN} --split test",
            f"evaluate list.tsv {RUN} --omz-compatible",
        ),
        {
            "wrong.tsv": "clips/archery.avi\tno such action\n",
            "twice.tsv": "clips/archery.avi\tarchery\nclips/archery.avi\tabseiling\n",
            "none.tsv": "missing.mp4\tarchery\n",
            **LIST,
        },
    ),
    # fvd.
    Case("fvd-folders", (f"fvd real fake {FVD} --frames 16 --json",), REAL | FAKE),
    Case("fvd-stylegan-v", (f"fvd real fake {FVD} --like stylegan-v --seed 3 --bootstrap 20",), REAL | FAKE),
    Case("fvd-lengths", (f"fvd real fake {FVD} --frames 9 --frames 24 --resize half-pixel --json",), REAL | FAKE),
    Case(
        "fvd-statistics",
        (
            f"fvd real {FVD} --stats real.npz --json",
            f"fvd real fake {FVD} --stats real.npz --json",
            f"fvd real.npz fake {FVD}",
            f"fvd real.npz fake {FVD} --frames 24",
            f"fvd real fake {FVD} --stats real.npz --features pooled",
        ),
        REAL | FAKE,
    ),
    Case(
        "fvd-arrays",
        (
            f"fvd a.npy b.npy {FVD} --json",
            f"fvd a.npy b.npy {FVD} --no-kvd",
            f"fvd videos.npy real {FVD}",
            f"fvd a.npy odd.npy {FVD}",
        ),
        {
            "a.npy": noise(1, 500, 400),
            "b.npy": noise(2, 500, 400),
            "odd.npy": noise(3, 20, 300),
            "videos.npy": noise(4, 4, 16, 48, 64, 3, dtype="uint8"),
            **REAL,
        },
    ),
    Case(
        "fvd-refused",
        (
            f"fvd real empty {FVD}",
            f"fvd real missing {FVD}",
            f"fvd real {FVD}",
            f"fvd real bad {FVD}",
            f"fvd real short {FVD} --json",
            f"fvd real real {FVD} --clips-per-video 2",
            f"fvd real real {FVD} --frames 8",
        ),
        {
            "empty": folder,
            "bad/one.mkv": copy(SMALL),
            "bad/two.mp4": copy("clips/corrupted.mp4"),
            "bad/three.mp4": "",
            "short/one.mov": copy("clips/rotated_0.mov"),
            "short/two.mkv": copy(SMALL),
            **REAL,
        },
    ),
    # Weights.
    Case(
        "convert-safetensors",
        (
            "convert rgb-scratch i3d.safetensors --json",
            f"classify {SMALL} {SHORT} -w i3d.safetensors --json",
            "info i3d.safetensors --json",
            "weights verify i3d.safetensors",
            "convert rgb-scratch i3d.safetensors",
        ),
    ),
    Case(
        "convert-onnx",
        (
            "convert rgb-scratch i3d.onnx --frames 16 --labels assets/label_map.txt",
            f"classify {SMALL} {SHORT} -w i3d.onnx --json",
            "info i3d.onnx",
        ),
    ),
    Case(
        "convert-openvino",
        (
            "convert rgb-scratch i3d.xml --frames 16 --compress fp16 --json",
            f"classify {SMALL} {SHORT} -w i3d.xml --json",
        ),
    ),
    Case(
        "convert-refused",
        (
            "convert rgb-scratch i3d.zip",
            "convert rgb-scratch i3d --format caffe",
            "convert missing.pt i3d.onnx",
            "convert rgb-scratch i3d.onnx --frames 4",
            "convert rgb-scratch i3d.onnx --labels wrong.txt",
            "convert rgb-scratch '' --format onnx",
        ),
        {"wrong.txt": "one\ntwo\n"},
    ),
    Case("info", ("info", "info --json", "info --frames 16", "info rgb-scratch", "info rgb-imagenet", "info ''")),
    Case("weights", ("weights list", "weights list --json", "weights verify rgb-scratch", "weights path rgb-scratch")),
    Case("weights-missing", ("weights path rgb-imagenet", "weights verify rgb-imagenet", "weights path flow-scratch")),
    Case(
        "weights-hostile",
        (
            *(
                command
                for name in ("html.pt", "lfs.pt", "script.pt", "keras.h5")
                for command in (f"info assets/faults/{name}", f"weights verify assets/faults/{name} --json")
            ),
            f"classify {SMALL} {SHORT} -w assets/faults/script.pt",
            "convert assets/faults/keras.h5 i3d.onnx",
        ),
    ),
    Case(
        "weights-index-alone",
        tuple(
            f"info assets/checkpoints/{name}/model.ckpt"
            for name in ("rgb_scratch", "rgb_imagenet", "flow_scratch", "rgb_scratch_kin600")
        ),
    ),
)
