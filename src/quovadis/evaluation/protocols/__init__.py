"""How a video is looked at: one module for each protocol that published figures were measured with."""

from __future__ import annotations

from typing import Literal, TypeAlias

from quovadis.architecture import CLIP_FRAMES, FRAMES_PER_SECOND
from quovadis.errors import ArchitectureError
from quovadis.evaluation.protocols.deepmind import DeepMindProtocol
from quovadis.evaluation.protocols.multiview import CLIPS, CROPS, MultiviewProtocol
from quovadis.evaluation.protocols.open_model_zoo import OpenModelZooProtocol
from quovadis.evaluation.protocols.protocol import EvaluationProtocol, View
from quovadis.fields import check_value
from quovadis.weights import InputSpecification
from quovadis.weights.input_specification import UNSPECIFIED

__all__ = [
    "DeepMindProtocol",
    "EvaluationProtocol",
    "MultiviewProtocol",
    "OpenModelZooProtocol",
    "ProtocolName",
    "View",
    "make_protocol",
]

ProtocolName: TypeAlias = Literal["deepmind", "omz", "multiview"]


def make_protocol(
    name: ProtocolName,
    *,
    clips: int | None = None,
    crops: int | None = None,
    crop_size: int | None = None,
    specified: InputSpecification = UNSPECIFIED,
) -> EvaluationProtocol:
    """Return the protocol of a name.

    Args:
        name: one of `ProtocolName`.
        clips: of a video, for multiview; None: 10.
        crops: of a clip, for multiview; None: 3.
        crop_size: pixels, for multiview; None: 256 for three crops, 224 for one.
        specified: what the weights were trained on, in place of the 25 frames a second of deepmind and multiview, and
            of multiview's 79 frames; omz has frames of its own.

    Raises:
        ArchitectureError: no such protocol, or numbers that it does not take.
    """
    check_value("protocol", name, ProtocolName, ArchitectureError)
    rate = specified.fps or FRAMES_PER_SECOND
    if name == MultiviewProtocol.name:
        return MultiviewProtocol(
            CLIPS if clips is None else clips,
            CROPS if crops is None else crops,
            crop_size,
            clip_frames=specified.clip_frames or CLIP_FRAMES,
            fps=rate,
        )
    if (clips, crops, crop_size) != (None, None, None):
        raise ArchitectureError(f"the protocol {name} has clips of its own; leave `clips` and `crops` to multiview")
    return OpenModelZooProtocol() if name == OpenModelZooProtocol.name else DeepMindProtocol(rate)
