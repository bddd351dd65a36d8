"""What is known of a family of encoders, and what holds for any encoder of which nothing is known."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ...errors import UserError


def load_encoder(source: str) -> nn.Module:
    """Loads an encoder in float32 through transformers, its attention through the registry."""
    import transformers

    encoder: nn.Module = transformers.AutoModel.from_pretrained(source, dtype=torch.float32, attn_implementation="sdpa")
    return encoder


def from_zero(config: Any) -> int:
    """Positions of an encoder that counts them from 0."""
    return int(getattr(config, "max_position_embeddings", 512))


def token_types(config: Any) -> bool:
    """Whether an encoder has an embedding for each of the two texts of a pair."""
    return int(getattr(config, "type_vocab_size", 0) or 0) > 1


@dataclass(frozen=True)
class Family:
    """A family of encoders: how they load, and where their parts lie.

    The defaults look at the modules of an encoder, so that most families need no record of their own.

    Attributes:
        name: For people.
        model_types: Values of `model_type` in the configuration.
        load: Loads an encoder, in float32, from a hub id or a folder; its attention must go through transformers'
            attention registry where prefixes are to be added.
        positions: Returns from a configuration the longest input in tokens.
        token_types: Returns from a configuration whether the texts of a pair are told apart by `token_type_ids`.
        stack: Path of the list of layers; found by its length where it is empty.
        keys_and_values: Last names of the linear layers that make attention's keys and values.
        inner: Names in the configuration of the width inside a feed-forward block, of which it has one.
    """

    name: str
    model_types: tuple[str, ...] = ()
    load: Callable[[str], nn.Module] = load_encoder
    positions: Callable[[Any], int] = from_zero
    token_types: Callable[[Any], bool] = token_types
    stack: str = ""
    keys_and_values: tuple[str, ...] = ("key", "value", "k_proj", "v_proj", "key_proj", "value_proj", "k_lin", "v_lin")
    inner: tuple[str, ...] = ("intermediate_size", "hidden_dim")

    def layers(self, encoder: nn.Module) -> tuple[str, nn.ModuleList]:
        """Returns an encoder's layers, from the lowest up, and their path in it.

        Raises:
            UserError: If it keeps them in no list, as where layers share their weights.
        """
        config: Any = encoder.config
        count = int(config.num_hidden_layers)
        for path, module in encoder.named_modules():
            if isinstance(module, nn.ModuleList) and len(module) == count and path == (self.stack or path):
                return path, module
        raise UserError(
            f"`frozen_layers`, `unfreezing`, `prompt_layers`: {type(encoder).__name__} keeps its layers in no list;"
            " leave them out"
        )

    def projections(self, encoder: nn.Module) -> list[str]:
        """Returns the paths of the linear layers that make attention's keys and values."""
        return [path for path in linear_layers(encoder) if path.rpartition(".")[2] in self.keys_and_values]

    def feed_forward_outputs(self, encoder: nn.Module) -> list[str]:
        """Returns the paths of the second linear layers of all feed-forward blocks."""
        config: Any = encoder.config
        width = int(config.hidden_size)
        inner = next((value for name in self.inner if (value := getattr(config, name, None))), None)
        return [
            path
            for path, layer in linear_layers(encoder).items()
            if layer.out_features == width and layer.in_features == inner != width
        ]


def linear_layers(encoder: nn.Module) -> dict[str, nn.Linear]:
    """Returns an encoder's linear layers by path."""
    return {path: module for path, module in encoder.named_modules() if isinstance(module, nn.Linear)}
