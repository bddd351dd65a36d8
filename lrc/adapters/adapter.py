"""What a kind of adapter declares, and what it is attached to."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import nn

from ..backbones.families.family import Family, linear_layers
from ..backbones.load import Backbone
from ..config.settings import TrainSettings
from ..errors import UserError

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Host:
    """The frozen encoder that adapters are attached to, and where its parts lay before the first one was.

    Attributes:
        name: Of the backbone.
        encoder: The encoder, changed in place.
        family: What is known of its kind.
        width: Of its hidden states.
        tokenizer: The backbone's.
        frozen: Whether a module or parameter of a name stays as it is.
        linear: Paths of all linear layers.
        keys_and_values: Of those that make attention's keys and values.
        outputs: Of the second one of each feed-forward block.
        batch: Of a new run, training text to start from.
        state: Of a saved run, the trained tensors; they are loaded after everything is attached.
    """

    name: str
    encoder: nn.Module
    family: Family
    width: int
    tokenizer: Tokenizer
    frozen: Callable[[str], bool]
    linear: list[str]
    keys_and_values: list[str]
    outputs: list[str]
    batch: Tensors | None
    state: Tensors | None

    @classmethod
    def of(cls, backbone: Backbone, frozen_layers: int, batch: Tensors | None, state: Tensors | None) -> "Host":
        """Looks at a backbone to which nothing is attached yet."""
        encoder, family = backbone.encoder, backbone.family
        return cls(
            *(backbone.name, encoder, family, backbone.width, backbone.tokenizer),
            frozen=_frozen_part(encoder, family, frozen_layers),
            linear=[*linear_layers(encoder)],
            keys_and_values=family.projections(encoder),
            outputs=family.feed_forward_outputs(encoder),
            batch=batch,
            state=state,
        )

    def feed_forward_outputs(self) -> list[str]:
        """Returns the paths of the second linear layers of the feed-forward blocks that are not frozen.

        Raises:
            UserError: If the encoder has no such blocks.
        """
        if not self.outputs:
            raise UserError(
                f"`backbone` {self.name}: {type(self.encoder).__name__} has no feed-forward blocks for adapters;"
                " use another method"
            )
        return self.left(self.outputs)

    def left(self, paths: Sequence[str]) -> list[str]:
        """Returns those of some paths that are not frozen."""
        return [path for path in paths if not self.frozen(path)]


def _frozen_part(encoder: nn.Module, family: Family, layers: int) -> Callable[[str], bool]:
    """Returns whether a name lies in the lowest layers, or below them in the embeddings."""
    if not layers:
        return lambda name: False
    path, stack = family.layers(encoder)
    trained = tuple(f"{path}.{index}." for index in range(layers, len(stack)))
    return lambda name: not f"{name}.".startswith(trained)


class InputAdapter(nn.Module, ABC):
    """An adapter in front of the encoder: it widens the input, and drops on the way out what it has put in."""

    @abstractmethod
    def widen(self, encoder: nn.Module, inputs: Tensors) -> Tensors:
        """Returns what the encoder takes in place of `input_ids`, `attention_mask` and perhaps `token_type_ids`."""

    @abstractmethod
    def narrow(self, hidden: torch.Tensor) -> torch.Tensor:
        """Returns the hidden states of the input's own tokens, (batch, length, width)."""


class Adapter(ABC):
    """A kind of adapter.

    Attributes:
        in_layers: Whether it trains something in the encoder's layers, so that some of these can be frozen.
    """

    in_layers = True

    @abstractmethod
    def wanted(self, settings: TrainSettings) -> bool:
        """Whether a run has it."""

    @abstractmethod
    def attach(self, host: Host, settings: TrainSettings) -> InputAdapter | None:
        """Puts it into an encoder, for a new run as it starts and for a saved one of the same shapes.

        What requires gradients afterwards is trained, and its names and shapes are what the run folder keeps.

        Returns:
            What stands in front of the encoder; None where it all lies inside.

        Raises:
            UserError: If the encoder cannot carry it, or a setting makes no sense.
        """

    def lower(self, module: nn.Module, fold: bool) -> nn.Module | None:
        """Returns a plain module of the same function; None for a module that is not its own.

        Args:
            module: A module of a trained model in float32.
            fold: Whether it is folded into the frozen weights; else these should stay as they are, so that the tasks
                of a bundle can share them.
        """
        return None

    def tokens(self, settings: TrainSettings) -> int:
        """Returns how many of the encoder's positions it takes."""
        return 0

    def without_mean(self, settings: TrainSettings) -> str:
        """Names the part of it for which runs have no mean, as where it begins by chance; empty where they have one."""
        return ""

    def mean(self, name: str, tensors: Sequence[torch.Tensor], settings: TrainSettings) -> torch.Tensor | None:
        """Returns the mean of a trained tensor over the runs of a soup; None for that of the values."""
        return None


def put(root: nn.Module, path: str, module: nn.Module) -> None:
    """Puts a module in the place of another."""
    parent, _, leaf = path.rpartition(".")
    setattr(root.get_submodule(parent), leaf, module)
