"""Sentences and words of running text in any script, and how common a word is."""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, TypeVar

import regex
from tokenizers import Tokenizer

from ..data.passages import Passage

# Scripts that put no spaces between words: there a word is a run of characters (Han) or clusters.
_UNSEGMENTED = "".join(
    rf"\p{{Script={script}}}" for script in ("Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar")
)
_WORD = regex.compile(
    # Thai and Lao write some vowels before their consonant, and some behind it, as letters of their own.
    rf"\p{{Script=Katakana}}[\p{{Script=Katakana}}ー]*|(?P<cluster>[\u0e40-\u0e44\u0ec0-\u0ec4]?[{_UNSEGMENTED}]\p{{M}}*[\u0e30\u0e32\u0e33\u0e45\u0eb0\u0eb2\u0eb3]*)"
    + rf"|[[\p{{L}}\p{{N}}\p{{M}}]--[{_UNSEGMENTED}]]+(?:[.,'’:-][[\p{{L}}\p{{N}}\p{{M}}]--[{_UNSEGMENTED}]]+)*",
    regex.V1,
)
# A full stop ends a sentence where a space and no small letter follow; other scripts' stops always do.
_STOP = regex.compile(r"(?:[.!?]+[\"'”’»)\]]*(?=\s+[^\p{Ll}])|[。！？｡]+[”’」』）]*|[।॥؟۔።፧]+|\n+)")
_STOPPED = regex.compile(r"[.!?。！？｡।॥؟۔።፧][\"'”’»)\]」』）]*$")
_ABBREVIATION = regex.compile(
    r"(?:^|[\s(.])(?:\p{L}|\p{N}{1,3}|(?i:bzw|ca|dr|etc|inc|jr|mr|mrs|ms|no|nr|prof|sra?|st|vs))\.$"
)
# Text without any stop, such as Thai, is cut at the spaces, which there stand between clauses.
_LONGEST_SENTENCE = 250
# Shares among fewer passages say nothing about a language.
_FEWEST_PASSAGES = 50
# Words that more passages hold are function words.
_COMMON = 0.05


class Span(NamedTuple):
    """Code points `start` to `end` of a text."""

    start: int
    end: int

    def of(self, text: str) -> str:
        """Returns the span's text."""
        return text[self.start : self.end]

    def moved(self, by: int) -> "Span":
        """Returns the span moved by a number of code points."""
        return Span(self.start + by, self.end + by)

    def overlaps(self, other: "Span") -> bool:
        """Whether the two share a code point."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True)
class Document:
    """A passage with its words and sentences."""

    text: str
    where: str
    words: list[Span]
    sentences: list[Span]

    def words_of(self, sentence: Span) -> list[Span]:
        """Returns the words inside a sentence."""
        return self.words[bisect_right(self.words, (sentence.start, -1)) : bisect_right(self.words, (sentence.end, -1))]

    def whole_sentences(self) -> Iterator[Span]:
        """Yields the sentences that were not cut for their length; in text without any stop all count as whole."""
        stopped = [bool(_STOPPED.search(sentence.of(self.text))) for sentence in self.sentences]
        for index, sentence in enumerate(self.sentences):
            if not any(stopped) or (stopped[index] and (index == 0 or stopped[index - 1])):
                yield sentence


class Segmenter:
    """Finds words: by spaces and punctuation, and in scripts without spaces by the backbone's pieces.

    Args:
        tokenizer: The backbone's. What it takes for one piece of such a script is mostly a word or a part of one.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def document(self, passage: Passage) -> Document:
        """Analyses a passage."""
        return Document(passage.text, passage.where, self.words(passage.text), sentences(passage.text))

    def words(self, text: str) -> list[Span]:
        """Returns the words of a text in order."""
        found: list[Span] = []
        cuts: set[int] | None = None
        joins = False
        for match in _WORD.finditer(text):
            span = Span(*match.span())
            cluster = match["cluster"] is not None
            if cluster and cuts is None:
                pieces = self._tokenizer.encode(text, add_special_tokens=False).offsets
                cuts = {start for start, _ in pieces}
            if cluster and joins and found[-1].end == span.start and cuts is not None and span.start not in cuts:
                found[-1] = Span(found[-1].start, span.end)
            else:
                found.append(span)
            joins = cluster
        return found


