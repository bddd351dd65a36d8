"""Adapters of lrc's own: bottlenecks in the feed-forward blocks (Houlsby et al. 2019), and scaling vectors."""

from collections.abc import Sequence

import torch
from torch import nn

# Names of these layers in the encoders of transformers.
_KEYS_AND_VALUES = ("key", "value", "k_proj", "v_proj", "key_proj", "value_proj", "k_lin", "v_lin")


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


class ScaledLinear(nn.Module):
    """A linear layer with a trained factor for each of its outputs or inputs (IA3, Liu et al. 2022).

    Args:
        layer: The linear layer, with or without LoRA.
        inputs: Whether the inputs are scaled, else the outputs.
    """

    def __init__(self, layer: nn.Module, inputs: bool) -> None:
        super().__init__()
        self.layer = layer
        self.inputs = inputs
        self.in_features, self.out_features = int(layer.in_features), int(layer.out_features)  # type: ignore[arg-type]
        size = self.in_features if inputs else self.out_features
        self.factors = nn.Parameter(torch.ones(size))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Maps (..., in features) to (..., out features)."""
        factors = self.factors.to(inputs.dtype)
        outputs: torch.Tensor = self.layer(inputs * factors) if self.inputs else self.layer(inputs) * factors
        return outputs

    @torch.no_grad()
    def fold(self) -> nn.Module:
        """Returns the plain linear layer of the same function; its own layer must be plain already."""
        layer = self.layer
        assert isinstance(layer, nn.Linear)
        if self.inputs:
            layer.weight.mul_(self.factors)
        else:
            layer.weight.mul_(self.factors[:, None])
            if layer.bias is not None:
                layer.bias.mul_(self.factors)
        return layer


def feed_forward_outputs(encoder: nn.Module) -> list[str]:
    """Returns the paths of the second linear layers of all feed-forward blocks."""
    config = encoder.config
    width = int(config.hidden_size)  # type: ignore[union-attr, arg-type]
    inner = getattr(config, "intermediate_size", None) or getattr(config, "hidden_dim", None)
    return [
        path
        for path, module in encoder.named_modules()
        if isinstance(module, nn.Linear) and module.out_features == width and module.in_features == inner != width
    ]


def keys_and_values(encoder: nn.Module) -> list[str]:
    """Returns the paths of the linear layers that make attention's keys and values."""
    return [
        path
        for path, module in encoder.named_modules()
        if isinstance(module, nn.Linear) and path.rpartition(".")[2] in _KEYS_AND_VALUES
    ]


def add_bottlenecks(encoder: nn.Module, paths: Sequence[str], bottleneck: int, parallel: bool) -> None:
    """Puts an adapter behind or beside the layers of these paths."""
    for path in paths:
        _wrap(encoder, path, BottleneckAdapter(encoder.get_submodule(path), bottleneck, parallel))


def add_scaling(encoder: nn.Module, outputs_of: Sequence[str], inputs_of: Sequence[str]) -> None:
    """Scales the outputs and the inputs of the layers of these paths."""
    for paths, inputs in ((outputs_of, False), (inputs_of, True)):
        for path in paths:
            _wrap(encoder, path, ScaledLinear(encoder.get_submodule(path), inputs))


def _wrap(encoder: nn.Module, path: str, module: nn.Module) -> None:
    parent, _, leaf = path.rpartition(".")
    setattr(encoder.get_submodule(parent), leaf, module)
