"""LoRA in every linear layer: PEFT's parameters, initialisation and merge, with a forward and backward pass of its own.

PEFT's forward pass widens each input to the parameters' float32 and keeps three intermediate tensors a layer; this one
keeps one and adds in place.
"""

from collections.abc import Callable
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import Linear
from torch import nn

from ..errors import UserError

_ADAPTER = "default"
# The kinds of LoRA that PEFT merges exactly: with alpha / sqrt(r) as its scale (Kalajdzievski 2023), and with the norm
# of each column trained apart from its direction (Liu et al. 2024).
LORA, RSLORA, DORA = "lora", "rslora", "dora"
KINDS = (LORA, RSLORA, DORA)


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


def add_lora(
    encoder: nn.Module, rank: int, kind: str = LORA, frozen: Callable[[str], bool] = lambda name: False
) -> None:
    """Freezes an encoder and puts LoRA with alpha = 2 rank into its linear layers.

    Args:
        encoder: The encoder, changed in place.
        rank: Of the update.
        kind: One of `KINDS`.
        frozen: Whether the module of a name stays as it is.

    Raises:
        UserError: If there is no such kind.
    """
    if kind not in KINDS:
        raise UserError(f"--lora-kind {kind}: choose one of {', '.join(KINDS)}")
    inject_adapter_in_model(
        LoraConfig(
            r=rank,
            lora_alpha=2 * rank,
            lora_dropout=0.0,
            use_rslora=kind == RSLORA,
            use_dora=kind == DORA,
            target_modules=[
                name for name, module in encoder.named_modules() if isinstance(module, nn.Linear) and not frozen(name)
            ],
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
