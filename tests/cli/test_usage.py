"""A wrong command line: exit code 2, one line that says what is wrong, and one that says where to read more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from typer.models import OptionInfo

from quovadis.cli.usage import Alone, Excludes, Needs
from support.command_line import quovadis
from support.commands import COMMANDS


def wrong_values(annotation: Any) -> list[str]:
    """Return values that an option of a type can never have."""
    if get_origin(annotation) is Literal:
        return ["no-such-choice"]
    if annotation in (int, float):
        return ["many", "nan" if annotation is int else "one"]
    return [value for one in get_args(annotation) for value in wrong_values(one)]


def wrong_options() -> Iterator[list[str]]:
    for name, command in COMMANDS.items():
        positional = ["a"] * sum(not one.opts[0].startswith("-") and one.required for one in command.params)
        for parameter in command.parameters:
            kind, *notes = get_args(parameter.annotation)
            if any(isinstance(note, OptionInfo) for note in notes):
                flag = next(one.opts[0] for one in command.params if one.name == parameter.name)
                for value in wrong_values(kind):
                    yield [*name.split(), *positional, flag, value]


def assert_refused(arguments: list[str], *said: str) -> None:
    run = quovadis(*arguments)
    assert run.returncode == 2, run.stderr
    assert run.stdout == ""
    first, second = run.stderr.splitlines()
    assert first.startswith("quovadis: error: ")
    for part in said:
        assert part in first
    assert second.startswith("quovadis: see quovadis ")
    assert second.endswith(" --help")


@pytest.mark.parametrize("arguments", [*wrong_options()], ids=" ".join)
def test_a_value_that_an_option_can_never_have_is_refused(arguments: list[str]) -> None:
    assert_refused(arguments, arguments[-2])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("guess a.mp4", "no such command 'guess'"),
        ("classify", "missing argument 'SOURCE...'"),
        ("classify a.mp4 --no-such-option", "--no-such-option"),
        ("classify a.mp4 --outptu x.json", "no such option: --outptu; did you mean --output"),
        ("classify a.mp4 --precison int8", "no such option: --precison; did you mean --precision?"),
        ("classify a.mp4 --duration 5s", "invalid --duration: must be a number"),
        ("classify a.mp4 --top 1.5", "invalid --top: must be a whole number"),
        (f"classify a.mp4 --top {'9' * 5000}", "invalid --top: must be a number of fewer digits"),
        ("classify a.mp4 --stride 0", "invalid --stride: must be 1 or more"),
        ("classify a.mp4 --threads 2000", "invalid --threads: must be 1024 or less"),
        ("doctor now", "unexpected argument: now"),
        ("convert rgb-scratch", "missing argument 'DESTINATION'"),
        ("fvd a b --stats s.txt", "s.txt: statistics are kept in a file that ends in .npz; call it s.npz"),
        ("classify a.mp4 --fps 0", "frames per second"),
        ("classify a.mp4 --fps fast", "native"),
        ("classify a.mp4 --fps nan", "native"),
        ("classify a.mp4 --dense --chunk 12", "invalid --chunk 12: must be a multiple of 8"),
        ("classify a.mp4 --duration 0", "duration"),
        ("classify a.mp4 --start nan", "--start"),
        ("classify a.mp4 --clip-frames 8", "--clip-frames"),
        ("classify a.mp4 -o results.txt", "--format"),
        ("classify a.mp4 --format parquet", "--output"),
        ("classify a.mp4 b.mp4 --plot one.png", "--plot"),
        ("classify a.mp4 --plot one.xyz", ".xyz is not an image format; --plot takes"),
        ("fvd real -", "- is standard input"),
        ("fvd real fake --more-fake -", "- is standard input"),
        ("classify a.mp4 --precision f16", "--device cuda"),
        ("classify a.mp4 --device cuda --engine native", "--engine torch"),
        ("classify a.mp4 --engine torch --precision int8", "--engine openvino"),
        ("classify a.mp4 --engine torch --dense", "--device CPU"),
        ("classify a.mp4 --resume r.json -o r.json", "--resume"),
        ("features a.mp4 --endpoint Mixed_9z", "Mixed_5c"),
        ("features a.mp4 --endpoint Input", "Mixed_5c"),
        ("features a.mp4 --windows join --stride 100", "stride"),
        ("features a.mp4 --windows join --pool space", "--windows join has no effect with --pool space"),
        ("fvd a b --max-spooled-bytes 9", "no such option: --max-spooled-bytes"),
        ("evaluate set --max-spooled-bytes 9", "no such option: --max-spooled-bytes"),
        ("features a.mp4 --like video_features --stride 90", "--stride"),
        ("evaluate", "a dataset"),
        ("evaluate set --protocol multiview --crops 2", "crops"),
        ("evaluate set --protocol multiview --crop-size 9", "crops"),
        ("fvd a", "--stats"),
        ("fvd a b --bootstrap 1", "--bootstrap"),
        ("fvd a b --frames 8", "--frames"),
        ("convert rgb-scratch i3d.caffe", "--format"),
        ("convert rgb-scratch i3d --format caffe", "caffe"),
        ("convert rgb-scratch i3d.safetensors --format onnx", "the suffix contradicts --format onnx"),
        ("convert rgb-scratch i3d.pb --format piergiaj", "the suffix contradicts --format piergiaj"),
        ("inflate", "missing argument 'SOURCE'"),
        ("inflate googlenet.pth i3d.onnx", "i3d.onnx: inflation writes .safetensors files"),
        ("convert rgb-scratch i3d --recipe caffe", "caffe"),
        ("convert rgb-scratch i3d.onnx --batch 0", "--batch"),
        ("convert rgb-scratch i3d.safetensors --frames 16", "--frames"),
        ("weights pull rgb-imagnet", "rgb-imagenet"),
        ("weights path rgb-imagnet", "rgb-imagenet"),
    ],
)
def test_what_is_wrong_whatever_the_files_are_is_refused(arguments: str, said: str) -> None:
    assert_refused(arguments.split(), said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("classify a.mp4 --clip centre --dense", "--clip centre has no effect with --dense; leave one of them out"),
        ("classify a.mp4 --clip-frames 16 --dense", "--clip-frames has no effect with --dense; leave one of them out"),
        ("classify a.mp4 --stride 8 --timeline", "--stride has no effect with --timeline; leave one of them out"),
        ("classify a.mp4 --stride 8 --clip centre", "--stride has no effect with --clip centre"),
        ("classify a.mp4 --threshold 0.3", "--threshold has no effect without --timeline"),
        ("classify a.mp4 --window 9", "--window has no effect without --dense or --timeline"),
        ("classify a.mp4 --chunk 16", "--chunk has no effect without --dense or --timeline"),
        ("classify a.mp4 --calibrate b.mp4", "--calibrate has no effect without --precision int8"),
        ("classify a.mp4 --precision auto --calibrate b.mp4", "--calibrate has no effect without --precision int8"),
        ("classify a.mp4 --restart", "--restart has no effect without --resume"),
        ("classify a.mp4 --json --format csv", "--format csv has no effect with --json"),
        ("classify a.mp4 --json -o r.csv", "r.csv: the suffix contradicts --format json"),
        ("classify a.mp4 --format csv -o r.json", "r.json: the suffix contradicts --format csv"),
        ("classify a.mp4 --format table -o r.json", "--format table"),
        ("features a.mp4 --dense --stride 8", "--stride has no effect with --dense"),
        ("features a.mp4 --like i3d --pool all", "--pool all has no effect with --like i3d"),
        ("features a.mp4 --like video_features --dense", "--dense has no effect with --like video_features"),
        ("evaluate set --clips 2", "--clips has no effect without --protocol multiview"),
        ("evaluate set --crops 1 --protocol omz", "--crops has no effect without --protocol multiview"),
        ("evaluate set --crop-size 224", "--crop-size has no effect without --protocol multiview"),
        ("evaluate set --omz-compatible", "--omz-compatible has no effect without --protocol omz"),
        ("evaluate set --dataset-format list --split test", "--split test has no effect with --dataset-format list"),
        ("evaluate set --dataset-format folders --videos v", "--videos has no effect with --dataset-format folders"),
        ("evaluate set --compare a b", "DATASET has no effect with --compare"),
        ("evaluate --compare a b --workers 2", "--workers has no effect with --compare"),
        ("evaluate --compare a b -w rgb-scratch", "--weights rgb-scratch has no effect with --compare"),
        ("fvd a --stats s.npz --bootstrap 20", "--bootstrap has no effect without FAKE"),
        ("fvd a --stats s.npz --no-kvd", "--no-kvd has no effect without FAKE"),
        ("fvd a --stats s.npz --more-fake b", "--more-fake has no effect without FAKE"),
        ("fvd a b --seed 1", "--seed has no effect without --bootstrap or --clips random"),
        ("fvd a b --like stylegan-v --clips first --seed 3", "--seed has no effect without --bootstrap or --clips"),
        ("fvd a b --clips-per-video 2", "--clips-per-video has no effect without --clips random"),
        ("fvd a b --restart", "--restart has no effect without --resume"),
        ("convert auto i3d --format onnx --recipe omz", "--recipe omz has no effect with --format"),
        ("info --json --format table", "--format table has no effect with --json"),
    ],
)
def test_options_without_an_effect_together_are_refused(arguments: str, said: str) -> None:
    assert_refused(arguments.split(), said)


def test_rules_name_parameters_of_their_command() -> None:
    for name, command in COMMANDS.items():
        known = {parameter.name for parameter in command.params}
        for subject, rules in command.rules.items():
            assert subject in known
            for rule in rules:
                others = rule.allowed if isinstance(rule, Alone) else {*rule.wanted}
                # Of a restart: in commands that always keep what is done, nothing else is needed.
                assert others <= known or (subject, others) == ("restart", {"resume"}), name
                assert isinstance(rule, Needs | Excludes | Alone)


def test_what_is_wrong_with_a_file_or_the_machine_exits_with_1(tmp_path: Path) -> None:
    for arguments in (
        ["classify", "absent.mp4", "-w", tmp_path / "absent.pt"],
        ["classify", "absent.mp4", "-o", tmp_path / "absent" / "r.json"],
        ["evaluate", tmp_path / "absent.csv", "-w", tmp_path / "absent.pt"],
        ["info", tmp_path / "absent.pt"],
        ["info", __file__],
        ["info", __file__, "--json"],
        ["convert", tmp_path / "absent.pt", tmp_path / "i3d.onnx"],
    ):
        run = quovadis(*arguments)
        assert run.returncode == 1, arguments
        assert "--help" not in run.stderr


def test_without_a_command_the_help_goes_to_stderr() -> None:
    for arguments in ((), ("weights",), ("cache",)):
        run = quovadis(*arguments)
        assert (run.returncode, run.stdout) == (2, "")
        assert run.stderr.startswith("Usage: quovadis")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("classify", "-odd.avi"),
            "missing argument 'SOURCE...'; -odd.avi is read as options: a file of this name is ./-odd.avi",
        ),
        (("features", "-wave.mp4"), "-wave.mp4 is read as options: a file of this name is ./-wave.mp4"),
        (("classify", "a.mp4", "-clip.mp4"), "no such option: -c; -clip.mp4 is read as options"),
        (("fvd", "real", "-set.npz"), "no such option: -s; -set.npz is read as options"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_file_whose_name_begins_with_a_dash_is_told_how_to_be_named(arguments: tuple[str, ...], said: str) -> None:
    run = quovadis(*arguments)
    assert run.returncode == 2
    assert said in run.stderr


def test_where_such_a_file_is_there_it_is_not_taken_for_an_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-odd.json").touch()
    run = quovadis("classify", "a.mp4", "-odd.json")
    assert run.returncode == 2
    assert "a file of this name is ./-odd.json" in run.stderr
    assert "-odd.json: empty file" in quovadis("classify", "--", "-odd.json").stderr
    # Glued to its option, the name of an output is one.
    assert "a.mp4: no such file" in quovadis("classify", "a.mp4", "-oout.json").stderr
    assert "is read as options" not in quovadis("classify", "a.mp4", "-oout.json", "--nonsense").stderr
