"""What task heads and alignment terms read of hidden states: means over tokens, and the two texts of an input apart."""

import torch


def mean_pool(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Averages the hidden states of some tokens: (batch, length, width) to (batch, width); mask is (batch, length)."""
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1).clamp(min=1)


def texts_of(
    input_ids: torch.Tensor, attention_mask: torch.Tensor, separator: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Tells the tokens of the two texts of an input apart by the separators, which no text can hold.

    Args:
        input_ids: (batch, length), the first token being special.
        attention_mask: (batch, length).
        separator: Token id that ends each text.

    Returns:
        Masks of the first and the second text, both (batch, length) of the type of the attention mask.
    """
    ends = (input_ids == separator).to(attention_mask.dtype)
    behind = (ends.cumsum(1) > 0).to(attention_mask.dtype)
    first = 1 - behind
    # The first token belongs to neither.
    first = torch.cat([torch.zeros_like(first[:, :1]), first[:, 1:]], dim=1) * attention_mask
    return first, behind * (1 - ends) * attention_mask


def unit(vectors: torch.Tensor) -> torch.Tensor:
    """Scales vectors along the last axis to length one."""
    return vectors * torch.rsqrt(vectors.square().sum(-1, keepdim=True) + 1e-6)
