"""Batches from any point of any epoch, whatever becomes of videos and of the processes that read them."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from quovadis.datasets import Dataset, Example
from quovadis.errors import DatasetError, OutputError, TrainingError
from quovadis.training.batches import Batch
from quovadis.training.clips import ClipDataset, ClipSampling, epoch_order
from quovadis.training.loader import ClipLoader
from quovadis.training.workers import WORKER_NAME
from support.clip_sources import NumberedClips
from support.synthetic import moving_squares, write_video

WORKERS = [pytest.param(0, id="here"), pytest.param(2, id="workers", marks=pytest.mark.slow)]


def indices(batches: list[Batch]) -> list[int]:
    return [int(number) for batch in batches for number in batch.clips[:, 0, 0, 0, 1]]


def workers_now() -> set[int]:
    """Return the process ids of the workers, and of no other child that this process has by then."""
    return {child.pid for child in multiprocessing.active_children() if child.name == WORKER_NAME}


def wait_until_dead(number: int) -> None:
    """Wait for the end of a child without asking for its exit code, which only its owner can have."""
    with suppress(psutil.NoSuchProcess):
        while psutil.Process(number).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)


@pytest.mark.parametrize("workers", WORKERS)
def test_batches_come_in_the_order_of_the_epoch_from_any_of_them_on(workers: int, tmp_path: Path) -> None:
    source = NumberedClips(10, trace=tmp_path)
    with ClipLoader(source, batch=4, workers=workers, seed=7) as loader:
        assert len(loader) == 3
        last = list(loader.epoch(5, first=2))
        assert len(last) == 1
        order = epoch_order(7, 5, 10, batch=4).tolist()
        assert {path.name for path in tmp_path.iterdir()} == {f"5 {index}" for index in order[8:]}
        batches = list(loader.epoch(5))
        assert indices(batches) == order
        torch.testing.assert_close(batches[2].clips, last[0].clips)
    first = batches[0]
    assert (first.clips.dtype, first.clips.shape) == (torch.uint8, (4, 2, 3, 3, 3))
    assert first.targets.tolist() == [index % 3 for index in order[:4]]
    assert first.keys == tuple(f"video {index}" for index in order[:4])


def test_processes_of_a_run_share_each_batch() -> None:
    whole = list(ClipLoader(NumberedClips(10), batch=4, seed=1).epoch(0))
    parts = [list(ClipLoader(NumberedClips(10), batch=2, seed=1, rank=rank, world_size=2).epoch(0)) for rank in (0, 1)]
    for batch, *own in zip(whole, *parts, strict=True):
        assert batch.keys == own[0].keys + own[1].keys


def test_validation_is_in_order_and_leaves_out_what_cannot_be_read() -> None:
    loader = ClipLoader(NumberedClips(7, training=False, broken=frozenset({1, 4, 5})), batch=2)
    assert indices(list(loader.epoch(0))) == [0, 2, 3, 6]
    assert loader.skipped == {f"video {index}": f"video {index}: damaged" for index in (1, 4, 5)}


def test_a_broken_video_is_replaced_by_the_next_that_can_be_read_whenever_it_is_known() -> None:
    source = NumberedClips(10, broken=frozenset({2, 3}))
    loader = ClipLoader(source, batch=3, seed=4)
    epochs = [indices(list(loader.epoch(epoch))) for epoch in range(3)]
    for epoch, found in enumerate(epochs):
        order = epoch_order(4, epoch, 10, batch=3).tolist()
        assert found == [4 if index in (2, 3) else index for index in order]
    assert loader.skipped == {"video 2": "video 2: damaged", "video 3": "video 3: damaged"}
    resumed = ClipLoader(source, batch=3, seed=4, skipped=loader.skipped)
    assert indices(list(resumed.epoch(2, first=1))) == epochs[2][3:]


def test_real_videos_that_are_cut_off_are_skipped_by_name(tmp_path: Path) -> None:
    paths = [write_video(tmp_path / f"{number}.mkv", moving_squares(20, 64, 48)) for number in range(4)]
    paths[2].write_bytes(paths[2].read_bytes()[:-300])
    examples = tuple(Example(path.name, number % 2, path) for number, path in enumerate(paths))
    dataset = Dataset(tmp_path, "list", examples, ("a", "b"))
    source = ClipDataset(dataset, ClipSampling(frames=9, short_side=32, crop=32))
    loader = ClipLoader(source, batch=2)
    keys = [key for batch in loader.epoch(0) for key in batch.keys]
    assert sorted(keys) == ["0.mkv", "1.mkv", "3.mkv", "3.mkv"]
    assert "cut off" in loader.skipped["2.mkv"]


@pytest.mark.slow
def test_a_video_that_hangs_or_crashes_its_reader_is_named_and_replaced() -> None:
    source = NumberedClips(10, broken=frozenset({2, 3}), hanging=frozenset({6}), crashing=frozenset({8}))
    replaced = {2: 4, 3: 4, 6: 7, 8: 9}
    with ClipLoader(source, batch=3, workers=2, seed=4, clip_seconds=1.0) as loader:
        for epoch in range(2):
            order = epoch_order(4, epoch, 10, batch=3).tolist()
            assert indices(list(loader.epoch(epoch))) == [replaced.get(index, index) for index in order]
    assert loader.skipped["video 6"] == "video 6: its worker took longer than 1 seconds"
    assert loader.skipped["video 8"] == f"video 8: its worker died of signal {signal.SIGSEGV.value}"
    assert {*loader.skipped} == {"video 2", "video 3", "video 6", "video 8"}


@pytest.mark.slow
def test_a_worker_that_is_killed_is_replaced_and_all_end_with_the_loader() -> None:
    with ClipLoader(NumberedClips(40), batch=4, workers=2) as loader:
        order = epoch_order(0, 0, 40, batch=4).tolist()
        batches = loader.epoch(0)
        found = [next(batches)]
        first = workers_now()
        killed = min(first)
        os.kill(killed, signal.SIGKILL)
        wait_until_dead(killed)
        found += batches
        assert indices(found) == order
        assert not loader.skipped
        later = workers_now()
        assert len(first) == len(later) == 2
        assert killed not in later
    # Not even as processes that have ended and were not waited for.
    assert not [number for number in first | later if psutil.pid_exists(number)]


@pytest.mark.parametrize("workers", WORKERS)
def test_an_error_that_the_next_video_would_meet_too_ends_the_epoch(workers: int) -> None:
    with (
        ClipLoader(NumberedClips(10, fatal=frozenset({5})), batch=2, workers=workers) as loader,
        pytest.raises(OutputError, match="the disk is full"),
    ):
        list(loader.epoch(0))


@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"dtype": "float32"},
            r"video \d: the source made a clip of float32, shape \(2, 3, 3, 3\); clips must be uint8",
        ),
        ({"frames": 0}, r"video \d: the source made a clip of uint8, shape \(0, 3, 3, 3\); .*, and not empty"),
        ({"dtype": ""}, r"video \d: the source made a NoneType; it must make a `TrainingClip`"),
        ({"uneven": True}, r"targets of one batch must have one shape, and have several \(video \d: \(\d,\), v"),
        ({"growing": True}, r"clips of one batch must have one shape, and have several \(video \d: \(\d, 3, 3, 3\), v"),
    ],
    ids=["type", "empty", "none", "targets", "sizes"],
)
def test_clips_that_make_no_batch_are_refused(workers: int, given: dict[str, Any], said: str) -> None:
    with (
        ClipLoader(NumberedClips(8, **given), batch=2, workers=workers) as loader,
        pytest.raises(TrainingError, match=said),
    ):
        list(loader.epoch(0))


def test_where_nothing_can_be_read_the_dataset_is_refused() -> None:
    loader = ClipLoader(NumberedClips(5, broken=frozenset(range(5))), batch=2)
    with pytest.raises(
        DatasetError, match=r"5 videos cannot be read, so that none is left here; the last: video \d: dam"
    ):
        list(loader.epoch(0))


def test_many_broken_videos_one_after_the_other_are_not_all_tried() -> None:
    loader = ClipLoader(NumberedClips(500, broken=frozenset(range(499))), batch=2)
    with pytest.raises(DatasetError, match="cannot be read"):
        list(loader.epoch(0))
    assert len(loader.skipped) < 450


@pytest.mark.slow
def test_ctrl_c_and_an_early_end_leave_no_process_and_no_thread() -> None:
    with ClipLoader(NumberedClips(10, hanging=frozenset(range(1, 10))), batch=1, workers=2) as loader:
        batches = loader.epoch(0, first=epoch_order(0, 0, 10).tolist().index(0))
        next(batches)
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            next(batches)
        assert time.monotonic() - began < 30
        assert not [thread for thread in threading.enumerate() if thread.name == "quovadis-prefetch"]
    assert not workers_now()


ABANDONED = """
if __name__ == "__main__":
    # Workers, which import this file, need no PyTorch.
    from quovadis.training.loader import ClipLoader
    from support.clip_sources import NumberedClips

    with ClipLoader(NumberedClips(40, hanging=frozenset(range(1, 40)), training=False), batch=1, workers=2) as loader:
        batches = loader.epoch(0)
        next(batches)
        print("begun", flush=True)
        next(batches)
