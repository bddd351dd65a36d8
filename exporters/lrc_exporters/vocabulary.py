"""Vocabulary: the pieces that some languages use, cut out of the tokenizer and the embedding table together.

Most of a small multilingual model is the embedding table, and most of its rows are pieces of other languages.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np
import numpy.typing as npt
import regex
import torch
from tokenizers import Tokenizer
from torch import nn

from lrc_runtime.errors import LrcError

from .pieces import PIECES, by_rank

Ids = npt.NDArray[np.int64]

_TEXTS_AT_ONCE = 1024
# What begins a word (Metaspace) or continues one (WordPiece) and is no character of it.
_MARKS = regex.compile(r"^(▁|##)")
_BYTE = regex.compile(r"<0x[0-9A-F]{2}>")
_SHARED = ("Common", "Inherited")
# What is known of a language's scripts counts as much as so many pieces of its text.
_PRIOR = 10_000


class VocabularyError(LrcError):
    """A tokenizer cannot be trimmed as asked."""


@dataclass(frozen=True)
class Sample:
    """Text in a language, or in several.

    Attributes:
        scripts: Unicode names of the scripts that it is written in.
        texts: The text, which each task of a bundle reads once; None where there is none and the scripts alone tell.
    """

    scripts: frozenset[str]
    texts: Iterable[str] | None = None


@dataclass(frozen=True)
class Choice:
    """What a vocabulary is trimmed for.

    Attributes:
        samples: Of the languages that the bundle serves.
        most: Pieces to keep: those that are the largest share of any language.
    """

    samples: Sequence[Sample]
    most: int


def kept_pieces(tokenizer: Tokenizer, choice: Choice) -> Ids:
    """Chooses the pieces that stay.

    Those that are the largest share of any language. Digits, punctuation and symbols belong to all scripts. Every
    single character of the scripts stays, and so do the template's special tokens and all that lies before the last of
    them, so that their ids do not change.

    Args:
        tokenizer: The whole tokenizer.
        choice: Languages and texts.

    Returns:
        The ids that stay, ascending.
    """
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    frequencies = _frequencies(tokenizer, max(vocabulary.values()) + 1)
    bare = {index: _MARKS.sub("", piece) for piece, index in vocabulary.items()}
    kept = np.zeros(len(frequencies), bool)
    kept[list(tokenizer.get_added_tokens_decoder())] = True
    kept[: max(_fixed(tokenizer)) + 1] = True
    kept[[index for piece, index in vocabulary.items() if not bare[index] or _BYTE.fullmatch(piece)]] = True
    lettered = np.zeros(len(kept), bool)
    lettered[[index for index, piece in bare.items() if regex.search(r"\p{L}", piece)]] = True
    share = np.zeros(len(kept))
    for sample in choice.samples:
        inside = regex.compile("[" + "".join(rf"\p{{Script={name}}}" for name in (*sample.scripts, *_SHARED)) + "]+")
        own = np.array([index for index, piece in bare.items() if inside.fullmatch(piece)], np.int64)
        kept[[index for index in own if len(bare[index]) == 1]] = True
        # What the text is too short to show is as frequent as in all text of the scripts; what belongs to all scripts,
        # as in all text.
        expected, words = np.zeros(len(kept)), own[lettered[own]]
        expected[own] = frequencies[own] / frequencies.sum()
        expected[words] = frequencies[words] / frequencies[words].sum()
        counts = _count(tokenizer, sample.texts or (), len(kept))
        share = np.maximum(share, (counts + _PRIOR * expected) / (counts.sum() + _PRIOR))
    share[kept] = 0
    found = np.argsort(-share, kind="stable")[: np.count_nonzero(share)]
    kept[found[: max(0, choice.most - np.count_nonzero(kept))]] = True
    kept[~np.isin(np.arange(len(kept)), list(vocabulary.values()))] = False
    return np.flatnonzero(kept)


def _frequencies(tokenizer: Tokenizer, size: int) -> npt.NDArray[np.float64]:
    """Returns how frequent each piece was in the text that the tokenizer was made of, up to a factor."""
    model = json.loads(tokenizer.to_str())["model"]
    return PIECES[model["type"]].frequencies(model, size) if model["type"] in PIECES else by_rank(model, size)


def _count(tokenizer: Tokenizer, texts: Iterable[str], size: int) -> npt.NDArray[np.float64]:
    """Counts the pieces of a text."""
    counts, rest = np.zeros(size), iter(texts)
    while chunk := list(islice(rest, _TEXTS_AT_ONCE)):
        ids = [encoding.ids for encoding in tokenizer.encode_batch(chunk, add_special_tokens=False)]
        counts += np.bincount(np.fromiter(chain.from_iterable(ids), np.int64), minlength=size)
    return counts


def _fixed(tokenizer: Tokenizer) -> set[int]:
    """Returns the ids of the template's special tokens, of padding and of what is unknown."""
    encoding = tokenizer.encode("a", "b")
    special = {index for index, sequence in zip(encoding.ids, encoding.sequence_ids, strict=True) if sequence is None}
    named = (tokenizer.token_to_id(name) for name in ("<pad>", "[PAD]", "<unk>", "[UNK]"))
    return special | {index for index in named if index is not None}


