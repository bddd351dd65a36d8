"""VeRA: one pair of random matrices that all layers share, and two trained vectors a layer (Kopiczko et al. 2024).

The matrices come from a fixed seed, so a run folder holds the vectors alone.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..config.settings import TrainSettings
from .adapter import Adapter, Host, put
from .lora import LowRank

# Of the matrices, in every run: what a run folder holds means something beside these alone.
_SEED = 0
# What the inner vector begins as; the outer one begins as 0.
_INNER = 0.1


class _Shared(nn.Module):
    """The frozen matrices, as large as the largest layer needs; a smaller one reads a corner of them.

    Args:
        rank: Of the update.
        inputs: Most inputs of a layer.
        outputs: Most outputs.
    """

    def __init__(self, rank: int, inputs: int, outputs: int) -> None:
        super().__init__()
        # numpy promises that this stream never changes; that of torch differs between versions and devices.
        draw = np.random.RandomState(_SEED)
        self.down: torch.Tensor
        self.up: torch.Tensor
        for name, shape in (("down", (rank, inputs)), ("up", (outputs, rank))):
            uniform = (2 * draw.random_sample(shape) - 1) / shape[1] ** 0.5
            self.register_buffer(name, torch.from_numpy(uniform.astype(np.float32)), persistent=False)


class VeraLinear(nn.Module):
    """A frozen linear layer W and its update: y = W x + b * (up (d * (down x))), with b and d trained.

    Args:
        layer: The layer.
        shared: The matrices of all layers.
    """

    def __init__(self, layer: nn.Linear, shared: _Shared) -> None:
        super().__init__()
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.layer = layer
        self.shared = shared
        self.lambda_d = nn.Parameter(torch.full((len(shared.down),), _INNER))
        self.lambda_b = nn.Parameter(torch.zeros(layer.out_features))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Maps (..., in features) to (..., out features)."""
        outputs: torch.Tensor = self.layer(inputs)
        low = functional.linear(inputs, self.shared.down[:, : self.in_features])
        update = functional.linear(low * self.lambda_d.to(low.dtype), self.shared.up[: self.out_features])
        return outputs + update * self.lambda_b.to(update.dtype)

    def factors(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns the update as two matrices, (rank, in features) and (out features, rank)."""
        down = self.shared.down[:, : self.in_features] * self.lambda_d[:, None]
        return down, self.shared.up[: self.out_features] * self.lambda_b[:, None]


class _Vera(Adapter):
    def wanted(self, settings: TrainSettings) -> bool:
        return bool(settings.lora_rank) and settings.lora_kind == "vera"

    def attach(self, host: Host, settings: TrainSettings) -> None:
        layers = {path: host.encoder.get_submodule(path) for path in host.left(host.linear)}
        linear = {path: layer for path, layer in layers.items() if isinstance(layer, nn.Linear)}
        inputs = max(layer.in_features for layer in linear.values())
        outputs = max(layer.out_features for layer in linear.values())
        shared = _Shared(settings.lora_rank, inputs, outputs)
        for path, layer in linear.items():
            put(host.encoder, path, VeraLinear(layer, shared))

    def lower(self, module: nn.Module, fold: bool) -> nn.Module | None:
        if not isinstance(module, VeraLinear):
            return None
        down, up = module.factors()
        # An update larger than the weight costs more beside it than a weight of the task's own.
        if not fold and down.numel() + up.numel() < module.layer.weight.numel():
            return LowRank(module.layer, down, up)
        module.layer.weight.add_(up @ down)
        return module.layer

    def without_mean(self, settings: TrainSettings) -> str:
        # The update is a product of the two vectors, and the mean of products is none of such vectors.
        return "VeRA"


ADAPTER = _Vera()
