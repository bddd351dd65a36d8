"""The knowledge-alignment term: the same content in two languages gets the same representation."""

import torch
from torch.nn import functional


def alignment_loss(pooled: torch.Tensor, translations: torch.Tensor) -> torch.Tensor | None:
    """Mean cosine distance of each row from the mean of its translations.

    For a row h_i with translations T(i) in the batch the term is 1 - cos(h_i, mean of h_j over j in T(i)),
    the pooled-level alignment of arXiv 2507.00601.

    Args:
        pooled: Pooled representations, shape (batch, width).
        translations: True where two rows are the same content in two languages, shape (batch, batch).

    Returns:
        A scalar, or None where no row has a translation.
    """
    counts = translations.sum(1)
    rows = counts > 0
    if not bool(rows.any()):
        return None
    # Autocast would take the product in bfloat16, too coarse for distances near zero.
    with torch.autocast(pooled.device.type, enabled=False):
        others = (translations.to(pooled.dtype) @ pooled)[rows] / counts[rows, None]
    return (1 - functional.cosine_similarity(pooled[rows], others, dim=-1)).mean()
