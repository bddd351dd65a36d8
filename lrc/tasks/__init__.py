"""The tasks: what is learned from which labels, and how it is answered and scored.

A kind of task is a folder here, with a `TaskKind` that is registered in `KINDS`.
"""

from typing import Any

from ..data.examples import Example
from .classes import Classes
from .kind import TaskKind
from .pairs import Pairs
from .spans import Spans

_KINDS: tuple[TaskKind[Any, Any, Any], ...] = (Spans(), Pairs(), Classes())
# By the name that the settings of a run have.
KINDS = {kind.name: kind for kind in _KINDS}


def find_kind(name: str) -> TaskKind[Any, Any, Any]:
    """Returns a kind of task by its name."""
    return KINDS[name]


def kind_of(example: Example) -> TaskKind[Any, Any, Any]:
    """Returns the kind of task that an example is of."""
    return next(kind for kind in KINDS.values() if isinstance(example, kind.example))
