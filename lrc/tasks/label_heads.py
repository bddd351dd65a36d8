"""Heads that give an input one of a few labels."""

import torch
from torch import nn

from ..pooling import mean_pool, texts_of, unit

_NOTHING = -1e4


class PooledHead(nn.Module):
    """Logits of the labels from the mean and the first hidden state of an input.

    Args:
        width: Size of the hidden states.
        labels: How many labels there are.
    """

    def __init__(self, width: int, labels: int = 2) -> None:
        super().__init__()
        self.dense = nn.Linear(2 * width, width)
        self.out = nn.Linear(width, labels)

    def forward(
        self, hidden: torch.Tensor, attention_mask: torch.Tensor, input_ids: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Maps (batch, length, width) to `logits`, (batch, labels)."""
        pooled = torch.cat([hidden[:, 0], mean_pool(hidden, attention_mask)], dim=-1)
        return {"logits": self.out(torch.tanh(self.dense(pooled)))}


class InteractionHead(nn.Module):
    """Logits of the labels from how the two texts differ, and how well their tokens align.

    With u and v the means over the texts' tokens and h_0 the first state, a layer with tanh reads
    [h_0; |u - v|; u * v] (Conneau et al. 2017) and the mean over each text's tokens of the highest cosine with a
    token of the other (the precision and recall of BERTScore, Zhang et al. 2020).

    Args:
        width: Size of the hidden states.
        separator: Token id that ends each text.
        labels: How many labels there are.
    """

    def __init__(self, width: int, separator: int, labels: int = 2) -> None:
        super().__init__()
        self.dense = nn.Linear(3 * width + 2, width)
        self.out = nn.Linear(width, labels)
        self.separator = separator

    def forward(
        self, hidden: torch.Tensor, attention_mask: torch.Tensor, input_ids: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Maps (batch, length, width) to `logits`, (batch, labels)."""
        first, second = texts_of(input_ids, attention_mask, self.separator)
        u, v = mean_pool(hidden, first), mean_pool(hidden, second)
        normal = unit(hidden)
        cosines = normal @ normal.transpose(1, 2)
        apart = (1 - second)[:, None, :] * _NOTHING, (1 - first)[:, None, :] * _NOTHING
        nearest = [
            (mean_pool((cosines + away).amax(-1, keepdim=True), rows)).clamp(min=-1)
            for away, rows in zip(apart, (first, second), strict=True)
        ]
        read = torch.cat([hidden[:, 0], (u - v).abs(), u * v, *nearest], dim=-1)
        return {"logits": self.out(torch.tanh(self.dense(read)))}
