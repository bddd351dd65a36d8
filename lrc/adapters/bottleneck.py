"""Bottlenecks in the feed-forward blocks (Houlsby et al. 2019)."""

import torch
from torch import nn

from ..config.settings import TrainSettings
from .adapter import Adapter, Host, put


class BottleneckAdapter(nn.Module):
    """A linear layer with a residual block behind it or beside it.

    Serial: y + up(gelu(down(y))) for y = layer(x). One a layer, after the feed-forward block and before its residual
    connection, is what Pfeiffer et al. (2021) found to do as well as Houlsby's two. Parallel: layer(x) +
    up(gelu(down(x))) (He et al. 2022), here beside the second layer of the block. Either starts as the linear layer
    alone.

    Args:
        layer: The linear layer, with or without LoRA.
        bottleneck: Width of the block.
        parallel: Whether the block stands beside the layer.
    """

    def __init__(self, layer: nn.Module, bottleneck: int, parallel: bool) -> None:
        super().__init__()
        inputs, outputs = int(layer.in_features), int(layer.out_features)  # type: ignore[arg-type]
        self.layer = layer
        self.parallel = parallel
        self.down = nn.Linear(inputs if parallel else outputs, bottleneck)
        self.up = nn.Linear(bottleneck, outputs)
        nn.init.normal_(self.down.weight, std=0.02)
        nn.init.zeros_(self.down.bias)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Maps (..., inner) to (..., width)."""
        outputs = self.layer(inputs)
        read = inputs if self.parallel else outputs
        changed: torch.Tensor = outputs + self.up(nn.functional.gelu(self.down(read)))
        return changed


class _Bottlenecks(Adapter):
    """A bottleneck behind or beside the second layer of each feed-forward block; nothing of it folds."""

    def wanted(self, settings: TrainSettings) -> bool:
        return bool(settings.bottleneck)

    def attach(self, host: Host, settings: TrainSettings) -> None:
        for path in host.feed_forward_outputs():
            layer = host.encoder.get_submodule(path)
            put(host.encoder, path, BottleneckAdapter(layer, settings.bottleneck, settings.parallel_adapters))

    def without_mean(self, settings: TrainSettings) -> str:
        return "bottleneck adapters"


ADAPTER = _Bottlenecks()
