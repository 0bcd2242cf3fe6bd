"""Is the engine torch right on this card? The part of `gpu.py` that is about answers and errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from gpu_case import ROOT, Bench, Record

from quovadis.architecture import ENDPOINTS
from quovadis.engines.torch_engine import TorchEngine
from quovadis.errors import EngineError
from quovadis.torch import I3D, normalize

TOLERANCE = 1e-3
"""Of float32 logits against the oracle."""


def oracle(bench: Bench) -> list[Record]:
    rows = []
    for mode in bench.modes:
        engine = bench.engine(mode)
        for frames in (16, 64) if bench.small else (79, 16, 64, 87, 159):
            name = "cricket_rgb_scratch" if frames == 79 else f"cricket_T{frames}_rgb_scratch"
            expected = np.load(bench.assets / "oracle" / f"{name}.npz")
            clip = looped(bench.frames, frames)
            start = time.perf_counter()
            output = engine.run(clip, ENDPOINTS if frames == 79 else ())
            first = time.perf_counter() - start
            row: Record = {
                "mode": mode,
                "frames": frames,
                "first_seconds": first,
                "logits": float(np.abs(output.logits[0] - expected["logits"]).max()),
                "top1_same": bool(output.logits[0].argmax() == expected["logits"].argmax()),
            }
            row["fine"] = row["top1_same"] and (mode == "f16" or row["logits"] < TOLERANCE)
            if "pooled_5c" in expected:
                pooled = (expected["pooled_5c"][:-1] + expected["pooled_5c"][1:]) / 2
                row["features"] = float(np.abs(output.features[0] - pooled).max())
                row["features_largest"] = float(pooled.max())
            if frames == 79:
                row["softmax"] = float(np.abs(output.probabilities[0] - expected["softmax"]).max())
                maps = output.endpoints
                row["endpoints"] = {name: endpoint_difference(maps[name], expected, name) for name in ENDPOINTS}
            rows.append(row)
        del engine
    return rows


def looped(frames: np.ndarray, count: int) -> np.ndarray:
    return frames[np.arange(count) % len(frames)][np.newaxis]


def endpoint_difference(values: np.ndarray, expected: Any, name: str) -> Record:
    """Compare a feature map with what the oracle kept of it, relative to the largest of each."""
    found: Record = {"shape_same": values.shape == tuple(expected[f"shape_{name}"])}
    kept = {
        "mean": values.mean((0, 1, 2, 3), dtype=np.float64),
        "std": values.std((0, 1, 2, 3), dtype=np.float64),
        "corner": values[0, [0, -1], 0, 0, :8],
    }
    for key, value in kept.items():
        wanted = expected[f"{key}_{name}"]
        found[key] = float(np.abs(value - wanted).max() / max(np.abs(wanted).max(), 1e-6))
    return found


def other_inputs(bench: Bench) -> list[Record]:
    """Frames of odd sizes, pixels between two levels, batches, against PyTorch's module on the CPU in float32."""
    reference = I3D.from_pretrained("rgb-scratch").eval()
    odd = np.pad(bench.frames[np.newaxis, :17], ((0, 0), (0, 0), (0, 7), (0, 38), (0, 0)))
    between = bench.frames[np.newaxis, :16].astype(np.float32)
    between[:, :, 1:] = (between[:, :, 1:] + between[:, :, :-1]) / 2
    inputs = {"17x231x262": odd, "float pixels": between, "batch of 3": bench.clips(3, 16)}
    rows = []
    for title, clips in inputs.items():
        with torch.inference_mode():
            expected = reference(normalize(torch.tensor(clips))).numpy()
        for mode in bench.modes:
            difference = float(np.abs(bench.engine(mode).run(clips).logits - expected).max())
            rows.append({"input": title, "mode": mode, "logits": difference})
    return rows


def threads(bench: Bench) -> list[Record]:
    """Eight threads at once against one after the other."""
    rows = []
    for mode in bench.modes:
        engine = bench.engine(mode)
        clips = [bench.clips(1, count) for count in (9, 16, 17, 33, 9, 16, 17, 33)]
        alone = [engine.run(clip).logits for clip in clips]
        with ThreadPoolExecutor(len(clips)) as executor:
            together = list(executor.map(lambda clip, engine=engine: engine.run(clip).logits, clips * 4))
        difference = max(float(np.abs(a - b).max()) for a, b in zip(alone * 4, together, strict=True))
        rows.append({"mode": mode, "greatest_difference": difference, "tf32_after": torch.backends.cudnn.allow_tf32})
    return rows


def errors(bench: Bench) -> list[Record]:
    """Errors that users meet, each in its words."""
    rows = []
    for device in ("cuda:7", "cuda:x", "cuda:-1") if bench.is_cuda else ("cuda", "cuda:7"):
        try:
            TorchEngine(bench.tensors, device=device)
            said = "NO ERROR"
        except EngineError as error:
            said = str(error)
        rows.append({"case": f"device {device}", "said": said})
    try:
        bench.engine("f16").open_stream()
    except EngineError as error:
        rows.append({"case": "dense mode", "said": str(error)})
    if bench.is_cuda:
        engine = bench.engine("f16")
        before = engine.run(bench.clips(1)).logits
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(0.02)
        try:
            engine.run(bench.clips(16))
            said = "NO ERROR"
        except EngineError as error:
            said = str(error)
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        again = float(np.abs(engine.run(bench.clips(1)).logits - before).max())
        rows.append({"case": "16 clips in 2 % of the memory", "said": said, "difference_afterwards": again})
    return rows


def commands(bench: Bench) -> list[Record]:
    """The command line on the GIF."""
    rows = []
    common = [str(bench.gif), "-w", "rgb-scratch", "--json", "-q"]
    engine = [] if bench.is_cuda else ["--engine", "torch"]
    cases = [["--device", bench.device], ["--device", bench.device, "--precision", "f32"]]
    cases += [["--device", bench.device, "--precision", "auto"], ["--device", bench.device, "--dense"]]
    cases += [["--device", "cuda:7"]]
    for options in cases[:1] + cases[-1:] if bench.small else cases:
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "quovadis", "classify", *common, *engine, *options],
            capture_output=True,
            text=True,
            timeout=120,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])},
        )
        row: Record = {"command": " ".join(options), "seconds": time.perf_counter() - start, "status": done.returncode}
        row["stderr"] = done.stderr[-600:]
        if done.returncode == 0:
            found = json.loads(done.stdout)
            row["engine"] = found.get("engine")
            row["answer"] = json.dumps(found)[:300]
        rows.append(row)
    return rows
