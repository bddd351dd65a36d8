"""Bottleneck adapters: a small trained block after every feed-forward block (Houlsby et al. 2019)."""

from collections.abc import Callable
from itertools import filterfalse

import torch
from torch import nn

from .errors import UserError


class BottleneckAdapter(nn.Module):
    """A linear layer with a residual block behind it: y + up(gelu(down(y))) for y = layer(x).

    One a layer, after the feed-forward block and before its residual connection, is what Pfeiffer et al. (2021) found
    to do as well as Houlsby's two. It starts as the identity.

    Args:
        layer: The frozen linear layer.
        bottleneck: Width of the block.
    """

    def __init__(self, layer: nn.Linear, bottleneck: int) -> None:
        super().__init__()
        self.layer = layer
        self.down = nn.Linear(layer.out_features, bottleneck)
        self.up = nn.Linear(bottleneck, layer.out_features)
        nn.init.normal_(self.down.weight, std=0.02)
        nn.init.zeros_(self.down.bias)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Maps (..., inner) to (..., width)."""
        outputs = self.layer(inputs)
        changed: torch.Tensor = outputs + self.up(nn.functional.gelu(self.down(outputs)))
        return changed


def add_bottlenecks(
    encoder: nn.Module, bottleneck: int, name: str, frozen: Callable[[str], bool] = lambda name: False
) -> None:
    """Puts an adapter behind the second linear layer of every feed-forward block.

    Args:
        encoder: The frozen encoder.
        bottleneck: Width of the adapters.
        name: Of the backbone, for the message.
        frozen: Whether the module of a name stays as it is.

    Raises:
        UserError: If the encoder has no such layers.
    """
    config = encoder.config
    width = int(config.hidden_size)  # type: ignore[union-attr, arg-type]
    inner = getattr(config, "intermediate_size", None) or getattr(config, "hidden_dim", None)
    found = [
        path
        for path, module in encoder.named_modules()
        if isinstance(module, nn.Linear) and module.out_features == width and module.in_features == inner != width
    ]
    if not found:
        raise UserError(f"--method adapters: finds no feed-forward blocks in --backbone {name}; use another method")
    for path in filterfalse(frozen, found):
        parent, _, leaf = path.rpartition(".")
        setattr(
            encoder.get_submodule(parent),
            leaf,
            BottleneckAdapter(encoder.get_submodule(path), bottleneck),  # type: ignore[arg-type]
        )
