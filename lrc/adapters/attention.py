"""Attention over the tokens and whatever else a layer attends to, through transformers' attention registry.

It works for every encoder that uses the registry.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import bidirectional_mask_function, sdpa_mask

from lrc_exporters.operators import attention

ATTENTION = "lrc_prefix"
_FUSED = "lrc_fused"


class KeyValuePrefix(nn.Module):
    """Trained keys and values that every token of one layer attends to (Li and Liang 2021, "Prefix-Tuning").

    Args:
        keys: Initial keys, shape (heads, prefix length, head width).
        values: Initial values, likewise.
    """

    def __init__(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        super().__init__()
        self.keys = nn.Parameter(keys)
        self.values = nn.Parameter(values)

    def forward(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns the keys and the values, each (heads, prefix length, head width)."""
        return self.keys, self.values


def _attend(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **kwargs: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Scaled dot-product attention over the layer's prefix, if it has one, and the sequence."""
    key, value, attention_mask = _with_prefix(module, key, value, attention_mask)
    if query.device.type == "cpu" and query.dtype == torch.bfloat16 and query.requires_grad:
        # PyTorch's CPU kernel takes twice as long backwards in bf16 as in float32.
        with torch.autocast("cpu", enabled=False):
            output, weights = sdpa_attention_forward(
                module, query.float(), key.float(), value.float(), attention_mask, **kwargs
            )
        return output.to(query.dtype), weights
    return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)


def _with_prefix(
    module: nn.Module, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Puts the layer's prefix, if it has one, before its keys and values; the mask's last axis is that of the keys."""
    prefix = getattr(module, "prefix", None)
    if not isinstance(prefix, KeyValuePrefix):
        return key, value, mask
    keys, values = (tensor.to(key.dtype).expand(key.shape[0], -1, -1, -1) for tensor in prefix())
    if mask is not None:
        seen = mask.new_zeros(()) if mask.dtype.is_floating_point else mask.new_ones(())
        mask = torch.cat([seen.expand(*mask.shape[:-1], keys.shape[2]), mask], dim=-1)
    return torch.cat([keys, key], dim=2), torch.cat([values, value], dim=2), mask


def _attend_fused(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The same as one operator of the exported graph, where the mask says no more than what is padding."""
    if attention_mask is not None and attention_mask.dim() != 2:
        return _attend(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
    key, value, seen = _with_prefix(module, key, value, attention_mask)
    return attention(query, key, value, seen, scaling or query.shape[-1] ** -0.5), None


def _padding_mask(*, mask_function: Any, attention_mask: torch.Tensor | None = None, **kwargs: Any) -> Any:
    if mask_function is bidirectional_mask_function and attention_mask is not None:
        return attention_mask.to(torch.int32)
    return sdpa_mask(mask_function=mask_function, attention_mask=attention_mask, **kwargs)


for _name, _function, _mask in ((ATTENTION, _attend, sdpa_mask), (_FUSED, _attend_fused, _padding_mask)):
    AttentionInterface.register(_name, _function)
    AttentionMaskInterface.register(_name, _mask)


def any_shape() -> AbstractContextManager[None]:
    """Keeps attention to kernels that take a batch of a new shape as fast as the last one; cuDNN's plans each anew."""
    return sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH])


@contextmanager
def fused(encoder: nn.Module) -> Iterator[None]:
    """While it lasts, an encoder that is exported emits each attention as one operator; it cannot be run."""
    encoder.set_attn_implementation(_FUSED)  # type: ignore[operator]
    try:
        yield
    finally:
        enable(encoder)


def enable(encoder: nn.Module) -> None:
    """Sends the encoder's attention through this module; without prefixes its output stays the same bit by bit."""
    encoder.set_attn_implementation(ATTENTION)  # type: ignore[operator]
