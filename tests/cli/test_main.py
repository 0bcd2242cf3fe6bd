"""The command line, in a process of its own where that is the point."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from PIL import Image

from quovadis.interrupts import INTERRUPTED
from support.command_line import SAFETY_NET, load_fakes, quovadis, quovadis_process
from support.fake_engine import MeanEngine
from support.killed_runs import environment, fake_command, run_process
from support.synthetic import write_sound

SHORT = ("--weights", "rgb-scratch", "--threads", "2", "--clip-frames", "16", "--duration", "0.64")
"""Options that make a run cheap: one clip of 16 frames."""


def assert_one_line_error(run: subprocess.CompletedProcess[str], *needles: str) -> None:
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    lines = [line for line in run.stderr.splitlines() if line.startswith("quovadis: error:")]
    assert len(lines) == 1, run.stderr
    for needle in needles:
        assert needle in lines[0]


@pytest.fixture
def fake_network(monkeypatch: pytest.MonkeyPatch) -> None:
    load_fakes(monkeypatch, classify=MeanEngine())


def test_classify_prints_the_label_of_the_original_sample(rgb_scratch_path: Path, cricket_gif: Path) -> None:
    run = quovadis_process("classify", cricket_gif, "--weights", "rgb-scratch")
    assert run.returncode == 0, run.stderr
    assert "98.9 %" in run.stdout
    assert "playing cricket" in run.stdout
    assert run.stderr == ""


def test_json_on_stdout_is_one_document_and_nothing_else(rgb_scratch_path: Path, cricket_gif: Path) -> None:
    run = quovadis_process("classify", cricket_gif, *SHORT, "--json", "--top", "3")
    document = json.loads(run.stdout)
    (result,) = document["results"]
    assert result["source"] == str(cricket_gif)
    assert len(result["top"]) == 3
    assert result["weights"]["name"] == "rgb-scratch"
    assert document["failures"] == []
    assert run.stderr == ""


@pytest.mark.usefixtures("fake_network")
def test_a_bad_file_is_reported_and_the_rest_classified(cricket_gif: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"")
    run = quovadis("classify", bad, cricket_gif, *SHORT, "--format", "jsonl")
    assert_one_line_error(run, "bad.mp4")
    failed, classified = map(json.loads, run.stdout.splitlines())
    assert failed["source"] == str(bad)
    assert "bad.mp4" in failed["error"]
    assert classified["source"] == str(cricket_gif)


@pytest.mark.usefixtures("fake_network")
def test_fail_fast_stops_at_the_first_bad_file(cricket_gif: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"")
    run = quovadis("classify", bad, cricket_gif, *SHORT, "--format", "jsonl", "--fail-fast")
    assert run.returncode == 1
    assert len(run.stdout.splitlines()) == 1


@pytest.mark.usefixtures("fake_network")
def test_csv_has_a_row_for_each_class_of_video_and_clips(cricket_gif: Path) -> None:
    run = quovadis("classify", cricket_gif, "-w", "rgb-scratch", "--clip-frames", "16", "--format", "csv", "--top", "2")
    rows = list(csv.DictReader(io.StringIO(run.stdout)))
    # 79 frames: four clips of 16, and the last with 15 looped.
    assert [row["scope"] for row in rows] == ["video"] * 2 + ["clip"] * 2 * 5
    assert all(0 <= float(row["probability"]) <= 1 for row in rows)
    assert {row["weights_sha256"] for row in rows} == {rows[0]["weights_sha256"]}


@pytest.mark.usefixtures("fake_network")
def test_the_suffix_of_the_output_file_tells_its_format(cricket_gif: Path, tmp_path: Path) -> None:
    run = quovadis("classify", cricket_gif, *SHORT, "-o", tmp_path / "result.json")
    assert "playing cricket" in run.stdout or "%" in run.stdout
    assert json.loads((tmp_path / "result.json").read_text())["results"][0]["source"] == str(cricket_gif)
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


@pytest.mark.usefixtures("fake_network")
def test_a_folder_is_searched_for_videos(cricket_gif: Path, tmp_path: Path) -> None:
    for name in ("b.gif", "nested/a.gif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(cricket_gif, tmp_path / name)
    run = quovadis("classify", tmp_path, *SHORT, "--format", "jsonl")
    sources = [json.loads(line)["source"] for line in run.stdout.splitlines()]
    assert sorted(Path(source).name for source in sources) == ["a.gif", "b.gif"]


@pytest.mark.usefixtures("fake_network")
def test_the_plot_is_a_picture(cricket_gif: Path, tmp_path: Path) -> None:
    run = quovadis("classify", cricket_gif, *SHORT, "--plot", tmp_path / "timeline.png")
    assert run.returncode == 0, run.stderr
    with Image.open(tmp_path / "timeline.png") as picture:
        assert picture.size[0] > 500


@pytest.mark.usefixtures("fake_network")
def test_several_videos_draw_into_a_folder(cricket_gif: Path, tmp_path: Path) -> None:
    run = quovadis("classify", cricket_gif, cricket_gif, *SHORT, "--plot", tmp_path / "pictures")
    assert run.returncode == 0, run.stderr
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 2


def test_an_output_that_cannot_be_written_is_said_before_any_work(cricket_gif: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    run = quovadis("classify", cricket_gif, "--weights", "absent", "-o", tmp_path / "file" / "result.json")
    assert_one_line_error(run, "result.json", "cannot write")


def test_unknown_weights_are_named_with_the_known_ones(cricket_gif: Path) -> None:
    assert_one_line_error(quovadis("classify", cricket_gif, "--weights", "rgb-imagnet"), "rgb-imagnet", "rgb-imagenet")


def test_an_unknown_device_is_named_with_the_known_ones(rgb_scratch_path: Path, cricket_gif: Path) -> None:
    assert_one_line_error(quovadis("classify", cricket_gif, *SHORT, "--device", "TOASTER"), "TOASTER", "CPU")


def test_an_interrupted_run_keeps_the_results_it_has(
    rgb_scratch_path: Path, cricket_gif: Path, assets: Path, tmp_path: Path
) -> None:
    results = tmp_path / "results.jsonl"
    sources = [cricket_gif, *[assets / "clips" / "arm_wrestling.mp4"] * 400]
    command = [
        sys.executable,
        "-m",
        "quovadis",
        "classify",
        *map(str, sources),
        *SHORT,
        "-o",
        str(results),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        # The others take longer than this loop by far, whatever else the machine is doing.
        while process.poll() is None and not (results.exists() and results.read_text()):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=SAFETY_NET)
    assert process.returncode == INTERRUPTED
    assert "Traceback" not in errors
    assert json.loads(results.read_text().splitlines()[0])["source"] == str(cricket_gif)


@pytest.mark.slow
def test_a_reader_that_leaves_the_pipe_is_no_traceback(cricket_gif: Path) -> None:
    command = shlex.join(fake_command("classify", cricket_gif, *SHORT, "--format", "csv", "--top", "400"))
    run = subprocess.run(
        ["bash", "-c", f"{command} | head -n 1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=SAFETY_NET,
        env=environment(),
    )
    assert run.stdout.startswith("source,")
    assert run.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize("options", [("--json",), ("--format", "csv"), ()], ids=str)
def test_a_reader_that_leaves_needs_no_word(cricket_gif: Path, options: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    run = run_process("classify", cricket_gif, *SHORT, *options, stdout=writing, text=True)
    os.close(writing)
    assert run.returncode == 128 + signal.SIGPIPE
    assert run.stderr == ""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="this system has no /dev/full, a disk without room")
@pytest.mark.parametrize("options", [("--json",), ("--format", "csv"), (), ("-o", "/dev/full", "--json")], ids=str)
def test_a_full_disk_is_one_line_and_devices_stay_devices(cricket_gif: Path, options: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        run = run_process("classify", cricket_gif, *SHORT, *options, stdout=full, text=True)
    assert run.returncode == 1
    assert "No space left on device" in run.stderr
    assert len(run.stderr.splitlines()) == 1
    assert Path("/dev/full").is_char_device()


@pytest.mark.usefixtures("fake_network")
def test_a_link_to_a_file_stays_a_link(cricket_gif: Path, tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to(tmp_path / "target.json")
    assert quovadis("classify", cricket_gif, *SHORT, "-o", tmp_path / "link.json").returncode == 0
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "target.json").read_text())["results"]


@pytest.mark.slow
def test_a_name_that_is_no_text_is_read_and_written(cricket_gif: Path, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff $x$ [b].gif"))
    shutil.copy(cricket_gif, path)
    output = tmp_path / "result.json"
    for options in (("--format", "csv", "--plot", tmp_path / "pictures"), ("-o", output)):
        strict = {**environment(), "PYTHONIOENCODING": "utf-8:strict"}
        run = run_process("classify", path, *SHORT, *options, env=strict)
        assert run.returncode == 0, run.stderr
        assert run.stderr == b""
        assert run.stdout
    assert json.loads(output.read_text("utf-8"))["results"][0]["source"] == str(path)


def test_info_prints_the_model_card() -> None:
    run = quovadis("info")
    assert run.returncode == 0
    for fact in (
        "278.981",
        "12.69",
        "12,689,984",
        "12,704,544",
        "1,79,224,224,3",
        "1,79,3,224,224",
        "1,400",
        "Mixed_4e",
    ):
        assert fact in run.stdout


def test_info_as_json_has_a_row_for_every_stage() -> None:
    card = json.loads(quovadis("info", "--json").stdout)
    assert card["gflops"] == 278.981
    assert sum(stage["parameters"] for stage in card["stages"]) == card["parameters_folded"] == 12_689_984
    assert len(card["stages"]) == 18


def test_info_identifies_a_weights_file(rgb_scratch_path: Path) -> None:
    run = quovadis("info", rgb_scratch_path)
    assert "rgb-scratch" in run.stdout
    checked = json.loads(quovadis("info", "rgb-scratch", "--json").stdout)["weights"]
    assert checked["official_name"] == "rgb-scratch"


def test_weights_list_path_and_verify(rgb_scratch_path: Path) -> None:
    assert "rgb-imagenet" in quovadis("weights", "list").stdout
    assert quovadis("weights", "path", "rgb-scratch").stdout.strip() == str(rgb_scratch_path)
    assert quovadis("weights", "verify", "rgb-scratch").returncode == 0
    assert_one_line_error(quovadis("weights", "path", "rgb-imagenet"), "weights pull rgb-imagenet")


@pytest.mark.slow
def test_the_version_is_printed() -> None:
    from quovadis.version import __version__

    assert quovadis_process("--version").stdout == f"quovadis {__version__}\n"


@pytest.mark.slow
def test_every_kind_of_bad_file_is_one_line_and_the_good_one_is_classified(
    cricket_gif: Path, assets: Path, tmp_path: Path
) -> None:
    empty, text, playlist = tmp_path / "empty.mp4", tmp_path / "text.mp4", tmp_path / "playlist.mp4"
    empty.touch()
    text.write_text("not a video\n" * 50)
    playlist.write_text(f"ffconcat version 1.0\nfile {cricket_gif}\n")
    folder = tmp_path / "folder"
    folder.mkdir()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes((assets / "clips" / "arm_wrestling.mp4").read_bytes()[:300_000])
    bad = [
        assets / "clips" / "corrupted.mp4", empty, text, write_sound(tmp_path / "sound.mp4"), tmp_path / "absent.mp4",
        folder, playlist, cut,
    ]  # fmt: skip
    options = ("--clip-frames", "16", "--stride", "160", "--format", "jsonl")
    run = run_process("classify", *bad, cricket_gif, *options, text=True)
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    errors = run.stderr.splitlines()
    assert len(errors) == len(bad)
    for path in bad:
        assert any(line.startswith(f"quovadis: error: {path}: ") for line in errors), path
    records = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(records) == len(bad) + 1
    (classified,) = [record for record in records if "top" in record]
    assert classified["source"] == str(cricket_gif)


@pytest.mark.usefixtures("fake_network")
def test_a_partial_video_is_classified_on_request_and_says_so(assets: Path) -> None:
    corrupted = assets / "clips" / "corrupted.mp4"
    options = ("-w", "rgb-scratch", "--clip-frames", "16", "--allow-partial", "--format", "jsonl")
    run = quovadis("classify", corrupted, *options)
    assert run.returncode == 0, run.stderr
    record = json.loads(run.stdout)
    assert record["incomplete"] is True
    assert any("damaged" in note for note in record["notes"])


IMPORTING = """
import sys, time
print("importing", flush=True)
time.sleep(900)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a signal, which POSIX systems have")
@pytest.mark.parametrize("entry", ["-m quovadis", "script"])
def test_ctrl_c_while_modules_are_imported_is_quiet(entry: str, tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text(IMPORTING)
    script = "import sys; from quovadis.__main__ import main; sys.exit(main())"
    command = [sys.executable, *(("-c", script) if entry == "script" else entry.split()), "info"]
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=SAFETY_NET)
    assert process.returncode == INTERRUPTED
    assert errors == ""


def test_the_command_is_installed_with_the_entry_that_is_quiet_from_the_beginning() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert tomllib.loads(text)["project"]["scripts"] == {"quovadis": "quovadis.__main__:main"}


@pytest.mark.slow
def test_naming_the_package_imports_nothing_that_takes_long() -> None:
    code = "import sys, quovadis; print(sorted({'numpy', 'av', 'openvino', 'typer', 'rich'} & {*sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=SAFETY_NET)
    assert run.stdout == "[]\n"


def test_every_public_name_is_found_where_it_is_said_to_be() -> None:
    import quovadis

    for name in quovadis.__all__:
        assert getattr(quovadis, name) is not None
    assert {*quovadis.__all__} <= {*dir(quovadis)}
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = quovadis.nonsense
