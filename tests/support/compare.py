"""What this package makes of a sound video, held against FFmpeg."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from quovadis.errors import QuovadisError
from support.numbered import Reference, Seen, frames_seen

THREADS = (1, 2, 8, 16)
Kind = Literal["refused", "frames", "threads", "times", "25 a second", "last tick", "seconds", "notes"]


@dataclass(frozen=True)
class Difference:
    """One way in which a video was read otherwise than by FFmpeg."""

    kind: Kind
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


def differences(
    path: Path,
    reference: Reference,
    *,
    has_notes: bool = False,
    frame_seconds: float = 1 / 25,
    threads: Sequence[int] = THREADS,
) -> list[Difference]:
    """Return how this package reads a sound video otherwise than FFmpeg.

    Args:
        path: the video.
        reference: what FFmpeg makes of it.
        has_notes: whether something unusual is to be noted, as a clock that jumps.
        frame_seconds: how long a frame is shown, for the tolerances of times.
        threads: numbers of threads to read it with; what the first of them gives is held against FFmpeg.
    """
    try:
        return _differences(path, reference, has_notes, frame_seconds, threads)
    except QuovadisError as error:
        return [Difference("refused", str(error).replace(str(path), path.name))]


def _differences(
    path: Path, reference: Reference, has_notes: bool, frame_seconds: float, threads: Sequence[int]
) -> list[Difference]:
    found: list[Difference] = []
    native, report = frames_seen(path, threads=threads[0])
    if native.numbers != reference.native.numbers:
        found.append(Difference("frames", _told(native.numbers, reference.native.numbers)))
    else:
        apart = max(
            (abs(ours - theirs) for ours, theirs in zip(native.seconds, reference.native.seconds, strict=True)),
            default=0.0,
        )
        if apart > frame_seconds / 2:
            found.append(Difference("times", f"{apart:.3f} s apart at most"))
    for more in threads[1:]:
        again, same = frames_seen(path, threads=more)
        if again != native or same != report:
            what = _told(again.numbers, native.numbers) if again.numbers != native.numbers else f"{same}"
            found.append(Difference("threads", f"{more}, not {threads[0]}: {what}"))
    at_25, _ = frames_seen(path, 25.0, threads=2)
    if at_25.numbers != reference.at_25:
        kind: Kind = "last tick" if _last_frame_only(at_25.numbers, reference.at_25) else "25 a second"
        found.append(Difference(kind, _told(at_25.numbers, reference.at_25)))
    if report.incomplete or (report.notes and not has_notes):
        found.append(Difference("notes", "; ".join(report.notes) or "in part"))
    if has_notes and not report.notes:
        found.append(Difference("notes", "none of what is unusual"))
    length = _length(reference.native, frame_seconds)
    if abs(report.seconds_found - length) > frame_seconds * 1.01:
        found.append(Difference("seconds", f"{report.seconds_found:.3f}, FFmpeg {length:.3f}"))
    return found


def _last_frame_only(ours: Sequence[int], theirs: Sequence[int]) -> bool:
    """Tell whether two lists differ only in whether or how often, once or twice, the last frame is shown."""
    shorter, longer = sorted((ours, theirs), key=len)
    rest = longer[len(shorter) :]
    return longer[: len(shorter)] == shorter and len(rest) <= 2 and len(set(rest)) == 1


def _length(seen: Seen, frame_seconds: float) -> float:
    return seen.seconds[-1] + frame_seconds if seen.seconds else 0.0


def _told(ours: Sequence[int], theirs: Sequence[int]) -> str:
    return f"{shortened(ours)}; FFmpeg {shortened(theirs)}"


def shortened(numbers: Sequence[int]) -> str:
    """Write a list of frame numbers briefly: `0-24 26 26 27`, in `(n)` frames."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] + 1 == number:
            runs[-1].append(number)
        else:
            runs.append([number])
    texts = [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]
    if len(texts) > 14:
        texts = [*texts[:12], "…", texts[-1]]
    return f"{' '.join(texts)} ({len(numbers)})"
