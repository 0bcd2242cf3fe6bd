"""Fixtures shared by every test: the real material, the official weights, a cache of its own."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
# Tests that import ONNX Runtime themselves send nothing either.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# The smoke suite tests an environment of its own, which `make test-matrix` makes.
collect_ignore = [] if "QUOVADIS_SMOKE_PYTHON" in os.environ else ["smoke"]
SLOW_FIXTURES = frozenset({"rgb_scratch_path", "tensorflow_folder", "ffmpeg"})
"""What needs the official weights, and with them an engine, TensorFlow or FFmpeg's command is slow."""

SLOW_FOLDERS = frozenset({"engines", "export", "smoke"})
"""Whose tests run engines, with weights of their own too, or an installed wheel."""


def _keep_to_own_cores() -> None:
    """Give each of several test processes cores of its own: engines that share all of them halve their speed."""
    if "PYTEST_XDIST_WORKER" in os.environ and hasattr(os, "sched_setaffinity"):
        number = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
        own = sorted(os.sched_getaffinity(0))[number :: int(os.environ["PYTEST_XDIST_WORKER_COUNT"])]
        if own:
            os.sched_setaffinity(0, own)
            # Libraries count cores when they are loaded: more threads than cores wait for each other, which
            # takes twice the time. So NumPy is not imported above.
            assert "numpy" not in sys.modules
            os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(len(own))


# Now, not in a hook: conftests of folders that are named on the command line are imported before any runs.
_keep_to_own_cores()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow, and keep together what is quicker in one process: a file's tests, and those of a fixture."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if fixtures & SLOW_FIXTURES or item.path.parent.name in SLOW_FOLDERS:
            item.add_marker(pytest.mark.slow)
        # Every form of conversion takes minutes: one process makes them for all tests that read them.
        shared = item.path.parent.name == "export" and "written" in fixtures
        group = "conversions" if shared else item.path.relative_to(ROOT).as_posix()
        # Two processes would start TensorFlow twice.
        group = "tensorflow" if "tensorflow_folder" in fixtures else group
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def _guard_on_processes() -> set[str]:
    """The test that may start no process, which a test of its own would otherwise be slow for."""
    guarded: set[str] = set()

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if guarded and event == "subprocess.Popen" and Path(str(arguments[0])).name.startswith(("python", "ffmpeg")):
            raise RuntimeError(f"{guarded} starts a process: mark it slow")

    sys.addaudithook(watch)
    return guarded


@pytest.fixture(autouse=True)
def _no_process_without_a_mark(request: pytest.FixtureRequest, _guard_on_processes: set[str]) -> Iterator[None]:
    if request.node.get_closest_marker("slow") is None:
        _guard_on_processes.add(request.node.nodeid)
    yield
    _guard_on_processes.clear()


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder with real clips, original index files and reference outputs."""
    path = Path(os.environ.get("QUOVADIS_ASSETS", ROOT.parent / "shared")).resolve()
    if not path.is_dir():
        message = f"no test assets at {path}: set QUOVADIS_ASSETS to the folder that holds clips/ and oracle/"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path


@pytest.fixture(scope="session")
def ffmpeg() -> None:
    """FFmpeg's command, which makes videos and is what they are compared with."""
    if shutil.which("ffmpeg") is None:
        message = "no ffmpeg here to make videos with: install it (apt-get install ffmpeg)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)


@pytest.fixture(scope="session", autouse=True)
def quovadis_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache that the whole run shares and the user's own is spared: `QUOVADIS_TEST_HOME` keeps it between runs."""
    kept = os.environ.get("QUOVADIS_TEST_HOME")
    home = Path(kept).resolve() if kept else tmp_path_factory.mktemp("quovadis-home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUOVADIS_HOME", str(home))
        patch.delenv("QUOVADIS_OFFLINE", raising=False)
        patch.delenv("QUOVADIS_MIRROR", raising=False)
        yield home


@pytest.fixture(scope="session")
def rgb_scratch_path(quovadis_home: Path) -> Path:
    """The official `rgb-scratch` weights, pulled once through the product itself."""
    from quovadis import weights
    from quovadis.errors import WeightsUnavailableError

    try:
        return weights.pull("rgb-scratch")
    except WeightsUnavailableError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"the official weights are unavailable here: {error}")


@pytest.fixture(scope="session")
def cricket_gif(assets: Path) -> Path:
    """The original's sample: 79 frames of 224x224 pixels at 25 a second."""
    return assets / "assets" / "v_CricketShot_g04_c01_rgb.gif"


@pytest.fixture(scope="session")
def cricket_frames(cricket_gif: Path, assets: Path) -> NDArray[np.uint8]:
    """The frames of the sample as PIL decodes them, shape 79, 224, 224, 3: what the oracle's network saw."""
    import numpy as np
    from PIL import Image, ImageSequence

    with Image.open(cricket_gif) as image:
        frames = np.stack([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)])
    oracle = np.load(assets / "oracle" / "cricket_rgb_scratch.npz")
    assert hashlib.sha256(frames.tobytes()).hexdigest() == str(oracle["frames_sha256"])
    return frames