def sentences(text: str) -> list[Span]:
    """Returns the sentences of a text, without the white space around them."""
    ends = []
    for match in _STOP.finditer(text):
        if text[match.start()] != "." or not _ABBREVIATION.search(text[max(0, match.start() - 6) : match.start() + 1]):
            ends.append(match.end())
    found: list[Span] = []
    start = 0
    for end in [*ends, len(text)]:
        found += _trimmed(text, start, end)
        start = end
    return found


def _trimmed(text: str, start: int, end: int) -> Iterator[Span]:
    while end - start > _LONGEST_SENTENCE:
        space = text.find(" ", start + _LONGEST_SENTENCE // 2, end)
        if space < 0:
            break
        yield from _trimmed(text, start, space)
        start = space
    piece = text[start:end]
    left = start + len(piece) - len(piece.lstrip())
    right = start + len(piece.rstrip())
    if right > left:
        yield Span(left, right)


def sentence_of(bounds: Sequence[Span], place: int) -> int:
    """Returns the index of the sentence that a code point stands in, -1 where it stands in none."""
    index = bisect_right(bounds, place, key=lambda span: span.start) - 1
    return index if index >= 0 and place < bounds[index].end else -1


def replaced(text: str, within: Span, changes: Iterable[tuple[Span, str]]) -> str:
    """Returns a part of a text in which spans that do not overlap are replaced."""
    parts = []
    place = within.start
    for span, new in sorted(changes):
        parts += [text[place : span.start], new]
        place = span.end
    return "".join([*parts, text[place : within.end]])


def span_after(span: Span, changes: Iterable[tuple[Span, str]]) -> Span:
    """Returns where a span stands after changes that lie inside or outside of it."""
    grown = [(word, len(new) - (word.end - word.start)) for word, new in changes]
    before = sum(by for word, by in grown if word.end <= span.start)
    return Span(span.start + before, span.end + before + sum(by for word, by in grown if word.overlaps(span)))


def exchanged(text: str, first: Span, second: Span) -> str:
    """Returns a text in which two spans have changed places."""
    return replaced(text, Span(0, len(text)), [(first, second.of(text)), (second, first.of(text))])


class Frequencies:
    """In how many passages a word occurs, over the passages seen so far, in bounded memory.

    Words that have been seen least are forgotten when the table is full, as in lossy counting (Manku and Motwani
    2002). Words are compared without regard to letter case.
    """

    def __init__(self, most: int = 200_000) -> None:
        self._most = most
        self._counts: Counter[str] = Counter()
        self.passages = 0

    def add(self, document: Document) -> None:
        """Counts the words of one passage."""
        self.passages += 1
        self._counts.update({word.of(document.text).casefold() for word in document.words})
        while len(self._counts) > self._most:
            least = min(self._counts.values())
            self._counts = Counter({key: count for key, count in self._counts.items() if count > least})

    def is_common(self, word: str) -> bool:
        """Whether a word stands in so many passages that it must be a function word."""
        return self._counts[word.casefold()] >= _COMMON * max(_FEWEST_PASSAGES, self.passages)

    def rarity(self, words: Iterable[str]) -> float:
        """Returns how rare words are on average, 0 (in every passage) to 1 (in none).

        That is their inverse document frequency, log((1 + passages) / (1 + passages that hold the word)), over that of
        a word that was never seen.
        """
        counts = [self._counts[word.casefold()] for word in words]
        total = math.log(1 + max(1, self.passages))
        return sum(1 - math.log(1 + count) / total for count in counts) / max(1, len(counts))


T = TypeVar("T")


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yields items in lists of a size, the last one shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


_UNSEGMENTED_LETTER = regex.compile(rf"[{_UNSEGMENTED}]")


def is_unsegmented(word: str) -> bool:
    """Whether a word is of a script that puts no spaces between words."""
    return bool(_UNSEGMENTED_LETTER.match(word))
