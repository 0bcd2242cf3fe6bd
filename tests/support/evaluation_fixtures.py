"""The twelve videos of `colours`, once in every form."""

from __future__ import annotations

from pathlib import Path

import pytest

from quovadis.datasets import Dataset, read_dataset
from quovadis.labels import kinetics400
from support.colours import FORMS


class WrittenForms(dict[str, tuple[Path, Path | None]]):
    """The annotation and the folder of videos by form, each written when it is first asked for."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        super().__init__()
        self._factory = factory

    def __missing__(self, form: str) -> tuple[Path, Path | None]:
        self[form] = FORMS[form](self._factory.mktemp(form))
        return self[form]


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> WrittenForms:
    return WrittenForms(tmp_path_factory)


@pytest.fixture(params=list(FORMS))
def dataset(request: pytest.FixtureRequest, written: WrittenForms) -> Dataset:
    annotation, videos = written[request.param]
    return read_dataset(annotation, kinetics400(), videos=videos)


@pytest.fixture(scope="session")
def listed(written: WrittenForms) -> Dataset:
    annotation, videos = written["list"]
    return read_dataset(annotation, kinetics400(), videos=videos)
