"""What is given as weights and is none: each kind of file, and what the line about it says.

None of it needs PyTorch, and none is opened: whoever has a pointer in place of a file gains nothing by an installation.
"""

from __future__ import annotations

import gzip
import io
import pickle
import shutil
import struct
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from quovadis.errors import WeightsError
from quovadis.weights import read_weights
from quovadis.weights.foreign import refuse_foreign


@pytest.fixture(autouse=True)
def without_optional_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The advice must not depend on them: `import torch` raises ModuleNotFoundError here."""
    for name in ("torch", "onnx", "h5py", "tensorflow"):
        monkeypatch.setitem(sys.modules, name, None)


def refusal(path: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        read_weights(path)
    line = str(caught.value)
    assert line.startswith(str(path)), line
    assert line.isprintable()
    assert len(line) < 500 + len(str(path))
    assert "pip install" not in line
    return line.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("name", "what", "advice"),
    [
        ("script.pt", "a TorchScript archive", 'torch.save(torch.jit.load("script.pt").state_dict()'),
        ("lfs.pt", "a Git LFS pointer", "run git lfs pull"),
        ("html.pt", "a web page of Google Drive", "gdown"),
        ("keras.h5", "Keras weights in an HDF5 file", "quovadis weights pull rgb-imagenet"),
    ],
)
def test_files_that_people_have(assets: Path, name: str, what: str, advice: str) -> None:
    line = refusal(assets / "assets" / "faults" / name)
    assert what in line
    assert advice in line


def archive(**members: bytes | str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, content in members.items():
            file.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return stream.getvalue()


def arrays() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, kernel=np.zeros(3))
    return stream.getvalue()


def tar(mode: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as file:  # type: ignore[call-overload]
        file.addfile(tarfile.TarInfo("rgb_imagenet.pt"))
    return stream.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 50000000\n"
PAGE = "<!DOCTYPE html>\n<html lang=en><head><title>\n  {} </title></head>"
BUCKET = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>x</Message></Error>'
SUFFIXES = ("pt", "pth", "bin", "ckpt", "pb", "h5", "onnx", "xml", "npz", "safetensors", "pkl")

KINDS: dict[str, tuple[str, bytes | str, str, str]] = {
    "empty": ("w.pt", b"", "an empty file", "fetch it again"),
    "reserved": ("w.ckpt", bytes(5000), "nothing but zeros", "did not finish"),
    "git-annex": ("w.pt", "/annex/objects/SHA256E-s1--ab.pt\n", "a git-annex pointer", "git annex get"),
    "dvc": ("w.pt.dvc", "outs:\n- md5: d41d8cd98f00b204\n  path: w.pt\n", "a DVC pointer", "dvc pull"),
    "github": ("w.pth", "\n\n" + PAGE.format("i3d at main · GitHub"), "a web page of GitHub", "Download raw file"),
    "login": ("w.ckpt", PAGE.format("Sign\x1b in"), 'a web page ("Sign', "in a browser"),
    "comment first": ("w.bin", "<!-- a --><!-- b --><html>", "a web page;", "in a browser"),
    "latin-1": ("w.bin", "<html><title>Zugriff auf Gerät</title>".encode("latin-1"), '("Zugriff', "in a browser"),
    "utf-16": ("w.bin", "<html><title>Hello</title>".encode("utf-16"), '("Hello")', "in a browser"),
    "bucket": ("w.pth", BUCKET, "storage bucket (AccessDenied)", "ask its owner"),
    "bucket as IR": ("w.xml", BUCKET, "storage bucket (AccessDenied)", "ask its owner"),
    "xml": ("w.xml", '<?xml version="1.0"?><rss><channel/></rss>', "not OpenVINO IR", "quovadis convert"),
    "json error": ("w.pt", '{"error": "Invalid username or password."}', "error message in JSON (", "login"),
    "json": ("config.json", '{"num_classes": 400}', "a JSON file that begins", "the weights file itself"),
    "shards": ("m.safetensors.index.json", '{"metadata": {}, "weight_map": {}}', "split into several", "one .safetens"),
    "404": ("w.pt", "404: Not Found", 'text that begins "404: Not Found"', "fetch it again"),
    "prototxt": ("w.prototxt", '# c\nname: "I3D"\nlayer {\n', "a Caffe network's description", "weights pull"),
    "pbtxt": ("graph.pbtxt", 'node {\n  name: "x"\n}', "a TensorFlow graph as text", "checkpoint"),
    "torch.jit 1.0": ("w.pt", archive(m__model_dot_json="{}", m__code__m_dot_py=""), "TorchScript", "torch.jit.load"),
    "torch.export": ("w.pt2", archive(m__archive_format="pt2"), "torch.export", 'torch.export.load("w.pt2")'),
    "keras 3": ("w.keras", archive(config_dot_json="{}", model_dot_weights_dot_h5=""), "a Keras model", "pull rgb-"),
    "hdf5": ("w.hdf5", b"\x89HDF\r\n\x1a\n" + bytes(99), "an HDF5 file", "pull rgb-"),
    "matlab 7.3": ("w.mat", b"MATLAB 7.3 MAT-file" + bytes(999), "a MATLAB file", "pull rgb-"),
    "npz": ("w.npz", arrays(), "an archive of NumPy arrays", 'numpy.load("w.npz")'),
    "npy": ("w.npy", b"\x93NUMPY\x01\0" + bytes(99), "one NumPy array", "all tensors"),
    "zip": ("w.zip", archive(rgb_imagenet_dot_pt="x"), "a zip archive (in it: rgb_imagenet.pt)", "unpack it"),
    "cut zip": ("w.zip", archive(a="x" * 99)[:90], "whose end is missing", "fetch it again"),
    "tar": ("w.tar", tar("w"), "a tar archive", "unpack it"),
    "tar.gz": ("w.pt", tar("w:gz"), "a gzip archive", "unpack it"),
    "gzip": ("w.pb.gz", gzip.compress(b"x" * 99), "a gzip archive", "gunzip"),
    "rar": ("w.rar", b"Rar!\x1a\x07\x01\0" + bytes(99), "a RAR archive", "unpack it"),
    "7z": ("w.7z", b"7z\xbc\xaf\x27\x1c" + bytes(99), "a 7z archive", "unpack it"),
    "caffe": ("w.caffemodel", b"\x0a\x03I3D\xa2\x06\x05abcde", "a Caffe model", "pull rgb-"),
    "caffe2": ("w.pkl", pickle.dumps({"blobs": {}}, 2), "a Caffe2 pickle", "pull rgb-"),
    "mxnet": ("w.params", b"\x12\x01" + bytes(30), "an MXNet parameter file", "pull rgb-"),
    "gguf": ("w.gguf", b"GGUF\x03\0\0\0" + bytes(99), "a GGUF file", "pull rgb-"),
    "tflite": ("w.tflite", b"\x1c\0\0\0TFL3" + bytes(99), "a TensorFlow Lite model", "checkpoint"),
    "saved model": ("saved_model.pb", b"\x08\x01\x12\x80\x01\x0a\x02ab" + bytes(130), "SavedModel", "variables.index"),
    "cut v1 checkpoint": (
        "model.ckpt",
        b"\0\0\x60\x0a\x5e\x0a\x5c\x0a\x04step" + bytes(range(99)),
        "not a whole TensorFlow V1 checkpoint: the end of the file is missing",
        "fetch it again",
    ),
    "pickle": ("w.pt", pickle.dumps({"a": 1}), "a pickle that torch.save did not write", "model.state_dict()"),
    "png": ("w.png", b"\x89PNG\r\n\x1a\n" + bytes(99), "an image", "a file of weights here"),
    "avif": ("w.avif", b"\0\0\0\x20ftypavif" + bytes(99), "an image", "a file of weights here"),
    "core ml": ("w.mlmodel", b"\x08\x04\x12\x02ab" + bytes(99), "a Core ML model", "pull rgb-"),
    "jpeg": ("w.pt", b"\xff\xd8\xff\xe0" + bytes(range(99)), "an image", "a file of weights here"),
    "mp4": ("w.mp4", b"\0\0\0\x20ftypisom" + bytes(99), "a video or sound file", "a file of weights here"),
    "mkv": ("w.mkv", b"\x1a\x45\xdf\xa3" + bytes(99), "a video or sound file", "a file of weights here"),
    "ts": ("w.ts", (b"G" + b"\xff" * 187) * 5, "a video", "a file of weights here"),
    "noise": ("w.pt", bytes(range(255, 0, -1)), "it does not begin as PyTorch's files do", "fetch it again"),
    "unknown": ("w.dat", bytes(range(255, 0, -1)), "not a file of weights in a format", "docs/weights.md"),
    "damaged video": ("clip.avi", bytes(range(255, 0, -1)), "by its name a video", "a file of weights here"),
    "values alone": ("m.ckpt.data-00000-of-00001", b"x" * 99, "only the values of a TensorFlow", "m.ckpt.index"),
}


@pytest.mark.parametrize(("name", "content", "what", "advice"), KINDS.values(), ids=KINDS)
def test_the_line_says_what_the_file_is_and_what_to_do(
    tmp_path: Path, name: str, content: bytes | str, what: str, advice: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    line = refusal(path)
    assert what in line
    assert advice in line


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_content_counts_and_not_the_suffix(tmp_path: Path, suffix: str) -> None:
    for content, what in ((LFS, "Git LFS"), (PAGE.format("x").encode(), "a web page"), (archive(a="x"), "zip archive")):
        (tmp_path / f"w.{suffix}").write_bytes(content)
        assert what in refusal(tmp_path / f"w.{suffix}")


# --- files of TensorFlow's checkpoints ------------------------------------------------------------------------------


def test_meta_and_the_note_of_the_newest_name_the_checkpoint_beside_them(
    original_checkpoint: Path, tmp_path: Path
) -> None:
    for file in original_checkpoint.parent.iterdir():
        shutil.copy(file, tmp_path)
    (tmp_path / "model.ckpt.meta").write_bytes(b"\x0a\x02ab")
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "/home/me/model.ckpt"\n')
    for name in ("model.ckpt.meta", "checkpoint", "."):
        assert read_weights(tmp_path / name).name == "rgb-scratch"


def test_meta_and_the_note_of_the_newest_alone_say_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "model.ckpt.meta").write_bytes(b"\x0a\x02ab")
    assert "the weights are in model.ckpt.index and model.ckpt.data-…" in refusal(tmp_path / "model.ckpt.meta")
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-7"\n')
    assert "model.ckpt-7.index and model.ckpt-7.data-… are not beside it" in refusal(tmp_path / "checkpoint")


def test_an_index_alone_says_that_its_values_are_missing(assets: Path, tmp_path: Path) -> None:
    shutil.copy(assets / "assets" / "checkpoints" / "rgb_scratch" / "model.ckpt.index", tmp_path)
    for name in ("model.ckpt.index", "model.ckpt", "."):
        with pytest.raises(WeightsError) as caught:
            read_weights(tmp_path / name)
        assert str(caught.value) == (
            f"{tmp_path / 'model.ckpt.index'}: only the index of a TensorFlow checkpoint, whose values "
            "model.ckpt.data-00000-of-00001 are not beside it: fetch them too"
        )


def test_a_pointer_in_place_of_an_index_or_of_data_is_found(original_checkpoint: Path, tmp_path: Path) -> None:
    for file in original_checkpoint.parent.iterdir():
        shutil.copy(file, tmp_path)
    prefix = tmp_path / "model.ckpt"
    for suffix in (".data-00000-of-00001", ".index"):
        pointer = tmp_path / f"model.ckpt{suffix}"
        pointer.write_bytes(LFS)
        with pytest.raises(WeightsError) as caught:
            read_weights(prefix)
        assert str(caught.value).startswith(f"{pointer}: not weights but a Git LFS pointer")


@pytest.mark.parametrize(
    ("files", "advice"),
    [
        ((), "give the folder or the file that holds the weights"),
        (("b.mp4", "a.mp4"), "no weights directly in this folder; give a.mp4 or b.mp4 to quovadis classify"),
        (("model.safetensors", "config.json"), "give the file in it: model.safetensors"),
        (("a.pt", "b.pt"), "give the file in it: a.pt or b.pt"),
        (("archive/data.pkl", "archive/version"), "give the folder or the file"),
        (("data.pkl", "version"), "an unpacked PyTorch file"),
        (("saved_model.pb", "variables/variables.index"), "give its variables/variables.index"),
        (("model.ckpt-1.index", "model.ckpt-2.index"), "name the file: model.ckpt-1.index or model.ckpt-2.index"),
    ],
)
def test_a_folder_without_a_checkpoint_says_which_file_in_it_to_give(
    tmp_path: Path, files: tuple[str, ...], advice: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in files:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x")
    assert advice in refusal(folder)


# --- weights of other networks --------------------------------------------------------------------------------------

I3D = {"Conv3d_1a_7x7.conv3d.weight": (64, 3, 7, 7, 7), "logits.conv3d.bias": (400,)}
NETWORKS: dict[str, tuple[dict[str, tuple[int, ...]], str, str]] = {
    "flow": (I3D | {"Conv3d_1a_7x7.conv3d.weight": (64, 2, 7, 7, 7)}, "optical-flow stream", "only the RGB stream"),
    "flow, hassony2": ({"conv3d_1a_7x7.conv3d.weight": (64, 2, 7, 7, 7)}, "optical-flow stream", "only the RGB stream"),
    "two streams": (
        {f"{s}.Conv3d_1a_7x7.conv3d.weight": (64, c, 7, 7, 7) for s, c in (("rgb", 3), ("flow", 2))},
        "both streams",
        "save its state dict alone",
    ),
    "mmaction2": (
        {"backbone.conv1.conv.weight": (64, 3, 5, 7, 7), "backbone.layer1.0.conv1.conv.weight": (64, 64, 3, 1, 1)},
        "I3D on ResNet-50 of mmaction2",
        "I3D on Inception-v1 are needed",
    ),
    "slowfast": (
        {"s1.pathway0_stem.conv.weight": (64, 3, 5, 7, 7), "s2.pathway0_res0.branch1.weight": (256, 64, 1, 1, 1)},
        "a 3D network on ResNet",
        "Inception-v1",
    ),
    "image": (
        {"conv1.weight": (64, 3, 7, 7), "layer1.0.conv1.weight": (64, 64, 1, 1)},
        "an image network",
        "Inception",
    ),
    "behind a prefix": (
        {"encoder.Conv3d_1a_7x7.conv3d.weight": (64, 3, 7, 7, 7)},
        "such as encoder.Conv3d_1a_7x7.conv3d.weight",
        "save the state_dict() of the network itself",
    ),
    "transformer": ({"blocks.0.attn.qkv.weight": (2304, 768)}, "a transformer", "Inception"),
}


@pytest.fixture(scope="module")
def save() -> Callable[..., None]:
    # Bound before the fixture above hides PyTorch; what it needs itself is imported by then.
    def save(shapes: dict[str, tuple[int, ...]], path: Path, wrap: bool = False, **options: object) -> None:
        state = {name: torch.zeros(1).expand(shape).clone() for name, shape in shapes.items()}
        torch.save({"epoch": 3, "state_dict": state} if wrap else state, path, **options)

    return save


@pytest.mark.parametrize(("shapes", "what", "advice"), NETWORKS.values(), ids=NETWORKS)
def test_another_network_is_named_by_its_names_and_shapes(
    save: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    shapes: dict[str, tuple[int, ...]],
    what: str,
    advice: str,
) -> None:
    files = [tmp_path / name for name in ("new.pt", "old.pth", "wrapped.ckpt", "a.safetensors")]
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "torch", torch)
        save(shapes, files[0])
        save(shapes, files[1], _use_new_zipfile_serialization=False)
        save(shapes, files[2], wrap=True)
    files[3].write_bytes(safetensors(shapes))
    for path in files:
        line = refusal(path)
        assert what in line
        assert advice in line


def safetensors(shapes: dict[str, tuple[int, ...]]) -> bytes:
    header, end = [], 0
    for name, shape in shapes.items():
        size = 4 * int(np.prod(shape))
        header.append(f'"{name}":{{"dtype":"F32","shape":{list(shape)},"data_offsets":[{end},{end + size}]}}')
        end += size
    text = f"{{{','.join(header)}}}".encode()
    return struct.pack("<Q", len(text)) + text + bytes(end)


def test_a_safetensors_file_is_not_taken_for_what_the_length_of_its_header_looks_like(tmp_path: Path) -> None:
    for signature in (b"\x12\x01", b"BZh", b"\x1f\x8b\x08", b"BM"):
        path = tmp_path / "a.safetensors"
        length = int.from_bytes(signature, "little")
        path.write_bytes(struct.pack("<Q", length) + b"{}".ljust(length) + b"\0")
        refuse_foreign(path)


def test_a_whole_model_is_told_by_its_class_without_being_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "torch", torch)
        torch.save(torch.nn.Sequential(torch.nn.Conv3d(1, 1, 1)), tmp_path / "model.pt")
        torch.save({"pytorch-lightning_version": "2", "callbacks": Recorder()}, tmp_path / "last.ckpt")
    line = refusal(tmp_path / "model.pt")
    assert "objects other than tensors (torch.nn.modules.container.Sequential" in line
    assert "a whole model: save model.state_dict() instead" in line
    line = refusal(tmp_path / "last.ckpt")
    assert "PyTorch Lightning" in line
    assert 'torch.load("last.ckpt", weights_only=False)["state_dict"]' in line


class Recorder:
    pass


@pytest.mark.parametrize(
    "content",
    [
        b"<!-- --> " * 7000,
        b"<!DOCTYPE html><title" + b"<title" * 10_000,
        b"# # # " * 10_000,
        b'{"error":' + b" " * 60_000,
        b"outs: " + b"md5 " * 15_000,
        b"<?xml " * 10_000,
        b"\x80\x02" + b"(" * 60_000,
        b"\x80\x02" + b"]q\x00" * 20_000 + b".",
    ],
    ids=lambda content: content[:12].decode("latin-1"),
)
def test_patterns_and_pickles_that_could_take_forever_are_refused_like_others(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "hostile.pt"
    path.write_bytes(content)
    assert refusal(path)
