"""Files that are taken for weights and are none: what each kind is, and what to do about it.

People are left with such a file when a download, a clone or an export went another way than they think. Each row of
the table recognizes one kind by its content, whatever its suffix, before any optional package is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from quovadis.errors import WeightsError
from quovadis.weights.file_sample import ZIP, FileSample, quoted, read_sample
from quovadis.weights.sstable import MAGIC

_Test = Callable[[FileSample], object]


@dataclass(frozen=True)
class ForeignKind:
    """One kind of file that is not weights, or not weights that can be read."""

    what: str
    """Completes "this is …"; `{found}` stands for the text that the test returned, `{name}` for the file's name."""
    advice: str
    """What to do, as a command to the user; the same placeholders."""
    test: _Test
    """Returns something true for a file of this kind."""


def _begins(*signatures: bytes, at: int = 0) -> _Test:
    return lambda sample: sample.head[at:].startswith(signatures)


def _matches(pattern: str) -> _Test:
    return lambda sample: sample.search(pattern)


def _archive(*patterns: str) -> _Test:
    """Recognize a zip archive that holds, for each pattern, a file whose whole name matches it."""
    return lambda sample: (
        sample.members and all(any(re.fullmatch(p, member) for member in sample.members) for p in patterns)
    )


def _archive_of_arrays(sample: FileSample) -> bool:
    return bool(sample.members) and all(member.endswith(".npy") for member in sample.members or ())


def _archive_of_files(sample: FileSample) -> str | None:
    if sample.members is None or any(re.fullmatch(r"(.*/)?data\.pkl", member) for member in sample.members):
        return None
    files = [quoted(member) for member in sample.members if not member.endswith("/")]
    return ", ".join(files[:3]) + (", …" if len(files) > 3 else "") if files else "nothing"


def _cut_archive(sample: FileSample) -> bool:
    return sample.head.startswith(ZIP) and sample.members is None


def _cut_torch_archive(sample: FileSample) -> bool:
    first_member = sample.head[30 : 30 + int.from_bytes(sample.head[26:28], "little")]
    return _cut_archive(sample) and bool(re.search(rb"/(data\.pkl|version|\.format_version)$", first_member))


_TORCH_MAGIC = b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_HDF5 = b"\x89HDF\r\n\x1a\n"


def _plain_pickle(sample: FileSample) -> bool:
    is_pickle = _PICKLE.match(sample.head) is not None and _TORCH_MAGIC not in sample.head[:64]
    return is_pickle and sample.suffix in (".pt", ".pth")


def _caffe2_pickle(sample: FileSample) -> bool:
    return _PICKLE.match(sample.head) is not None and b"blobs" in sample.head[:64]


def _keras_hdf5(sample: FileSample) -> bool:
    # `.h5` is Keras's own suffix; PyTables writes `.h5` too, but nobody's weights of I3D.
    names = (b"keras_version", b"layer_names", b"model_weights", b"_layer_checkpoint")
    is_keras = sample.suffix in (".h5", ".keras") or any(name in sample.head for name in names)
    return sample.head.startswith(_HDF5) and is_keras


def _caffe_model(sample: FileSample) -> bool:
    """Recognize Caffe's `NetParameter`: a name that is text, then layers; a `GraphDef` begins with a message."""
    head = sample.head
    if head[:2] == b"\xa2\x06":
        return True
    if len(head) < 3 or head[0] != 0x0A or head[1] >= 0x80:
        return False
    name, rest = head[2 : 2 + head[1]], head[2 + head[1] :]
    return (
        bool(name)
        and name.isascii()
        and name.decode("ascii").isprintable()
        and rest.startswith((b"\xa2\x06", b"\x12", b"\x1a"))
    )


def _saved_model(sample: FileSample) -> bool:
    """Recognize a `SavedModel`: its schema's version, 1, then a message, which begins with a message."""
    return re.match(rb"\x08\x01\x12[\x80-\xff]{0,9}[\x00-\x7f]\x0a", sample.head) is not None and (
        sample.suffix == ".pb"
    )


def _media_box(sample: FileSample) -> bool:
    return sample.head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide") and sample.size > 8


def _transport_stream(sample: FileSample) -> bool:
    return len(sample.head) > 188 and set(sample.head[: 188 * 5 : 188]) == {0x47}


def _torch_tar(sample: FileSample) -> bool:
    return sample.head[257:262] == b"ustar" and sample.head.startswith((b"sys_info\0", b"pickle\0", b"storages\0"))


