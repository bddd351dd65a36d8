"""Paraphrases by a round trip through parallel text (Bannard and Callison-Burch 2005).

Two words of a language that share a translation mean much the same: p(other | word) is the sum over their translations
of p(translation | word) p(other | translation). Where the other word also fits its place, in the backbone's space, it
replaces the word.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np

from ...data.examples import Pair
from ..alike import CONTENT, FEWEST_WORDS, MOST_WORDS
from ..examples import Made, identity
from ..lexicon import Lexicon, induce
from ..text import Document, Frequencies, Span, batches, replaced, span_after
from ..vectors import WordVectors
from .inputs import Generator, Inputs

# Least probability of a paraphrase, and least cosine of the word and its paraphrase in the same place.
_LEAST_SHARE = 0.1
_LEAST_COSINE = 0.7
_MOST_REPLACED = 3
_BATCH = 32

Paraphrases = dict[str, list[tuple[str, float]]]
Key = TypeVar("Key")


def paraphrases(forth: Lexicon, back: Lexicon) -> Paraphrases:
    """Returns for each word, case-folded, others that share a translation, and their probabilities."""
    table = {}
    for word, translations in forth.items():
        shares: dict[str, float] = defaultdict(float)
        for translation, share in translations:
            for other, returned in back.get(translation.casefold(), []):
                if other.casefold() != word:
                    shares[other] += share * returned
        kept = [
            (other, share)
            for other, share in sorted(shares.items(), key=lambda item: -item[1])
            if share >= _LEAST_SHARE
        ]
        if kept:
            table[word] = kept
    return table


def round_trips(
    documents: Iterator[Document],
    lang: str,
    frequencies: Frequencies,
    table: Paraphrases,
    vectors: WordVectors,
    rng: np.random.Generator,
) -> Iterator[Made]:
    """Yields pairs of a sentence and itself with some words replaced by paraphrases, labelled 1.

    Args:
        documents: Running text.
        lang: Its language.
        frequencies: How common words are: function words are not replaced.
        table: See `paraphrases`.
        vectors: Of words.
        rng: Chooses the words.

    Yields:
        Pairs scored by the least cosine of a word and its replacement.
    """
    sentences = (
        (document.where, sentence.of(document.text), [word.moved(-sentence.start) for word in words])
        for document in documents
        for sentence in document.whole_sentences()
        if FEWEST_WORDS <= len(words := document.words_of(sentence)) <= MOST_WORDS
    )
    for where, text, second, cosine in reworded(sentences, frequencies, table, vectors, rng):
        yield Made(Pair(identity("roundtrips", where, second), lang, text, second, 1), cosine)


def reworded(
    sentences: Iterable[tuple[Key, str, list[Span]]],
    frequencies: Frequencies,
    table: Paraphrases,
    vectors: WordVectors,
    rng: np.random.Generator,
) -> Iterator[tuple[Key, str, str, float]]:
    """Replaces some words of sentences by paraphrases, and leaves out the sentences in which none fits.

    Args:
        sentences: Each with what the caller knows it by, and with its words.
        frequencies: How common words are: function words are not replaced.
        table: See `paraphrases`.
        vectors: Of words.
        rng: Chooses the words.

    Yields:
        What the caller knows the sentence by, the sentence before and after, and the least cosine of a word and its
        replacement.
    """
    for batch in batches(sentences, _BATCH):
        found = [(key, text, c) for key, text, words in batch if (c := _changes(text, words, frequencies, table, rng))]
        if not found:
            continue
        texts = [text for _, text, _ in found]
        old = [[word for word, _ in changes] for *_, changes in found]
        changed = [_replace(text, changes) for _, text, changes in found]
        new = [[span_after(word, changes) for word, _ in changes] for *_, changes in found]
        units = zip(vectors(texts, old), vectors(changed, new), strict=True)
        for (key, text, changes), (before, after) in zip(found, units, strict=True):
            cosines = np.einsum("ij,ij->i", before, after)
            fits = [index for index, cosine in enumerate(cosines) if cosine >= _LEAST_COSINE]
            if fits:
                yield key, text, _replace(text, [changes[index] for index in fits]), float(cosines[fits].min())


def _changes(
    sentence: str, words: list[Span], frequencies: Frequencies, table: Paraphrases, rng: np.random.Generator
) -> list[tuple[Span, str]]:
    """Returns words of a sentence, and what is to stand there instead."""
    found = []
    for word in words:
        text = word.of(sentence)
        if text.casefold() in table and CONTENT.fullmatch(text) and not frequencies.is_common(text):
            others = table[text.casefold()]
            other = others[rng.integers(len(others))][0]
            if CONTENT.fullmatch(other):
                found.append((word, other))
    picked = rng.permutation(len(found))[:_MOST_REPLACED]
    return [found[index] for index in sorted(picked)]


def _replace(text: str, changes: list[tuple[Span, str]]) -> str:
    return replaced(text, Span(0, len(text)), changes)


def _make(inputs: Inputs) -> Iterator[Made]:
    table = paraphrases(*induce(inputs.pairs(), inputs.segmenter, inputs.vectors))
    return round_trips(inputs.documents(), inputs.lang, inputs.frequencies, table, inputs.vectors, inputs.rng)


GENERATOR = Generator(translated=_make)
