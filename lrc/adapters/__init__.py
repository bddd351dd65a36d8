"""What is trained inside a frozen encoder, one module a kind.

A kind is a module here whose `ADAPTER` is an `lrc.adapters.adapter.Adapter`, and an entry in `ADAPTERS`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ..errors import UserError
from ..seams import member

if TYPE_CHECKING:
    from ..config.settings import TrainSettings
    from .adapter import Adapter


class Kind(NamedTuple):
    """A kind of adapter; reading what there is to choose from loads no torch.

    Attributes:
        load: Gives the adapter.
        lora_kinds: Values of `lora_kind` that stand for it.
    """

    load: Callable[[], "Adapter"]
    lora_kinds: tuple[str, ...] = ()


# In the order in which they are attached and folded: LoRA comes first, as it freezes everything else, and scaling folds
# into the plain layer that it stands next to.
ADAPTERS = {
    "lora": Kind(member(__name__, "lora", "ADAPTER"), ("lora", "rslora", "dora")),
    "vera": Kind(member(__name__, "vera", "ADAPTER"), ("vera",)),
    "scaling": Kind(member(__name__, "scaling", "ADAPTER")),
    "bottleneck": Kind(member(__name__, "bottleneck", "ADAPTER")),
    "bias": Kind(member(__name__, "bias", "ADAPTER")),
    "full": Kind(member(__name__, "full", "ADAPTER")),
    "prompt": Kind(member(__name__, "prompt", "ADAPTER")),
    "prefix": Kind(member(__name__, "prefix", "ADAPTER")),
}


def lora_kinds() -> list[str]:
    """Returns what `lora_kind` takes."""
    return [name for kind in ADAPTERS.values() for name in kind.lora_kinds]


def adapters() -> list["Adapter"]:
    """Returns all kinds, in the order in which they are attached and folded."""
    return [kind.load() for kind in ADAPTERS.values()]


def chosen(settings: "TrainSettings") -> list["Adapter"]:
    """Returns the kinds that a run has, in the order in which they are attached.

    Raises:
        UserError: If it names a kind that does not exist.
    """
    if settings.lora_rank and settings.lora_kind not in lora_kinds():
        raise UserError(f"`lora_kind` {settings.lora_kind}: choose one of {', '.join(lora_kinds())}")
    return [adapter for adapter in adapters() if adapter.wanted(settings)]