def _values_of_ir(sample: FileSample) -> bool:
    is_torch = sample.head.startswith((ZIP, b"\x80"))
    return sample.suffix == ".bin" and not is_torch and sample.path.with_suffix(".xml").is_file()


_V1_CHECKPOINT = re.compile(rb"\0\0[\x80-\xff]{0,4}[\x00-\x7f](\x0a[\x80-\xff]{0,4}[\x00-\x7f]){3}")
"""How the table of a V1 checkpoint begins: the empty key, its value's length, and the lengths of three messages, one
within the other; the innermost is a name."""


def _cut_v1_checkpoint(sample: FileSample) -> bool:
    return _V1_CHECKPOINT.match(sample.head) is not None and not sample.tail.endswith(MAGIC)


def _not_torch(sample: FileSample) -> bool:
    known = (ZIP, b"\x80")
    return sample.suffix in (".pt", ".pth") and not sample.head.startswith(known)


_PROLOG = r"\A(?>(?:<\?xml[^>]*>|<!--.*?-->)\s*)*+"
"""What may stand before a document's first element; atomic, so that no file makes it slow."""
_PULL = "quovadis weights pull rgb-imagenet fetches the original weights"
_AGAIN = "fetch it again"
_GIVE_BOTH = "give it to quovadis classify as the source, and a file of weights here"
_UNPACK = "unpack it, and give the weights file that is in it"
_NOT_READ = f"such files cannot be read; {_PULL}"

