"""Spans of a sentence that could stand in each other's place: entities of a kind, and words that are alike."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import regex

from .entities import entities
from .text import Document, Frequencies, Span, batches, sentence_of
from .vectors import Floats, WordVectors

# Least cosine of two entities of a kind, and of two other words.
_LEAST_ENTITIES = 0.15
_LEAST_WORDS = 0.5
# Sentences of fewer words have nothing to change; longer ones are rarely one sentence.
FEWEST_WORDS = 6
MOST_WORDS = 40
_BATCH = 32
WORD = "word"
# A word in small letters, or of a script without capitals, that is long enough to have a meaning of its own.
CONTENT = regex.compile(r"\p{Ll}[\p{Ll}\p{M}]{2,}|\p{Lo}[\p{Lo}\p{M}]+")


class Sentence(NamedTuple):
    """A sentence, its words, and the spans in it that may change places, with their kinds."""

    text: str
    where: str
    words: list[Span]
    spans: list[Span]
    kinds: list[str]

    def kind(self, span: Span) -> str:
        """Returns the kind of a span that may change places."""
        return self.kinds[self.spans.index(span)]

    def between(self, first: Span, second: Span) -> list[str]:
        """Returns the words between two spans."""
        inside = (word for word in self.words if first.end <= word.start and word.end <= second.start)
        return [word.of(self.text) for word in inside]


class Likeness(NamedTuple):
    """Two spans that are alike, the first before the second, and their cosine."""

    first: Span
    second: Span
    cosine: float


def alike(
    documents: Iterator[Document], frequencies: Frequencies, vectors: WordVectors
) -> Iterator[tuple[Sentence, list[Likeness]]]:
    """Yields the sentences of usual length, and the spans of each that are alike but not the same.

    Args:
        documents: Running text.
        frequencies: How common words are: function words are never taken.
        vectors: Of spans.
    """
    found = (sentence for document in documents for sentence in _sentences(document, frequencies))
    for batch in batches(found, _BATCH):
        units = vectors([sentence.text for sentence in batch], [sentence.spans for sentence in batch])
        for sentence, unit in zip(batch, units, strict=True):
            yield sentence, list(_pairs(sentence, unit))


def _sentences(document: Document, frequencies: Frequencies) -> Iterator[Sentence]:
    found: dict[int, list[tuple[Span, str]]] = defaultdict(list)
    for kind, span in entities(document, frequencies):
        found[sentence_of(document.sentences, span.start)].append((span, kind))
    for sentence in document.whole_sentences():
        words = document.words_of(sentence)
        if not FEWEST_WORDS <= len(words) <= MOST_WORDS:
            continue
        named = found[sentence_of(document.sentences, sentence.start)]
        candidates = (
            named
            + [
                (word, WORD)
                for word in words
                if CONTENT.fullmatch(word.of(document.text))
                # Half a compound, as in "Vor- und Nachteile", is no word.
                and document.text[word.end : word.end + 1] not in ("-", "‑")
                and not frequencies.is_common(word.of(document.text))
                and not any(word.overlaps(span) for span, _ in named)
            ]
        )
        candidates.sort()
        yield Sentence(
            sentence.of(document.text),
            document.where,
            [word.moved(-sentence.start) for word in words],
            [span.moved(-sentence.start) for span, _ in candidates],
            [kind for _, kind in candidates],
        )


def _pairs(sentence: Sentence, unit: Floats) -> Iterator[Likeness]:
    for i, j in combinations(range(len(sentence.spans)), 2):
        first, second = sentence.spans[i], sentence.spans[j]
        least = _LEAST_WORDS if sentence.kinds[i] == WORD else _LEAST_ENTITIES
        cosine = float(unit[i] @ unit[j])
        if sentence.kinds[i] != sentence.kinds[j] or cosine < least:
            continue
        a, b = first.of(sentence.text).casefold(), second.of(sentence.text).casefold()
        if a not in b and b not in a:
            yield Likeness(first, second, cosine)