"""


@pytest.mark.slow
def test_workers_that_hang_do_not_outlive_a_process_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "abandoned.py"
    script.write_text(ABANDONED)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        workers = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "how"),
    [
        pytest.param(NumberedClips(4), "with exit code 1", id="small"),
        # Larger than a pipe: what is sent to a process that does not read it must not hold up the other.
        pytest.param(NumberedClips(4, broken=frozenset(range(4, 100_000))), "with exit code 1", id="large"),
    ],
)
def test_workers_that_do_not_start_are_an_error_and_no_endless_loop(
    source: NumberedClips, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Python's own helper, which the first process that is started needs, is a process too.
    resource_tracker.ensure_running()
    monkeypatch.setattr("multiprocessing.spawn.get_command_line", lambda **options: ["/bin/false"])
    monkeypatch.setattr("multiprocessing.spawn.get_executable", lambda: b"/bin/false")
    with (
        ClipLoader(source, batch=2, workers=1) as loader,
        pytest.raises(TrainingError, match=f"a worker does not start: it ended {how}") as caught,
    ):
        list(loader.epoch(0))
    assert caught.value.option == "workers"


@pytest.mark.slow
def test_after_workers_that_did_not_start_the_next_epoch_has_as_many_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    # Three that end at once are too many for the first epoch; two more in the second are not.
    targets = iter([slice] * 5)
    true = BaseProcess.start

    def start(process: Any) -> None:
        process._target = next(targets, process._target)
        true(process)

    monkeypatch.setattr(BaseProcess, "start", start)
    with ClipLoader(NumberedClips(4), batch=2, workers=1) as loader:
        with pytest.raises(TrainingError, match="a worker does not start"):
            list(loader.epoch(0))
        assert sorted(indices(list(loader.epoch(0)))) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EMFILE, "too many files are open to take clips from workers: raise the limit with `ulimit -n`"),
        (errno.ENOMEM, "the machine has too little free memory to take clips from workers: take fewer `workers`"),
        (errno.EAGAIN, "workers cannot be started: Resource temporarily unavailable: take fewer `workers`"),
    ],
)
def test_a_system_that_starts_no_more_processes_is_told_in_words(
    number: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(process: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(BaseProcess, "start", refused)
    with ClipLoader(NumberedClips(4), batch=2, workers=1) as loader, pytest.raises(TrainingError, match=said) as caught:
        list(loader.epoch(0))
    assert caught.value.option == "workers"


def test_balanced_batches_have_all_classes_equally_often() -> None:
    classes = np.array([0] * 8 + [1] * 2)
    found = indices(list(ClipLoader(NumberedClips(10), batch=5, classes=classes).epoch(0)))
    assert np.bincount(classes[found]).tolist() == [5, 5]


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"workers": -1}, {"ahead": 0}])
def test_numbers_that_cannot_be_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(TrainingError) as caught:
        ClipLoader(NumberedClips(), **{"batch": 2, **wrong})  # type: ignore[arg-type]
    assert caught.value.option == next(iter(wrong))


def test_memory_of_batches_is_pinned_only_where_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    true = torch.empty
    # Without a GPU nothing can be pinned.
    monkeypatch.setattr(
        torch, "empty", lambda *shape, pin_memory, **settings: asked.append(pin_memory) or true(*shape, **settings)
    )
    plain, pinned = (
        list(ClipLoader(NumberedClips(7), batch=3, pin_memory=chosen).epoch(2)) for chosen in (False, True)
    )
    assert asked == [False] * 3 + [True] * 3
    for one, other in zip(plain, pinned, strict=True):
        torch.testing.assert_close(one.clips, other.clips)
        assert one.clips.is_contiguous()
        assert (one.keys, one.targets.tolist()) == (other.keys, other.targets.tolist())
    assert indices(plain) == epoch_order(0, 2, 7, batch=3).tolist()


@pytest.mark.parametrize("wrong", [1, None, "yes"])
def test_pinned_memory_is_asked_for_by_true_or_false(wrong: object) -> None:
    with pytest.raises(TrainingError, match=r"^pin_memory must be True or False, not "):
        ClipLoader(NumberedClips(), batch=2, pin_memory=wrong)  # type: ignore[arg-type]
