"""Names are importable as the documentation writes them, and type checkers see the same ones as Python."""

from __future__ import annotations

import ast
import inspect
import json
import pydoc
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import quovadis

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NAME = re.compile(r"(?<![\w./-])quovadis(?:\.[A-Za-z_]\w*)+(?![\w-]|\.\w)")
"""A dotted name; no part of a path or an address."""
FROM = re.compile(r"^\s*from (quovadis[\w.]*) import (.+)$", re.MULTILINE)
FILES = (".toml", ".sqlite", ".npz", ".py")
"""What may follow the package's name in the name of a file."""


def dotted_names(text: str) -> list[str]:
    found = [name for name in NAME.findall(text) if not name.endswith(FILES)]
    for module, names in FROM.findall(text):
        found += [f"{module}.{name.strip(' ()')}" for name in names.partition("#")[0].split(",")]
    return found


NAMES = sorted({name for page in PAGES for name in dotted_names(page.read_text())})


def test_names_are_found_wherever_pages_write_them() -> None:
    text = "`quovadis.torch.I3D(…)`, quovadis.load(). `~/quovadis.npz`, example.org/quovadis.html, `import quovadis`"
    assert dotted_names(text) == ["quovadis.torch.I3D", "quovadis.load"]
    assert dotted_names("    from quovadis.metrics import fvd, kvd  # arrays") == [
        "quovadis.metrics",
        "quovadis.metrics.fvd",
        "quovadis.metrics.kvd",
    ]
    assert {"quovadis.load", "quovadis.metrics.fvd", "quovadis.torch.I3D", "quovadis.fvd.compare_videos"} <= {*NAMES}


@pytest.mark.slow
def test_every_documented_name_is_there_after_importing_the_package_alone() -> None:
    code = f"""
import functools, json, quovadis
def missing(name):
    try:
        functools.reduce(getattr, name.split(".")[1:], quovadis)
    except AttributeError as error:
        return f"{{name}}: {{error}}"
print(json.dumps([problem for name in {NAMES} if (problem := missing(name))]))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == []


@pytest.mark.parametrize("package", [quovadis, quovadis.evaluation], ids=lambda package: package.__name__)
def test_type_checkers_see_what_python_sees(package: Any) -> None:
    tree = ast.parse(Path(package.__file__).read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    seen = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        for alias in node.names:
            # Without the alias, a strict checker takes it for a name of our own.
            assert alias.asname == alias.name
            seen[alias.name] = node.module
    modules = dict.fromkeys(getattr(package, "_MODULES", ()), package.__name__)
    homes = {name: f"{package.__name__}.{module}" for module, names in package._NAMES.items() for name in names}
    assert seen == {**homes, **modules}


def test_whoever_looks_at_everything_in_the_package_needs_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "quovadis.torch", raising=False)
    monkeypatch.delitem(vars(quovadis), "torch", raising=False)
    assert pydoc.render_doc(quovadis)
    members = dict(inspect.getmembers(quovadis))
    assert {"load", "fvd", "metrics"} <= {*members}
    assert "torch" not in members


def test_the_names_of_a_module_are_those_it_promises() -> None:
    for name in quovadis.__all__:
        assert getattr(quovadis, name) is not None
    for module in (
        quovadis.evaluation,
        quovadis.fvd,
        quovadis.metrics,
        quovadis.results,
        quovadis.features,
        quovadis.weights,
    ):
        assert all(hasattr(module, name) for name in module.__all__)


@pytest.mark.slow
def test_asking_for_the_names_of_evaluation_loads_no_network() -> None:
    code = """
import sys
from quovadis import evaluation
print(*dir(evaluation), *(name for name in ("numpy", "quovadis.recognizer") if name in sys.modules))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = run.stdout.split()
    assert {"run_evaluation", "make_protocol", "read_predictions", "summarize", "compare"} <= {*names}
    assert not {"numpy", "quovadis.recognizer"} & {*names}
