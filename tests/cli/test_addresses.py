"""An address stays as it was written, both slashes included, wherever a command speaks of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import quovadis as package
from quovadis.errors import OutputError, VideoError, WeightsError, without_passwords
from quovadis.features.names import output_names
from quovadis.report.output import Pictures
from quovadis.video import open_video
from quovadis.video.keys import video_key
from quovadis.video.source import network_instructions, public_name, short_name
from quovadis.video.sources import Address
from support.command_line import load_fakes, quovadis
from support.fake_engine import CornerEngine, MeanEngine

ADDRESS = "https://host.example/videos/x.mp4?token=a/b"


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUOVADIS_OFFLINE", "1")
    load_fakes(monkeypatch, classify=MeanEngine(), features=MeanEngine(), fvd=CornerEngine())


@pytest.mark.parametrize(
    "arguments",
    [
        ("classify", ADDRESS),
        ("classify", ADDRESS, "camera:none", "--workers", "2"),
        ("features", ADDRESS),
        ("fvd", ADDRESS, ADDRESS),
        ("fvd", "https://host.example/x.npz", "b.npz"),
        ("weights", "verify", "https://host.example/x.pt"),
        ("convert", "https://host.example/x.pt", "x.onnx"),
    ],
    ids=" ".join,
)
def test_in_errors(arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = quovadis(*arguments)
    assert run.returncode == 1
    assert "https://host.example/" in run.stderr
    assert "https:/h" not in run.stderr
    assert list(tmp_path.rglob("https*")) == []


SECRET = "rtsp://jane:se:cr@t@host.invalid:554/live"
HIDDEN = "rtsp://jane:***@host.invalid:554/live"


@pytest.mark.parametrize("output", [(), ("--json",), ("--format", "csv"), ("--workers", "2"), ("--debug",)], ids=str)
def test_a_password_is_shown_nowhere(output: tuple[str, ...]) -> None:
    run = quovadis("classify", SECRET, *output)
    assert run.returncode == 1
    assert HIDDEN in run.stderr
    assert "cr@t" not in run.stdout + run.stderr
    if "--json" in output:
        assert [failure["source"] for failure in json.loads(run.stdout)["failures"]] == [HIDDEN]


@pytest.mark.parametrize("command", ["features", "fvd", "weights verify", "convert"])
def test_nor_is_it_by_other_commands(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = quovadis(*command.split(), SECRET, *{"fvd": [SECRET], "convert": ["x.onnx"]}.get(command, []))
    assert run.returncode == 1
    assert HIDDEN in run.stderr
    assert "cr@t" not in run.stdout + run.stderr + "".join(path.name for path in tmp_path.rglob("*"))


def test_what_is_made_of_an_address_with_a_password_does_not_hold_it() -> None:
    source = Address(SECRET)
    # What opens it has it.
    assert source.address == SECRET
    assert (source.name, video_key(SECRET), source.fingerprint()) == (HIDDEN, HIDDEN, HIDDEN)
    assert "cr@t" not in repr(source) + str(VideoError(f"{SECRET}: gone"))
    others = [SECRET, "rtsp://joe:pw@host.invalid:554/live", "rtsp://host.invalid/door"]
    assert output_names(others) == ["live-2", "live-3", "door"]


@pytest.mark.parametrize(
    "plain",
    [
        "rtsp://host:554/a@b",
        "http://[::1]:80/a@b",
        "http://h:80?x=a@b",
        "see http://h:80: x/y@z",
        "https://jane@host/x.mp4?at=a:b@c",
        "C:/clips/a:b@c.mp4",
        "at 12:30 to jane@host.example",
    ],
)
def test_what_is_no_password_is_left_as_it_is(plain: str) -> None:
    assert without_passwords(plain) == plain


def test_in_records_and_keys() -> None:
    run = quovadis("classify", ADDRESS, "--json")
    assert [failure["source"] for failure in json.loads(run.stdout)["failures"]] == [ADDRESS]
    assert video_key(ADDRESS) == ADDRESS


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (ADDRESS, "x.mp4"),
        ("rtsp://user@host.example:554/live", "live"),
        ("https://host.example", "https://host.example"),
        ("file:///videos/x.mp4", "x.mp4"),
        ("videos/what?.mp4", "what?.mp4"),
        ("camera:0", "camera:0"),
    ],
)
def test_titles_have_its_last_part(source: str, name: str) -> None:
    assert short_name(source) == name


def test_pictures_have_its_last_part(tmp_path: Path) -> None:
    assert Pictures(tmp_path, several=True).path(ADDRESS) == tmp_path / "x.png"


@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate", "https://host.example/list.csv"),
        ("evaluate", "list.csv", "--videos", "https://host.example/"),
        ("evaluate", "--compare", "a.parquet", "https://host.example/b.parquet"),
        ("classify", "archery.mp4", "-o", "s3://bucket/x.json"),
        ("features", "archery.mp4", "-o", "s3://bucket/x"),
        ("features", "archery.mp4", "-o", "file:///tmp/x"),
        ("convert", "rgb-scratch", "s3://bucket/x.onnx"),
    ],
    ids=" ".join,
)
def test_where_only_a_local_path_will_do_it_is_a_wrong_command_line(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = quovadis(*arguments)
    assert run.returncode == 2
    assert "is an address; give a local path" in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_python_takes_addresses_as_text_and_says_so() -> None:
    with pytest.raises(VideoError, match="no such file; an address needs two slashes after its colon"):
        open_video(Path(ADDRESS))
    with pytest.raises(WeightsError, match=r"https://host\.example/x\.pt: an address, but weights are read from local"):
        package.load("https://host.example/x.pt")
    with pytest.raises(OutputError, match=r"s3://bucket/x\.onnx: an address; give a local path"):
        package.convert("rgb-scratch", "s3://bucket/x.onnx")


def test_its_protocol_may_be_in_capital_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUOVADIS_OFFLINE")
    assert network_instructions("HTTP://Host.example/X.mp4").address == "http://Host.example/X.mp4"


@pytest.mark.parametrize("address", ["http://host:8080/@jane/a.mp4", "http://host:65535?by=a@b", "http://[::1]:80/@a"])
def test_a_port_is_no_password(address: str) -> None:
    assert public_name(address) == address


@pytest.mark.parametrize(
    "password",
    ["cr/et", "cr?et", "cr#et", "12a/et", "99999/et", "554:a/et", "80,/et", "!/et", "/et", "@/et", "c@/r@et", "cr et"],
)
def test_a_password_that_is_not_percent_encoded_is_hidden_too_and_the_advice_is_to_encode_it(password: str) -> None:
    address = f"rtsp://jane:{password}@host.invalid/live"
    run = quovadis("classify", address, "--json")
    assert run.returncode == 1
    assert "et@" not in run.stdout + run.stderr
    assert [failure["source"] for failure in json.loads(run.stdout)["failures"]] == [
        "rtsp://jane:***@host.invalid/live"
    ]
    assert "rtsp://jane:***@host.invalid/live: the password holds a / ? # or space" in run.stderr
    assert "as %2F" in run.stderr
    assert short_name(f"rtsp://jane:{password}@host.invalid") == "rtsp://jane:***@host.invalid"
