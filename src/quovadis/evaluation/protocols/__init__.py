"""How a video is looked at: one module for each protocol that published figures were measured with."""

from __future__ import annotations

from quovadis.errors import ArchitectureError
from quovadis.evaluation.protocols.deepmind import DeepMindProtocol
from quovadis.evaluation.protocols.multiview import CLIPS, CROPS, MultiviewProtocol
from quovadis.evaluation.protocols.open_model_zoo import OpenModelZooProtocol
from quovadis.evaluation.protocols.protocol import EvaluationProtocol, View

__all__ = [
    "PROTOCOLS",
    "DeepMindProtocol",
    "EvaluationProtocol",
    "MultiviewProtocol",
    "OpenModelZooProtocol",
    "View",
    "make_protocol",
]

PROTOCOLS = (DeepMindProtocol.name, OpenModelZooProtocol.name, MultiviewProtocol.name)


def make_protocol(
    name: str, *, clips: int | None = None, crops: int | None = None, crop_size: int | None = None
) -> EvaluationProtocol:
    """Return the protocol of a name.

    Args:
        name: one of `PROTOCOLS`.
        clips: of a video, for multiview; None: 10.
        crops: of a clip, for multiview; None: 3.
        crop_size: pixels, for multiview; None: 256 for three crops, 224 for one.

    Raises:
        ArchitectureError: no such protocol, or numbers that it does not take.
    """
    if name == MultiviewProtocol.name:
        return MultiviewProtocol(CLIPS if clips is None else clips, CROPS if crops is None else crops, crop_size)
    if (clips, crops, crop_size) != (None, None, None):
        raise ArchitectureError(f"the protocol {name} has clips of its own; leave `clips` and `crops` to multiview")
    if name == OpenModelZooProtocol.name:
        return OpenModelZooProtocol()
    if name == DeepMindProtocol.name:
        return DeepMindProtocol()
    raise ArchitectureError(f'no protocol is called "{name}"; there are {", ".join(PROTOCOLS)}')
