"""Trained factors for keys, values and the activations of the feed-forward blocks (IA3, Liu et al. 2022)."""

import torch
from torch import nn

from ..config.settings import TrainSettings
from ..errors import UserError
from .adapter import Adapter, Host, put


class ScaledLinear(nn.Module):
    """A linear layer with a trained factor for each of its outputs or inputs.

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


class _Scaling(Adapter):
    """IA3: the outputs of keys and values are scaled, and the inputs of the second layer of each feed-forward block."""

    def wanted(self, settings: TrainSettings) -> bool:
        return settings.scaling

    def attach(self, host: Host, settings: TrainSettings) -> None:
        inner = host.feed_forward_outputs()
        if not host.keys_and_values:
            raise UserError(
                f"`scaling`: lrc does not know the keys and values of {type(host.encoder).__name__}; leave it out"
            )
        for paths, inputs in ((host.left(host.keys_and_values), False), (inner, True)):
            for path in paths:
                put(host.encoder, path, ScaledLinear(host.encoder.get_submodule(path), inputs))

    def lower(self, module: nn.Module, fold: bool) -> nn.Module | None:
        return module.fold() if isinstance(module, ScaledLinear) else None


ADAPTER = _Scaling()
