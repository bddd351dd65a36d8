"""Pairs that look alike and mean something else: two spans of a kind change places (Zhang et al. 2019, PAWS)."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from ...data.examples import Pair
from ..alike import Likeness, Sentence, alike
from ..examples import Made, identity
from ..lexicon import induce
from ..text import Document, Frequencies, Segmenter, exchanged
from ..vectors import WordVectors
from .inputs import Generator, Inputs
from .roundtrips import Paraphrases, paraphrases, reworded

_COMMAS = ",،，、;؛；"


def swaps(
    documents: Iterator[Document],
    lang: str,
    frequencies: Frequencies,
    vectors: WordVectors,
    rng: np.random.Generator,
) -> Iterator[Made]:
    """Yields pairs of a sentence and itself with two spans exchanged, labelled 0, at most one a sentence.

    Args:
        documents: Running text.
        lang: Its language.
        frequencies: How common words are: function words are not exchanged.
        vectors: Of words.
        rng: Chooses among the spans of a sentence.

    Yields:
        Pairs scored by the cosine of the two spans.
    """
    for sentence, likenesses in alike(documents, frequencies, vectors):
        allowed = [found for found in likenesses if not _listed(sentence, found, frequencies)]
        if allowed:
            first, second, cosine = allowed[rng.integers(len(allowed))]
            swapped = exchanged(sentence.text, first, second)
            yield Made(Pair(identity("swaps", sentence.where, swapped), lang, sentence.text, swapped, 0), cosine)


def reworded_swaps(
    swapped: Iterable[Made],
    segmenter: Segmenter,
    frequencies: Frequencies,
    table: Paraphrases,
    vectors: WordVectors,
    rng: np.random.Generator,
) -> Iterator[Made]:
    """Yields swaps whose second sentence takes a round trip too.

    A sentence and its swap are of the same words, a sentence and its paraphrase are not: beside `round_trips`, plain
    swaps are told from them by the words alone, whatever their order.

    Args:
        swapped: Of `swaps`.
        segmenter: Finds words.
        frequencies: How common words are: function words are not replaced.
        table: See `lrc.pseudo.generators.roundtrips.paraphrases`.
        vectors: Of words.
        rng: Chooses the words.

    Yields:
        Pairs scored by the lesser of the cosines of the exchanged spans and of a word and its replacement.
    """
    pairs = ((made.example, made.score) for made in swapped if isinstance(made.example, Pair))
    sentences = (((pair, score), pair.second, segmenter.words(pair.second)) for pair, score in pairs)
    for (pair, score), _, second, cosine in reworded(sentences, frequencies, table, vectors, rng):
        yield Made(replace(pair, id=identity("swaps", pair.id, second), second=second), min(score, cosine))


def _listed(sentence: Sentence, likeness: Likeness, frequencies: Frequencies) -> bool:
    """Whether two spans are members of a list, in which their order means nothing: "A and B" is "B and A"."""
    first, second, _ = likeness
    if all(map(frequencies.is_common, sentence.between(first, second))):
        return True
    between = sentence.text[first.end : second.start].strip()
    return between[0] in _COMMAS and between[-1] in _COMMAS


def _make(inputs: Inputs) -> Iterator[Made]:
    return swaps(inputs.documents(), inputs.lang, inputs.frequencies, inputs.vectors, inputs.rng)


def _reworded(inputs: Inputs) -> Iterator[Made]:
    table = paraphrases(*induce(inputs.pairs(), inputs.segmenter, inputs.vectors))
    return reworded_swaps(_make(inputs), inputs.segmenter, inputs.frequencies, table, inputs.vectors, inputs.rng)


GENERATOR = Generator(make=_make, translated=_reworded)
