"""Lowering: everything learned is folded into one plain torch module."""

import copy

import torch
from peft.tuners.lora import Linear
from torch import nn

from ..adapters.bottleneck import ScaledLinear
from ..adapters.lora import LoraLinear
from ..adapters.prefix import KeyValuePrefix, ReparametrisedPrefix
from ..adapters.prompt import InputPrompt, ReparametrisedPrompt
from ..model import TaskModel


class LowRank(nn.Module):
    """A frozen linear layer with its update beside it: y = x W^T + b + scale (x A^T) B^T (Hu et al. 2022).

    Args:
        adapted: LoRA's layer.
    """

    def __init__(self, adapted: LoraLinear) -> None:
        super().__init__()
        (name,) = adapted.lora_A
        state = adapted.state_dict()
        self.base = adapted.get_base_layer()
        self.down = nn.Parameter(state[f"lora_A.{name}.weight"].clone())
        self.up = nn.Parameter(state[f"lora_B.{name}.weight"] * adapted.scaling[name])

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Maps (..., in features) to (..., out features)."""
        outputs: torch.Tensor = self.base(inputs) + (inputs @ self.down.t()) @ self.up.t()
        return outputs


def lower(model: TaskModel, fold: bool = True) -> TaskModel:
    """Folds LoRA into the weights and turns prompts and everything else into constants.

    Args:
        model: A trained model on the CPU; it stays as it is.
        fold: Whether LoRA is folded; where it is not, the frozen weights stay as they are, so that tasks can share
            them. DoRA, which scales them, always is.

    Returns:
        A plain module on the CPU in float32 and eval mode without PEFT layers or trainable parameters, from
        (input_ids, attention_mask[, token_type_ids]) to the same named logits.
    """
    plain = copy.deepcopy(model).float().eval()
    for name, module in list(plain.named_modules()):
        if isinstance(module, LoraLinear) and not fold:
            _replace(plain, name, LowRank(module))
        elif isinstance(module, Linear):
            module.merge(safe_merge=True)
            _replace(plain, name, module.get_base_layer())
    for name, module in list(plain.named_modules()):
        if isinstance(module, ScaledLinear):
            _replace(plain, name, module.fold())
    with torch.no_grad():
        for name, module in list(plain.named_modules()):
            if isinstance(module, ReparametrisedPrefix):
                keys, values = module()
                _replace(plain, name, KeyValuePrefix(keys.contiguous(), values.contiguous()))
        if isinstance(plain.prompt, ReparametrisedPrompt):
            plain.prompt = InputPrompt(plain.prompt().clone())
        plain.requires_grad_(False)
    return plain


def _replace(root: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, leaf = name.rpartition(".")
    setattr(root.get_submodule(parent), leaf, module)
