"""Windows of real clips under other names, as folders of frames and MMAction2's lists of them, divided by time."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from quovadis.video import open_video

CLIPS = {
    "strength test": "arm_wrestling.mp4",
    "bow and arrow": "archery.avi",
    "barbell": "clean_and_jerk.mp4",
    "on a horse": "horse_riding.gif",
    "hand talk": "sign_language_thanks.mkv",
}
"""By class."""
WINDOW = 16
"""Frames of a window."""
CLIP_FRAMES = 9
"""Frames of a clip, which lies anywhere in its window."""
FRAMES = 42
"""As many as the shortest clip has at 25 frames a second."""


def write_renamed_clips(clips: Path, folder: Path) -> tuple[Path, Path]:
    """Write the frames and both lists: windows to train on, and later ones to validate with, without a common frame."""
    lines: dict[str, list[str]] = {"train": [], "validation": []}
    for label, (name, file) in enumerate(CLIPS.items()):
        (own := folder / name.replace(" ", "_")).mkdir()
        with open_video(clips / file, fps=25.0) as video:
            for number, frame in zip(range(FRAMES), video, strict=False):
                Image.fromarray(frame.pixels).save(own / f"img_{number:05d}.png", compress_level=0)
        starts = {"train": (0, 8), "validation": (FRAMES - WINDOW,)}
        for part, first in starts.items():
            lines[part] += [f"{own.name} {start} {WINDOW} {label}" for start in first]
    for part, own_lines in lines.items():
        (folder / f"{part}.txt").write_text("\n".join(own_lines) + "\n")
    (folder / "labels.txt").write_text("".join(f"{name}\n" for name in CLIPS))
    return folder / "train.txt", folder / "validation.txt"
