"""Sentences and words of running text in any script, and how common a word is."""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import regex

# Scripts that put no spaces between words: there a run of letters is cut into characters (Han) or clusters.
_UNSEGMENTED = "".join(
    rf"\p{{Script={script}}}" for script in ("Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar")
)
_WORD = regex.compile(
    r"\p{Script=Katakana}[\p{Script=Katakana}ー]*"
    # Thai and Lao write some vowels before their consonant, and some behind it, as letters of their own.
    + rf"|[\u0e40-\u0e44\u0ec0-\u0ec4]?[{_UNSEGMENTED}]\p{{M}}*[\u0e30\u0e32\u0e33\u0e45\u0eb0\u0eb2\u0eb3]*"
    + rf"|[[\p{{L}}\p{{N}}\p{{M}}]--[{_UNSEGMENTED}]]+(?:[.,'’:-][[\p{{L}}\p{{N}}\p{{M}}]--[{_UNSEGMENTED}]]+)*",
    regex.V1,
)
# A full stop ends a sentence where a space and no small letter follow; other scripts' stops always do.
_STOP = regex.compile(r"(?:[.!?]+[\"'”’»)\]]*(?=\s+[^\p{Ll}])|[。！？｡]+[”’」』）]*|[।॥؟۔።፧]+|\n+)")
_ABBREVIATION = regex.compile(
    r"(?:^|[\s(.])(?:\p{L}|\p{N}{1,3}|(?i:bzw|ca|dr|etc|inc|jr|mr|mrs|ms|no|nr|prof|sra?|st|vs))\.$"
)
# Text without any stop, such as Thai, is cut at the spaces, which there stand between clauses.
_LONGEST_SENTENCE = 250
# Shares among fewer passages say nothing about a language.
_FEWEST_PASSAGES = 50


@dataclass(frozen=True)
class Span:
    """Code points `start` to `end` of a text."""

    start: int
    end: int

    def of(self, text: str) -> str:
        """Returns the span's text."""
        return text[self.start : self.end]


def words(text: str) -> list[Span]:
    """Returns the words of a text; in scripts without spaces its characters with their marks, or runs of Katakana."""
    return [Span(*match.span()) for match in _WORD.finditer(text)]


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
    index = bisect_right([span.start for span in bounds], place) - 1
    return index if index >= 0 and place < bounds[index].end else -1


class Frequencies:
    """In how many passages a word occurs, over the passages seen so far, in bounded memory.

    Words that have been seen once are forgotten when the table is full, as in lossy counting (Manku and Motwani 2002).
    """

    def __init__(self, most: int = 200_000) -> None:
        self._most = most
        self._counts: Counter[str] = Counter()
        self.passages = 0

    def add(self, keys: set[str]) -> None:
        """Counts the words of one passage."""
        self.passages += 1
        self._counts.update(keys)
        while len(self._counts) > self._most:
            least = min(self._counts.values())
            self._counts = Counter({key: count for key, count in self._counts.items() if count > least})

    def share(self, key: str) -> float:
        """Returns the share of passages that hold a word."""
        return self._counts[key] / max(_FEWEST_PASSAGES, self.passages)

    def rarity(self, key: str) -> float:
        """Returns the inverse document frequency: log((1 + passages) / (1 + passages that hold the word))."""
        return math.log((1 + self.passages) / (1 + self._counts[key]))


_UNSEGMENTED_LETTER = regex.compile(rf"[{_UNSEGMENTED}]")


def is_unsegmented(word: str) -> bool:
    """Whether a word is of a script that puts no spaces between words."""
    return bool(_UNSEGMENTED_LETTER.match(word))


def keys(folded: Sequence[str]) -> set[str]:
    """Returns what `Frequencies` counts of words in order: the words, and pairs of neighbours without spaces."""
    pairs = {a + b for a, b in pairwise(folded) if is_unsegmented(a) and is_unsegmented(b)}
    return set(folded) | pairs
