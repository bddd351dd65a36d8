"""Heads that mark a span: start and end logits of each token."""

import torch
from torch import nn

from ...pooling import mean_pool, texts_of, unit

# Cosine times this is what a similarity adds to a logit at first.
_SHARPNESS = 4.0


class SpanHead(nn.Module):
    """Start and end logits of each token, from its own state.

    Args:
        width: Size of the hidden states.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, 2)

    def forward(
        self, hidden: torch.Tensor, attention_mask: torch.Tensor, input_ids: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Maps (batch, length, width) to `start_logits` and `end_logits`, each (batch, length)."""
        logits = self.dense(hidden)
        return {"start_logits": logits[..., 0], "end_logits": logits[..., 1]}


class QuestionSpanHead(nn.Module):
    """The same plus how near each token is to the question, dimension by dimension.

    With q the mean state of the question's tokens and h_i a token's, both of length one:

        logit_i = w . h_i' + b + sum over k of a_k q_k h_ik

    for the start and for the end, h_i' being the state as it is. It is the diagonal of Splinter's bilinear form (Ram et
    al. 2021) with its question token replaced by the question's mean; a begins with a multiple of ones, so that the sum
    begins as a multiple of the cosine, which is what the backbone was trained to compare texts by.

    Args:
        width: Size of the hidden states.
        separator: Token id that ends each text.
    """

    def __init__(self, width: int, separator: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, 2)
        self.scale = nn.Parameter(torch.full((2, width), _SHARPNESS))
        self.separator = separator

    def forward(
        self, hidden: torch.Tensor, attention_mask: torch.Tensor, input_ids: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Maps (batch, length, width) to `start_logits` and `end_logits`, each (batch, length)."""
        question, _ = texts_of(input_ids, attention_mask, self.separator)
        q = unit(mean_pool(hidden, question))
        logits = self.dense(hidden) + unit(hidden) @ (q[:, None, :] * self.scale.to(hidden.dtype)).transpose(1, 2)
        return {"start_logits": logits[..., 0], "end_logits": logits[..., 1]}
