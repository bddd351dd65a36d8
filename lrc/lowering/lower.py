"""Lowering: everything learned is folded into one plain torch module."""

import copy

import torch

from ..adapters import adapters
from ..adapters.adapter import put
from ..model import TaskModel


@torch.no_grad()
def lower(model: TaskModel, fold: bool = True) -> TaskModel:
    """Folds adapters into the weights and turns prompts and everything else into constants.

    Args:
        model: A trained model on the CPU; it stays as it is.
        fold: Whether adapters are folded that can also stand beside the frozen weights; these then stay as they are,
            so that tasks can share them.

    Returns:
        A plain module on the CPU in float32 and eval mode without adapters or trainable parameters, from
        (input_ids, attention_mask[, token_type_ids]) to the same named logits.
    """
    plain = copy.deepcopy(model).float().eval()
    for adapter in adapters():
        for path, module in list(plain.named_modules()):
            lowered = adapter.lower(module, fold)
            if lowered is not None:
                put(plain, path, lowered)
    return plain.requires_grad_(False)
