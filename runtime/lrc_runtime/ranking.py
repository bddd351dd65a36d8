"""Which windows of a long text are worth reading: those whose tokens are nearest to the question's."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from .encoding import Ints, ModelInput, Tokens

Floats = npt.NDArray[np.float32]
# Token ids of shape (1, n) to their embeddings, (1, n, width).
Lookup = Callable[[Ints], Floats]

# Cosine from which a token counts as being the question's own.
_SAME = 0.99


def rank_windows(lookup: Lookup, question: Tokens, windows: Sequence[ModelInput]) -> list[int]:
    """Orders windows by late interaction (Khattab and Zaharia 2020) in the backbone's table of embeddings.

    For each token of the question the largest cosine with a token of the window, weighted by how few of the windows
    hold the token itself, summed: with df windows of n, log(1 + n / (1 + df)). No layer of the model runs.

    Args:
        lookup: Looks embeddings up.
        question: Tokens of the question.
        windows: Windows of one text.

    Returns:
        Indices of the windows, the nearest first.
    """
    if not len(question.ids) or not windows:
        return list(range(len(windows)))
    texts = [window.input_ids[window.context_start : window.context_start + len(window.offsets)] for window in windows]
    known, places = np.unique(np.concatenate(texts), return_inverse=True)
    similar = _unit(lookup(question.ids[None])[0]) @ _unit(lookup(known[None])[0]).T
    starts = np.cumsum([0, *map(len, texts[:-1])])
    nearest = np.stack([np.maximum.reduceat(row[places], starts) for row in similar])
    holding = (nearest > _SAME).sum(axis=1)
    weights = np.log(1 + len(windows) / (1 + holding))
    return [int(index) for index in np.argsort(-(weights @ nearest), kind="stable")]


def _unit(vectors: Floats) -> Floats:
    result: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
    return result
