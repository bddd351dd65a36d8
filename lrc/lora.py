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

_ADAPTER = "default"


class _LoraProduct(torch.autograd.Function):
    """y = x W^T + b + scale (x A^T) B^T with W and b frozen (Hu et al. 2022)."""

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
            None,
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
        weight, bias = self._frozen(dtype, x.device)
        down, up = self.lora_A[_ADAPTER].weight, self.lora_B[_ADAPTER].weight
        flat = x.reshape(-1, x.shape[-1]).to(dtype)
        outputs: torch.Tensor = _LoraProduct.apply(  # type: ignore[no-untyped-call]
            flat, weight, bias, down.to(dtype), up.to(dtype), self.scaling[_ADAPTER]
        )
        return outputs.reshape(*x.shape[:-1], -1)

    def _frozen(self, dtype: torch.dtype, device: torch.device) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Returns the frozen weight and bias in the type that they are multiplied in, cast once."""
        base: nn.Linear = self.get_base_layer()  # type: ignore[assignment]
        if base.weight.dtype == dtype:
            return base.weight, base.bias
        kept: tuple[torch.Tensor, torch.Tensor | None] | None = self.__dict__.get("_cast")
        if kept is None or kept[0].dtype != dtype or kept[0].device != device:
            bias: torch.Tensor | None = base.bias
            kept = base.weight.detach().to(dtype), None if bias is None else bias.detach().to(dtype)
            self.__dict__["_cast"] = kept
        return kept


def add_lora(encoder: nn.Module, rank: int, frozen: Callable[[str], bool] = lambda name: False) -> None:
    """Freezes an encoder and puts LoRA with alpha = 2 rank into its linear layers.

    Args:
        encoder: The encoder, changed in place.
        rank: Of the update.
        frozen: Whether the module of a name stays as it is.
    """
    inject_adapter_in_model(
        LoraConfig(
            r=rank,
            lora_alpha=2 * rank,
            lora_dropout=0.0,
            target_modules=[
                name for name, module in encoder.named_modules() if isinstance(module, nn.Linear) and not frozen(name)
            ],
        ),
        encoder,
    )
    for module in encoder.modules():
        # PEFT chooses the class of its layers itself. The attributes are the same, only the forward pass differs.
        if type(module) is Linear:
            module.__class__ = LoraLinear
