"""Several processes train as one does on the same clips."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from quovadis.errors import EngineError
from quovadis.training.distributed import Process, processes
from support.command_line import SAFETY_NET
from support.training import MemoryBatches, options, small_network, trainer

COMMON = {
    "steps": 8,
    "schedule": "constant",
    "head_rate": 1e-4,
    "backbone_rate": 1e-4,
    "clip_norm": 1.0,
    "ema_decay": 0.9,
}
"""Steps so small that rounding does not grow: at larger ones a network with batch norm over random clips is chaotic."""
SCRIPT = f"""
import sys
from pathlib import Path
from quovadis.training.distributed import processes
from support.training import MemoryBatches, options, trainer

with processes() as process:
    part = dict(rank=process.rank, world_size=process.world_size)
    chosen = options(batch=4, **{COMMON})
    made = trainer(Path(sys.argv[1]), chosen, process=process, batches=MemoryBatches(4, 32, **part),
                   validation=MemoryBatches(2, 8, seed=9, **part))
    found = made.fit().evaluation
    Path(sys.argv[1], f"rank{{process.rank}}").write_text(repr((found.loss, found.keys, dict(found.figures))))
"""


@pytest.mark.slow
def test_two_processes_are_one_with_ghost_batches(tmp_path: Path) -> None:
    script = tmp_path / "worker.py"
    script.write_text(SCRIPT)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*torchrun, script, tmp_path / "two"],
        capture_output=True,
        text=True,
        timeout=SAFETY_NET,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    chosen = options(batch=8, ghost_batch=4, **COMMON)
    one = trainer(tmp_path / "one", chosen, batches=MemoryBatches(8, 32), validation=MemoryBatches(4, 8, seed=9))
    found = one.fit().evaluation
    assert found is not None
    ours, theirs = (load_file(tmp_path / name / "last.safetensors") for name in ("one", "two"))
    compared = [name for name in ours if not name.endswith("num_batches_tracked")]
    assert sum(name.endswith("running_var") for name in compared) == 57
    start = {name: value.numpy() for name, value in small_network().state_dict().items()}
    assert max(float(np.abs(ours[name] - start[name]).max()) for name in compared) > 1e-3
    for name in compared:
        np.testing.assert_allclose(theirs[name], ours[name], atol=1e-5, rtol=1e-5, err_msg=name)
    for rank in (0, 1):
        loss, keys, figures = eval((tmp_path / "two" / f"rank{rank}").read_text())
        assert loss == pytest.approx(found.loss, abs=1e-5)
        assert keys == found.keys
        assert figures == dict(found.figures)


def test_ghost_batches_are_normalised_each_by_itself() -> None:
    from quovadis.torch import OffsetBatchNorm

    torch.manual_seed(0)
    x = torch.randn(4, 3, 2, 4, 4)
    ghosts, alone = OffsetBatchNorm(3).train(), [OffsetBatchNorm(3).train() for _ in range(2)]
    ghosts.ghost_batch = 2
    together = ghosts(x)
    apart = torch.cat([norm(part) for norm, part in zip(alone, x.split(2), strict=True)])
    torch.testing.assert_close(together, apart)
    mean = torch.stack([norm.running_mean for norm in alone]).mean(0)
    variance = torch.stack([norm.running_var for norm in alone]).mean(0)
    torch.testing.assert_close(ghosts.running_mean, mean)
    torch.testing.assert_close(ghosts.running_var, variance)


def test_without_torchrun_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    # As schedulers set it for their own purposes.
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    with processes() as process:
        assert process == Process()
        assert process.gathered("a") == ["a"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_named() -> None:
    with pytest.raises(EngineError, match=r"cuda: PyTorch finds 0 GPUs here"):
        Process().device("cuda")