def trim_tokenizer(tokenizer: Tokenizer, kept: Ids) -> Tokenizer:
    """Returns a tokenizer of the kept pieces, numbered anew in the same order.

    Raises:
        VocabularyError: If it is neither a Unigram nor a WordPiece tokenizer.
    """
    document = json.loads(tokenizer.to_str())
    model = document["model"]
    new = {int(old): index for index, old in enumerate(kept)}
    if model["type"] not in PIECES:
        raise VocabularyError(
            f"the tokenizer is of type {model['type']}; only {' and '.join(PIECES)} can be trimmed: export with"
            " `without` vocabulary"
        )
    PIECES[model["type"]].cut(model, new)
    for token in document["added_tokens"]:
        token["id"] = new[token["id"]]
    _renumber(document["post_processor"], new)
    return Tokenizer.from_str(json.dumps(document))


def _renumber(node: Any, new: dict[int, int]) -> None:
    """Gives the ids of a post-processor's special tokens their new numbers, in place."""
    if isinstance(node, list):
        for entry in node:
            _renumber(entry, new)
    elif isinstance(node, dict):
        for entry in (node.get("special_tokens") or {}).values():
            entry["ids"] = [new[index] for index in entry["ids"]]
        for name in ("sep", "cls"):
            if name in node:
                node[name][1] = new[node[name][1]]
        _renumber(node.get("processors"), new)


def trim_table(table: nn.Embedding, kept: Ids) -> None:
    """Keeps these rows of an embedding table, in place."""
    with torch.no_grad():
        table.weight = nn.Parameter(table.weight[torch.from_numpy(kept)].clone(), requires_grad=False)
    table.num_embeddings = len(kept)


@dataclass(frozen=True)
class Renumbering:
    """How ids change.

    Attributes:
        new: For each old id the new one; that of the unknown piece for those that are gone.
        known: For each old id itself, or the old id of the unknown piece for those that are gone.
    """

    new: Ids
    known: Ids


def renumber(kept: Ids, unknown: int, size: int) -> Renumbering:
    """Returns how ids change when these of `size` are kept, `unknown` among them."""
    new = np.full(size, int(np.searchsorted(kept, unknown)), np.int64)
    new[kept] = np.arange(len(kept))
    return Renumbering(new, kept[new])


def describe(tokenizer: Tokenizer, texts: list[str]) -> dict[str, float]:
    """Returns the share of a text's pieces that a tokenizer does not know, and its pieces a character."""
    unknown = next((i for name in ("<unk>", "[UNK]") if (i := tokenizer.token_to_id(name)) is not None), -1)
    ids = [encoding.ids for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]
    pieces, characters = sum(map(len, ids)), sum(map(len, texts))
    share = sum(row.count(unknown) for row in ids) / max(1, pieces)
    return {"unknown": round(share, 6), "pieces_a_character": round(pieces / max(1, characters), 4)}
