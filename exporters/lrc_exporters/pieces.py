"""Types of tokenizers whose vocabulary can be cut, one record each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

_DIGITS = 4

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pieces:
    """How one type of tokenizer holds its pieces.

    Attributes:
        frequencies: Returns from the tokenizer's model and the number of ids how frequent each piece was in the text
            that the tokenizer was made of, up to a factor.
        cut: Keeps some pieces of the tokenizer's model, in place: old ids to new ones, in the same order.
    """

    frequencies: Callable[[dict[str, Any], int], Floats]
    cut: Callable[[dict[str, Any], dict[int, int]], None]


def by_rank(model: dict[str, Any], size: int) -> Floats:
    """A vocabulary in order of falling frequency, which falls as Zipf's law has it."""
    ranks: Floats = 1 / np.arange(1.0, size + 1)
    return ranks


def _by_score(model: dict[str, Any], size: int) -> Floats:
    frequencies = by_rank(model, size)
    frequencies[: len(model["vocab"])] = np.exp([score for _, score in model["vocab"]])
    return frequencies


def _cut_unigram(model: dict[str, Any], new: dict[int, int]) -> None:
    # Seventeen digits of a score take as much room as all else; four tell any two segmentations apart.
    pieces = [entry for index, entry in enumerate(model["vocab"]) if index in new]
    model["vocab"] = [[piece, round(score, _DIGITS)] for piece, score in pieces]
    if model["unk_id"] is not None:
        model["unk_id"] = new[model["unk_id"]]


def _cut_wordpiece(model: dict[str, Any], new: dict[int, int]) -> None:
    model["vocab"] = {piece: new[index] for piece, index in model["vocab"].items() if index in new}


# By the type that tokenizer.json names.
PIECES = {"Unigram": Pieces(_by_score, _cut_unigram), "WordPiece": Pieces(by_rank, _cut_wordpiece)}
