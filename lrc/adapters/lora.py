"""LoRA in every linear layer: PEFT's parameters, initialisation and merge, with a forward and backward pass of its own.

PEFT's forward pass widens each input to the parameters' float32 and keeps three intermediate tensors a layer; this one
keeps one and adds in place.
"""

from collections.abc import Sequence
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import Linear
from torch import nn

from ..config.settings import TrainSettings
from .adapter import Adapter, Host

_ADAPTER = "default"
# The kinds of LoRA that PEFT merges exactly: with alpha / sqrt(r) as its scale (Kalajdzievski 2023), and with the norm
# of each column trained apart from its direction (Liu et al. 2024).
LORA, RSLORA, DORA = "lora", "rslora", "dora"
KINDS = (LORA, RSLORA, DORA)
_DOWN, _UP = ".lora_A.", ".lora_B."


class _LoraProduct(torch.autograd.Function):
    """y = x W^T + b + scale (x A^T) B^T with W frozen (Hu et al. 2022)."""

    @staticmethod
    def forward(
        ctx: Any,
        inputs: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        down: torch.Tensor,
        up: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        low = inputs @ down.t()
        outputs = inputs @ weight.t() if bias is None else torch.addmm(bias, inputs, weight.t())
        outputs.addmm_(low, up.t(), alpha=scale)
        ctx.save_for_backward(inputs, weight, down, up, low)
        ctx.scale = scale
        return outputs

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = gradients
        inputs, weight, down, up, low = ctx.saved_tensors
        gradient_low = (gradient @ up) * ctx.scale
        gradient_inputs = None
        # The first layer reads frozen embeddings.
        if ctx.needs_input_grad[0]:
            gradient_inputs = gradient @ weight
            gradient_inputs.addmm_(gradient_low, down)
        return (
            gradient_inputs,
            None,
            gradient.sum(0) if ctx.needs_input_grad[2] else None,
            gradient_low.t() @ inputs,
            (gradient.t() @ low) * ctx.scale,
            None,
        )


class LoraLinear(Linear):
    """PEFT's LoRA layer with a faster forward pass; only for frozen weights and one adapter without dropout."""

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Maps (..., in features) to (..., out features)."""
        device = x.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
        weight = self._frozen_weight(dtype, x.device)
        own: torch.Tensor | None = self.get_base_layer().bias  # type: ignore[assignment]
        bias = None if own is None else own.to(dtype)
        down, up = self.lora_A[_ADAPTER].weight, self.lora_B[_ADAPTER].weight
        flat = x.reshape(-1, x.shape[-1]).to(dtype)
        outputs: torch.Tensor = _LoraProduct.apply(  # type: ignore[no-untyped-call]
            flat, weight, bias, down.to(dtype), up.to(dtype), self.scaling[_ADAPTER]
        )
        return outputs.reshape(*x.shape[:-1], -1)

    def _frozen_weight(self, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        """Returns the frozen weight in the type that it is multiplied in, cast once."""
        weight: torch.Tensor = self.get_base_layer().weight  # type: ignore[assignment]
        if weight.dtype == dtype:
            return weight
        kept: torch.Tensor | None = self.__dict__.get("_cast")
        if kept is None or kept.dtype != dtype or kept.device != device:
            kept = weight.detach().to(dtype)
            self.__dict__["_cast"] = kept
        return kept


class LowRank(nn.Module):
    """A frozen linear layer with an update beside it: y = x W^T + b + (x down^T) up^T (Hu et al. 2022).

    Args:
        base: The layer.
        down: (rank, in features).
        up: (out features, rank).
    """

    def __init__(self, base: nn.Module, down: torch.Tensor, up: torch.Tensor) -> None:
        super().__init__()
        self.base = base
        self.down = nn.Parameter(down)
        self.up = nn.Parameter(up)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Maps (..., in features) to (..., out features)."""
        outputs: torch.Tensor = self.base(inputs) + (inputs @ self.down.t()) @ self.up.t()
        return outputs


def _beside(adapted: LoraLinear) -> LowRank:
    state = adapted.state_dict()
    down, up = (state[f"{part}.{_ADAPTER}.weight"] for part in ("lora_A", "lora_B"))
    return LowRank(adapted.get_base_layer(), down.clone(), up * adapted.scaling[_ADAPTER])


def add_lora(encoder: nn.Module, paths: Sequence[str], rank: int, kind: str = LORA) -> None:
    """Freezes an encoder and puts LoRA with alpha = 2 rank into its linear layers.

    Args:
        encoder: The encoder, changed in place.
        paths: Of the layers.
        rank: Of the update.
        kind: One of `KINDS`.
    """
    inject_adapter_in_model(
        LoraConfig(
            r=rank,
            lora_alpha=2 * rank,
            lora_dropout=0.0,
            use_rslora=kind == RSLORA,
            use_dora=kind == DORA,
            target_modules=[*paths],
        ),
        encoder,
    )
    if kind == DORA:
        # It scales each column of the sum, which the forward pass here knows nothing of.
        return
    for module in encoder.modules():
        # PEFT chooses the class of its layers itself. The attributes are the same, only the forward pass differs.
        if type(module) is Linear:
            module.__class__ = LoraLinear


class _Lora(Adapter):
    def wanted(self, settings: TrainSettings) -> bool:
        return bool(settings.lora_rank) and settings.lora_kind in KINDS

    def attach(self, host: Host, settings: TrainSettings) -> None:
        # The mean of several products is one of so many times their rank.
        add_lora(host.encoder, host.left(host.linear), settings.lora_rank * settings.soup, settings.lora_kind)

    def lower(self, module: nn.Module, fold: bool) -> nn.Module | None:
        if isinstance(module, LoraLinear) and not fold:
            return _beside(module)
        if not isinstance(module, Linear):
            return None
        # DoRA too, which scales the frozen weights and so has nothing to share.
        module.merge(safe_merge=True)
        plain: nn.Module = module.get_base_layer()
        return plain

    def without_mean(self, settings: TrainSettings) -> str:
        return "DoRA" if settings.lora_kind == DORA else ""

    def mean(self, name: str, tensors: Sequence[torch.Tensor], settings: TrainSettings) -> torch.Tensor | None:
        """The mean of n products B A of rank r is one of rank n r: all A below each other, all B beside each other."""
        if _DOWN in name:
            return torch.cat([*tensors])
        if _UP in name:
            # The scale of rsLoRA grows with the root of the rank, here that of the soup.
            share: float = len(tensors) ** (-1.5 if settings.lora_kind == RSLORA else -1.0)
            return torch.cat([*tensors], dim=1) * share
        return None


ADAPTER = _Lora()
