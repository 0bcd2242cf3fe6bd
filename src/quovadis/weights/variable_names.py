"""Which variables of a TensorFlow file are the network's, whatever scope they stand under.

DeepMind's checkpoints for Kinetics-400 have `RGB/inception_i3d/` before every name, the one for Kinetics-600 has
nothing, and a graph that was imported into another has one more scope.
"""

from __future__ import annotations

from collections.abc import Iterable

from quovadis.architecture import HEAD, STAGES, VARIABLE_PREFIX, variable_shapes

_PREFIX = VARIABLE_PREFIX + "/"
_VARIABLES = tuple(name.removeprefix(_PREFIX) for name in variable_shapes())
_STAGE_SCOPES = frozenset((*(stage.scope for stage in STAGES), HEAD.scope))


def original_names(names: Iterable[str]) -> dict[str, str]:
    """Return the original name of each of the network's variables, by its name in the file.

    The network's scope is that of the first variable found, the original one before any other. Unknown variables within
    the network are returned too; what an optimiser keeps is left out.

    Args:
        names: of all variables in the file.
    """
    names = list(names)
    scopes = [
        name.removesuffix(variable)
        for name in names
        if name.endswith(_VARIABLES)
        for variable in _VARIABLES
        if f"/{name}".endswith(f"/{variable}")
    ]
    scope = min(scopes, key=lambda scope: not f"/{scope}".endswith(f"/{_PREFIX}"), default=_PREFIX)
    found = {name: _PREFIX + name.removeprefix(scope) for name in names if name.startswith(scope)}
    if scope == "":
        # Here a counter of training steps and the like stand beside the network's own stages.
        found = {name: original for name, original in found.items() if name.partition("/")[0] in _STAGE_SCOPES}
    return {name: original for name, original in found.items() if not is_training_state(original)}


def is_training_state(name: str) -> bool:
    """Tell the slots that TensorFlow's optimisers keep beside a variable, such as `…/w/Momentum`."""
    return any(name.startswith(f"{_PREFIX}{variable}/") for variable in _VARIABLES)
