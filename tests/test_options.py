"""Options as values, and what the command line makes of them."""

from __future__ import annotations

import ast
import inspect
import pickle
import subprocess
import sys
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

import quovadis
from quovadis import ModelOptions, VideoLimits
from quovadis.cli import cache, classify, convert, doctor, evaluate, features, fvd, inflate, info, train, weights
from quovadis.cli.command import Without, add_command

MODEL, LIMITS = ModelOptions("rgb-scratch", threads=2), VideoLimits()
NAMING = """
import sys, quovadis
quovadis.ModelOptions("rgb-scratch", device="cuda"), quovadis.VideoLimits(max_frames=9), quovadis.QuovadisError
print(sorted({"numpy", "av", "openvino", "torch", "rich", "typer"} & sys.modules.keys()))
"""


def test_options_are_values() -> None:
    options = ModelOptions("w.safetensors", labels=["a", "b"], precision="int8")
    assert pickle.loads(pickle.dumps(options)) == options == eval(repr(options))
    assert len({options, ModelOptions("w.safetensors", labels=("a", "b"), precision="int8")}) == 1
    with pytest.raises(AttributeError):
        options.device = "cuda"  # type: ignore[misc]


def test_a_model_is_loaded_by_keywords_or_by_one_value(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(weights: object, **options: object) -> None:
        raise quovadis.EngineError(f"{weights}")

    monkeypatch.setattr("quovadis.recognizer.load_weights", stop)
    for arguments, keywords in ((("a",), {"device": "cuda"}), ((ModelOptions("a"),), {"device": "cuda"})):
        with pytest.raises(quovadis.EngineError, match=r"^a$"):
            quovadis.load(*arguments, **keywords)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="devise"):
        quovadis.load("a", devise="cuda")


@pytest.mark.slow
def test_naming_options_loads_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", NAMING], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_command_has_an_option_for_each_field() -> None:
    seen = []

    def work(
        source: Annotated[str, typer.Argument()],
        model: Annotated[ModelOptions, Without("labels", "hint")] = MODEL,
        limits: VideoLimits = LIMITS,
    ) -> None:
        seen.append((source, model, limits))

    app = typer.Typer()
    add_command(app, work)
    run = CliRunner().invoke
    assert run(app, ["a", "--device", "GPU", "-w", "x", "--max-frames", "9"]).exit_code == 0
    assert run(app, ["a"]).exit_code == 0
    assert seen == [
        ("a", ModelOptions("x", threads=2, device="GPU"), VideoLimits(max_frames=9)),
        ("a", MODEL, LIMITS),
    ]
    wrong_ones = {
        "--engine=abacus": "openvino",
        "--max-frames=0": "greater than or equal to 1",
        "--hint=latency": "No such option",
    }
    for wrong, said in wrong_ones.items():
        failed = run(app, ["a", wrong])
        assert failed.exit_code == 2
        assert said in failed.output
    assert "--labels" not in run(app, ["--help"]).output


@pytest.mark.parametrize(
    "command",
    [
        *(classify.classify, features.features, evaluate.evaluate, fvd.fvd),
        *(convert.convert, inflate.inflate, train.train),
        *(info.info, info.sample),
        *(weights.list_weights, weights.pull, weights.verify, weights.weights_path),
        *(cache.list_cache, cache.clear, doctor.doctor),
    ],
    ids=lambda command: command.__name__,
)
def test_a_command_is_short(command: object) -> None:
    lines, _ = inspect.getsourcelines(command)  # type: ignore[arg-type]
    (function,) = ast.parse("".join(lines)).body
    assert isinstance(function, ast.FunctionDef)
    documentation, *body = function.body
    assert ast.get_docstring(function)
    assert body[-1].end_lineno - documentation.end_lineno <= 60  # type: ignore[operator]
