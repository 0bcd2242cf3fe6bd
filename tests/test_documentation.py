"""README and docs: every block is run, in order, in a fresh folder with the files that the pages speak of."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quovadis import recognizer
from quovadis.engines import Engine
from quovadis.weights import Weights, load_weights
from support.conversions import convert_in_process
from support.documentation import (
    NOT_RUN,
    PAGES,
    ROOT,
    RUN,
    SHOWN,
    check_command,
    check_options,
    commands,
    fenced_blocks,
    options_of_commands,
    prose,
    reason_not_to_run,
    run_command,
    run_python,
)
from support.documented_files import copy_documented_files, make_documented_files
from support.fake_engine import MeanEngine
from support.opened_engines import open_engines_once

WITH_BLOCKS = [page for page in PAGES if any(block.language in RUN for block in fenced_blocks(page))]
ON_THE_NETWORK = {"README.md", "docs/inflation.md", "docs/results.md", "docs/training.md"}
"""README has each command, and these pages say what the network computed or make weights of their own.

The blocks of all others show options and calls around the network, and run on an engine without one.
"""
OPTIONS_OF_OTHERS = {"--preload", "--logdir", "--nnodes", "--rdzv-endpoint"}
"""Options of other programs that sentences name."""


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def documented_files(
    assets: Path, rgb_scratch_path: Path, ffmpeg: None, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with the files that the pages speak of, short enough to be quick."""
    folder = tmp_path_factory.mktemp("documented")
    make_documented_files(folder, assets / "clips")
    return folder


@pytest.fixture(scope="module")
def _engines_opened_once() -> Iterator[None]:
    """Every block would open the same network, which takes longer than what most of them do with it."""
    loaded: dict[str, Weights] = {}

    def load_once(name: str, **options: Any) -> Weights:
        if name not in loaded:
            loaded[name] = load_weights(name, **options)
        return loaded[name]

    with pytest.MonkeyPatch.context() as patch:
        open_engines_once(patch)
        patch.setattr(recognizer, "load_weights", load_once)
        yield


def _open_fake(*_: Any, **__: Any) -> Engine:
    engine = MeanEngine()
    engine.keeps_clips = False
    return engine


@pytest.mark.usefixtures("_engines_opened_once")
@pytest.mark.parametrize("page", WITH_BLOCKS, ids=_name)
def test_every_block_of_a_page_runs_in_order(
    page: Path, documented_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_documented_files(documented_files, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QUOVADIS_OFFLINE", "1")
    convert_in_process(monkeypatch)
    if _name(page) not in ON_THE_NETWORK:
        monkeypatch.setattr(recognizer, "open_engine", _open_fake)
    names: dict[str, Any] = {"__name__": "page"}
    for block in fenced_blocks(page):
        if block.language == "python":
            run_python(block, names)
        elif block.language == "sh":
            for command in commands(block):
                reason = reason_not_to_run(command)
                if reason is None:
                    run_command(command)
                else:
                    print(f"not run: {command}: {reason}")


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_blocks_name_their_language(page: Path) -> None:
    for block in fenced_blocks(page):
        assert block.language in (*RUN, *SHOWN), f"{block}: a block is sh, python or text, not {block.language!r}"
    indented = [line for line in re.findall(r"(?<=\n\n) {4,}\S.*", prose(page)) if not line.lstrip().startswith("- ")]
    assert not indented, f"{page.name}: code stands in fenced blocks: {indented}"


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=_name)
def test_what_commands_name_exists(page: Path) -> None:
    for block in fenced_blocks(page):
        for command in commands(block) if block.language == "sh" else ():
            check_command(command)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_commands_within_sentences_exist(page: Path) -> None:
    for command in re.findall(r"`(quovadis [^`]+)`", prose(page)):
        check_options(shlex.split(command)[1:])


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_options_within_sentences_exist(page: Path) -> None:
    scripts = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "benchmarks").glob("*.py"))
    known = options_of_commands() | set(re.findall(r'"(--[\w-]+)"', scripts)) | OPTIONS_OF_OTHERS
    spans = re.findall(r"`([^`]+)`", prose(page))
    named = {option for span in spans for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", span)}
    assert named <= known


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_files_of_the_repository_within_sentences_exist(page: Path) -> None:
    for name in re.findall(r"`((?:benchmarks|docs|scripts|src|tests)/[\w./-]+)`", prose(page)):
        assert (ROOT / name).exists(), f"{page.name}: there is no {name}"


def test_every_reason_not_to_run_a_command_is_needed() -> None:
    found = [
        line for page in PAGES for block in fenced_blocks(page) if block.language == "sh" for line in commands(block)
    ]
    unused = [pattern for pattern in NOT_RUN if not any(re.search(pattern, command) for command in found)]
    assert not unused


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in target:
            continue
        name, _, heading = target.partition("#")
        path = page.parent / name if name else page
        assert path.exists(), f"{page.name}: {target} leads nowhere"
        if heading:
            titles = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, target
