"""The twelve videos of `colours`, once in every form."""

from __future__ import annotations

from pathlib import Path

import pytest

from quovadis.datasets import Dataset, read_dataset
from quovadis.labels import kinetics400
from support.colours import FORMS


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path | None]]:
    return {form: write(tmp_path_factory.mktemp(form)) for form, write in FORMS.items()}


@pytest.fixture(params=list(FORMS))
def dataset(request: pytest.FixtureRequest, written: dict[str, tuple[Path, Path | None]]) -> Dataset:
    annotation, videos = written[request.param]
    return read_dataset(annotation, kinetics400(), videos=videos)


@pytest.fixture
def listed(written: dict[str, tuple[Path, Path | None]]) -> Dataset:
    annotation, videos = written["list"]
    return read_dataset(annotation, kinetics400(), videos=videos)
