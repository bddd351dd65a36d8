"""Task heads: few new weights between the backbone's last hidden states and the logits."""

import torch
from torch import nn

from .errors import UserError
from .tasks.registry import QA

LINEAR, QUESTION, POOLED, INTERACTION = "linear", "question", "pooled", "interaction"
# Heads by kind of task, the default first.
HEADS = {QA: (LINEAR, QUESTION), "paraphrase": (POOLED, INTERACTION)}
# Cosine times this is what a similarity adds to a logit at first.
_SHARPNESS = 4.0
_NOTHING = -1e4


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
        q = _unit(mean_pool(hidden, question))
        logits = self.dense(hidden) + _unit(hidden) @ (q[:, None, :] * self.scale.to(hidden.dtype)).transpose(1, 2)
        return {"start_logits": logits[..., 0], "end_logits": logits[..., 1]}


class PairHead(nn.Module):
    """Two logits from the mean and the first hidden state of a pair.

    Args:
        width: Size of the hidden states.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(2 * width, width)
        self.out = nn.Linear(width, 2)

    def forward(
        self, hidden: torch.Tensor, attention_mask: torch.Tensor, input_ids: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Maps (batch, length, width) to `logits`, (batch, 2)."""
        pooled = torch.cat([hidden[:, 0], mean_pool(hidden, attention_mask)], dim=-1)
        return {"logits": self.out(torch.tanh(self.dense(pooled)))}


class InteractionPairHead(nn.Module):
    """Two logits from how the two sentences differ, and how well their tokens align.

    With u and v the means over the sentences' tokens and h_0 the first state, a layer with tanh reads
    [h_0; |u - v|; u * v] (Conneau et al. 2017) and the mean over each sentence's tokens of the highest cosine with a
    token of the other (the precision and recall of BERTScore, Zhang et al. 2020).

    Args:
        width: Size of the hidden states.
        separator: Token id that ends each text.
    """

    def __init__(self, width: int, separator: int) -> None:
        super().__init__()
        self.dense = nn.Linear(3 * width + 2, width)
        self.out = nn.Linear(width, 2)
        self.separator = separator

    def forward(
        self, hidden: torch.Tensor, attention_mask: torch.Tensor, input_ids: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Maps (batch, length, width) to `logits`, (batch, 2)."""
        first, second = texts_of(input_ids, attention_mask, self.separator)
        u, v = mean_pool(hidden, first), mean_pool(hidden, second)
        normal = _unit(hidden)
        cosines = normal @ normal.transpose(1, 2)
        apart = (1 - second)[:, None, :] * _NOTHING, (1 - first)[:, None, :] * _NOTHING
        nearest = [
            (mean_pool((cosines + away).amax(-1, keepdim=True), rows)).clamp(min=-1)
            for away, rows in zip(apart, (first, second), strict=True)
        ]
        read = torch.cat([hidden[:, 0], (u - v).abs(), u * v, *nearest], dim=-1)
        return {"logits": self.out(torch.tanh(self.dense(read)))}


def build_head(kind: str, name: str, width: int, separator: int) -> nn.Module:
    """Makes a head.

    Args:
        kind: Of the task.
        name: One of `HEADS` of that kind.
        width: Size of the hidden states.
        separator: Token id that ends each text.

    Raises:
        UserError: If there is no such head for the kind of task.
    """
    if name not in HEADS[kind]:
        raise UserError(f"--head {name}: choose one of {', '.join(HEADS[kind])}")
    if name == LINEAR:
        return SpanHead(width)
    if name == QUESTION:
        return QuestionSpanHead(width, separator)
    if name == POOLED:
        return PairHead(width)
    return InteractionPairHead(width, separator)


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


def _unit(vectors: torch.Tensor) -> torch.Tensor:
    return vectors * torch.rsqrt(vectors.square().sum(-1, keepdim=True) + 1e-6)