FOREIGN_KINDS: tuple[ForeignKind, ...] = (
    ForeignKind("an empty file", f"{_AGAIN}: the download or the copy did not take place", lambda s: s.size == 0),
    ForeignKind(
        "a file that begins with nothing but zeros",
        f"{_AGAIN}: the download reserved the space and did not finish",
        lambda s: s.size >= 64 and not s.head.strip(b"\0"),
    ),
    # --- text in place of the file
    ForeignKind(
        "a Git LFS pointer, which only names the weights",
        "run git lfs pull in its repository, or download the file itself from the repository's web page",
        _matches(r"\Aversion https?://(git-lfs|hawser)[\w.]*/spec/"),
    ),
    ForeignKind(
        "a git-annex pointer, which only names the weights",
        "run git annex get on it in its repository",
        _matches(r"\A(\.\./)*(\.git)?/annex/objects/"),
    ),
    ForeignKind(
        "a DVC pointer, which only names the weights",
        "run dvc pull on it in its repository",
        _matches(r"\A(md5: \w+\s+)?(frozen: \w+\s+)?(deps|outs):\s.*\b(md5|etag|hash|checksum): "),
    ),
    ForeignKind(
        "a web page of Google Drive",
        "download the file past the page's warning in a browser, or with gdown",
        _matches(r"\A<.*(google drive|drive\.google|drive\.usercontent|virus scan warning)"),
    ),
    ForeignKind(
        "a web page of GitHub",
        'use "Download raw file" on that page, or git clone with Git LFS',
        _matches(r"\A(<!doctype html|<html|<!--).*\bgithub\b"),
    ),
    ForeignKind(
        'a web page ("{found}")',
        "open its address in a browser, and save the file that the page leads to",
        _matches(rf"{_PROLOG}<(?:!doctype html|html|head|body)\b.*?<title[^>]{{0,200}}>([^<]{{0,200}})"),
    ),
    ForeignKind(
        "a web page",
        "open its address in a browser, and save the file that the page leads to",
        _matches(rf"{_PROLOG}<(!doctype html|html|head|body|script|title|meta|center|h1)\b"),
    ),
    ForeignKind(
        "the error message of a storage bucket ({found})",
        "its address is not public, has expired or is wrong: ask its owner for a new one",
        _matches(rf"{_PROLOG}<Error\b.*?<Code>([^<]{{0,200}})"),
    ),
    ForeignKind(
        "an XML document that begins {found}, not OpenVINO IR",
        _AGAIN + ", or give the .xml file that quovadis convert wrote",
        lambda s: (
            re.match(r"<[?!a-z]", s.text, re.IGNORECASE)
            and not re.search(r"<net[\s/>]", s.text)
            and f'"{quoted(s.text)}"'
        ),
    ),
    ForeignKind(
        "the index of a model that is split into several files",
        "load the files that it names, and save all their tensors as one .safetensors file",
        _matches(r'\A\{.*"weight_map"\s*:'),
    ),
    ForeignKind(
        "an error message in JSON ({found})",
        "its address is wrong, has expired, or needs a login: download the file in a browser",
        _matches(r'\A\{.*?"(?:error|errors|message|detail|error_description|msg)"\s*:([^,}\]]{1,200})'),
    ),
    ForeignKind(
        "a JSON file that begins {found}",
        "give the weights file itself",
        lambda s: re.match(r'[\[{]\s*["\[{\]}]', s.text) and f'"{quoted(s.text)}"',
    ),
    ForeignKind(
        "a Caffe network's description as text",
        _NOT_READ,
        _matches(r'\A(?>#[^\n]*\n\s*|name:\s*"[^"]*"\s*)*+(layers?|input|input_shape|input_dim)\s*[:{]'),
    ),
    ForeignKind(
        "a TensorFlow graph as text, which holds no weights",
        "give its checkpoint, or a frozen graph in binary form",
        _matches(r"\A(node|meta_info_def|graph_def|saved_model_schema_version)\s*[:{]"),
    ),
    # --- archives
    ForeignKind(
        "a TorchScript archive",
        'save its tensors: torch.save(torch.jit.load("{name}").state_dict(), "state_dict.pt")',
        lambda s: (
            _archive(r"(.*/)?constants\.pkl", r"(.*/)?code/.*")(s)
            or _archive(r"[^/]+/model\.json", r"[^/]+/code/.*")(s)
        ),
    ),
    ForeignKind(
        "a program that torch.export saved",
        'save its tensors: torch.save(torch.export.load("{name}").state_dict, "state_dict.pt")',
        lambda s: (
            _archive(r"(.*/)?serialized_(exported_program|state_dict)\.(json|pt)")(s)
            or _archive(r"(.*/)?archive_format")(s)
        ),
    ),
    ForeignKind("a Keras model", _NOT_READ, _archive(r"config\.json", r"(.*/)?model\.weights\.h5")),
    ForeignKind(
        "an archive of NumPy arrays",
        'save its arrays under the original names: safetensors.numpy.save_file(dict(numpy.load("{name}")), '
        '"weights.safetensors")',
        _archive_of_arrays,
    ),
    ForeignKind("a zip archive (in it: {found})", _UNPACK, _archive_of_files),
    ForeignKind("an empty zip archive", _AGAIN, _begins(b"PK\x05\x06")),
    ForeignKind(
        "not a PyTorch state dict, or damaged: the end of the file is missing",
        f"{_AGAIN}: the download or the copy broke off",
        _cut_torch_archive,
    ),
    ForeignKind(
        "a zip archive whose end is missing",
        f"{_AGAIN}: the download or the copy broke off",
        _cut_archive,
    ),
    ForeignKind(
        "a PyTorch file from before version 0.1.12",
        "load it with PyTorch 1 and torch.save its state dict again",
        _torch_tar,
    ),
    ForeignKind("a gzip archive", _UNPACK + " (tar xzf, or gunzip)", _begins(b"\x1f\x8b")),
    ForeignKind("a tar archive", _UNPACK + " (tar xf)", _begins(b"ustar", at=257)),
    ForeignKind("a RAR archive", _UNPACK, _begins(b"Rar!\x1a\x07")),
    ForeignKind("a 7z archive", _UNPACK, _begins(b"7z\xbc\xaf\x27\x1c")),
    ForeignKind("an xz archive", _UNPACK + " (tar xJf, or unxz)", _begins(b"\xfd7zXZ\0")),
    ForeignKind("a bzip2 archive", _UNPACK + " (tar xjf, or bunzip2)", _begins(b"BZh")),
    ForeignKind("a zstd archive", _UNPACK + " (unzstd)", _begins(b"\x28\xb5\x2f\xfd")),
    # --- weights and models of other frameworks
    ForeignKind("Keras weights in an HDF5 file", _NOT_READ, _keras_hdf5),
    ForeignKind("a MATLAB file", _NOT_READ, _begins(b"MATLAB ")),
    ForeignKind("an HDF5 file", _NOT_READ, lambda s: _HDF5 in (s.head[:8], s.head[512:520])),
    ForeignKind("a Caffe model", _NOT_READ, _caffe_model),
    ForeignKind("a Caffe2 pickle, whose I3D is built on ResNet", _NOT_READ, _caffe2_pickle),
    ForeignKind("an MXNet parameter file, such as GluonCV's", _NOT_READ, _begins(b"\x12\x01" + bytes(14))),
    ForeignKind("a GGUF file of a language model", _NOT_READ, _begins(b"GGUF")),
    ForeignKind("a TensorFlow Lite model", "give the checkpoint that it was made from", _begins(b"TFL3", at=4)),
    ForeignKind("a Core ML model", _NOT_READ, lambda s: s.suffix == ".mlmodel" and s.head.startswith(b"\x08")),
    ForeignKind("a TensorRT engine", "give the model that it was built from", _begins(b"ftrt", b"ptrt")),
    ForeignKind("a Torch7 file", _NOT_READ, _begins(b"\x03\0\0\0V 1", at=8)),
    ForeignKind("one NumPy array", "give a file with all tensors, by their original names", _begins(b"\x93NUMPY")),
    ForeignKind(
        "a TensorFlow SavedModel's graph",
        "give the file variables/variables.index beside it",
        _saved_model,
    ),
    ForeignKind("the values of OpenVINO IR", "give the .xml file of the same name beside it", _values_of_ir),
    ForeignKind(
        "not a whole TensorFlow V1 checkpoint: the end of the file is missing",
        f"{_AGAIN}: the download or the copy broke off",
        _cut_v1_checkpoint,
    ),
    ForeignKind(
        "a pickle that torch.save did not write",
        "it was not opened, because pickles can run code: save model.state_dict() with torch.save",
        _plain_pickle,
    ),
    # --- what the network looks at, not the network
    ForeignKind(
        "an image",
        _GIVE_BOTH,
        _begins(b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"\0\0\0\x0cJXL", b"\0\0\0\x0cjP", b"8BPS"),
    ),
    ForeignKind("an image", _GIVE_BOTH, lambda s: s.head[:4] == b"RIFF" and s.head[8:12] == b"WEBP"),
    ForeignKind("an image", _GIVE_BOTH, lambda s: s.head[:2] == b"BM" and s.head[6:10] == b"\0\0\0\0" and s.size > 54),
    ForeignKind(
        "an image", _GIVE_BOTH, lambda s: re.match(rb".{4}ftyp(avi[fs]|hei[cxs]|mif1|msf1)|P[1-6]\s", s.head, re.DOTALL)
    ),
    ForeignKind("an animation", _GIVE_BOTH, _begins(b"GIF8")),
    ForeignKind("a video or sound file", _GIVE_BOTH, _media_box),
    ForeignKind(
        "a video or sound file",
        _GIVE_BOTH,
        _begins(b"RIFF", b"\x1a\x45\xdf\xa3", b"OggS", b"FLV\x01", b"\0\0\x01\xba", b"\0\0\x01\xb3", b"ID3"),
    ),
    ForeignKind("a video or sound file", _GIVE_BOTH, _begins(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"YUV4MPEG2")),
    ForeignKind("a video", _GIVE_BOTH, _transport_stream),
    ForeignKind("a PDF document", "give the weights file itself", _begins(b"%PDF")),
    # --- nothing that is known
    ForeignKind(
        'not a TensorFlow checkpoint or other weights file, but text that begins "{found}"',
        f"{_AGAIN} and check what the download prints",
        lambda s: None if re.match(r"<\?xml|<net", s.text) else quoted(s.text),
    ),
    ForeignKind("not a PyTorch state dict, or damaged: it does not begin as PyTorch's files do", _AGAIN, _not_torch),
)
"""Every kind that is known, the more special before the more general: the first that matches is reported."""


def refuse_foreign(path: Path, *, text_only: bool = False) -> None:
    """Refuse a file that is known not to be weights that can be read.

    Args:
        path: the file.
        text_only: whether to look for text alone, because the file's right content may be any bytes.

    Raises:
        WeightsError: the file cannot be read, or is of a foreign kind; the message says of which, and what to do.
    """
    sample = read_sample(path)
    if (text_only and not sample.text) or sample.may_be_safetensors:
        return
    for kind in FOREIGN_KINDS:
        found = kind.test(sample)
        if found:
            # Not str.format: the advice holds braces of its own.
            what, advice = (
                text.replace("{found}", str(found)).replace("{name}", path.name) for text in (kind.what, kind.advice)
            )
            is_said = what.startswith("not ")
            raise WeightsError(f"{path}: {what}; {advice}" if is_said else f"{path}: not weights but {what}; {advice}")
