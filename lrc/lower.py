"""Lowering: everything learned is folded into one plain torch module."""

import copy

import torch
from peft.tuners.lora import Linear
from torch import nn

from .adapters import ScaledLinear
from .model import TaskModel
from .prefix import KeyValuePrefix, ReparametrisedPrefix
from .prompt import InputPrompt, ReparametrisedPrompt


def lower(model: TaskModel) -> TaskModel:
    """Folds LoRA into the weights and turns prompts and everything else into constants.

    Args:
        model: A trained model on the CPU; it stays as it is.

    Returns:
        A plain module on the CPU in float32 and eval mode without PEFT layers or trainable parameters, from
        (input_ids, attention_mask[, token_type_ids]) to the same named logits.
    """
    plain = copy.deepcopy(model).float().eval()
    for name, module in list(plain.named_modules()):
        if isinstance(module, Linear):
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
