"""The knowledge-alignment term: the same content in two languages gets the same representation."""

import torch
from torch.nn import functional


def alignment_loss(pooled: torch.Tensor, group: torch.Tensor) -> torch.Tensor | None:
    """Mean cosine distance of each row from the mean of its translations.

    For rows h_i of a group G with at least two rows, the term is 1 - cos(h_i, mean of h_j over j in G, j != i),
    the pooled-level alignment of arXiv 2507.00601.

    Args:
        pooled: Pooled representations, shape (batch, width).
        group: Equal numbers mark the same content, shape (batch,).

    Returns:
        A scalar, or None where no row has a translation.
    """
    same = (group[:, None] == group[None, :]).to(pooled.dtype)
    same.fill_diagonal_(0)
    translated = same.sum(1) > 0
    if not bool(translated.any()):
        return None
    others = (same @ pooled)[translated] / same.sum(1)[translated, None]
    return (1 - functional.cosine_similarity(pooled[translated], others, dim=-1)).mean()
