"""Clips between two processes: in memory that both have, or through the connection where there is none."""

from __future__ import annotations

import errno
import os
import resource
from multiprocessing import Pipe
from pathlib import Path

import numpy as np
import pytest

from quovadis.errors import TrainingError, VideoError
from quovadis.training import clip_channel
from quovadis.training.clip_channel import ClipReceiver, ClipSender
from quovadis.training.clips import TrainingClip


def clip_of(seed: int, frames: int, side: int) -> TrainingClip:
    pixels = np.random.default_rng(seed).integers(0, 256, (frames, side, side, 3), np.uint8)
    return TrainingClip(pixels, seed, f"video {seed}", seed)


def forbidden(name: str) -> int:
    raise PermissionError(f"memfd_create: {name}")


MEMORIES = [
    pytest.param(
        getattr(os, "memfd_create", None),
        id="in memory",
        marks=pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="this system has no memfd_create"),
    ),
    pytest.param(None, id="no such memory"),
    pytest.param(forbidden, id="forbidden"),
]


@pytest.mark.parametrize("memory", MEMORIES)
def test_clips_of_any_size_arrive_as_they_were_sent(memory: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip_channel, "_MEMORY", memory)
    ours, theirs = Pipe()
    with ours, theirs:
        sender, receiver = ClipSender(theirs), ClipReceiver(ours)
        # Small enough for the socket's buffer: one process sends and takes. The memory grows twice.
        sent = [
            clip_of(number, frames, side) for number, (frames, side) in enumerate([(2, 8), (1, 9), (3, 9), (4, 20)])
        ]
        found = []
        for clip in sent:
            sender.send(clip)
            found.append(receiver.receive())
    # Compared at the end: none lies in memory that the next one has overwritten.
    for clip, got in zip(sent, found, strict=True):
        assert isinstance(got, TrainingClip)
        np.testing.assert_array_equal(got.clip, clip.clip)
        assert got.clip.flags.writeable
        assert (got.target, got.key, got.index) == (clip.target, clip.key, clip.index)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system does not list open files")
def test_no_file_stays_open_however_often_the_memory_grows() -> None:
    ours, theirs = Pipe()
    with ours, theirs:
        sender, receiver = ClipSender(theirs), ClipReceiver(ours)
        counts = []
        for frames in range(1, 30):
            sender.send(clip_of(0, frames, 16))
            receiver.receive()
            counts.append(len(list(Path("/proc/self/fd").iterdir())))
    # A mapping keeps a descriptor of its own: one at each end.
    assert len(set(counts)) == 1


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="this system has no memfd_create")
def test_where_no_more_files_may_be_open_the_error_says_what_to_raise() -> None:
    ours, theirs = Pipe()
    with ours, theirs:
        ClipSender(theirs).send(clip_of(0, 1, 8))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (1, hard))
        try:
            with pytest.raises(
                TrainingError, match="too many files are open to take clips from workers: raise"
            ) as raised:
                ClipReceiver(ours).receive()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert raised.value.option == "workers"


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="this system has no memfd_create")
def test_where_there_is_no_memory_for_a_clip_that_is_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    ours, theirs = Pipe()
    with ours, theirs:
        ClipSender(theirs).send(clip_of(0, 1, 8))
        monkeypatch.setattr("quovadis.training.clip_channel.mmap.mmap", full)
        with pytest.raises(TrainingError, match="too little free memory to take clips from workers"):
            ClipReceiver(ours).receive()


def test_what_is_no_clip_arrives_too_and_an_end_is_told_from_it() -> None:
    ours, theirs = Pipe()
    receiver = ClipReceiver(ours)
    theirs.send(VideoError("a.mp4: damaged"))
    assert str(receiver.receive()) == "a.mp4: damaged"
    ClipSender(theirs).send(clip_of(1, 2, 8))
    theirs.close()
    assert isinstance(receiver.receive(), TrainingClip)
    with pytest.raises(EOFError):
        receiver.receive()
    ours.close()
