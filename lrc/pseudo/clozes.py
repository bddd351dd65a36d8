"""Cloze questions about names, numbers and dates, found by rules for each kind of script.

The sentence that holds the answer is the question, with the answer blanked and some of its words left out, so that it
is not found by its words alone; the whole passage is the context.
"""

from collections.abc import Iterator

import numpy as np
import regex

from ..data.passages import Passage
from .questions import BLANK, PseudoQuestion, identity
from .text import Frequencies, Span, is_unsegmented, sentence_of, sentences, words

# Words of a question that are left out, and words that must be left beside the blank.
_DROPPED = 0.25
_FEWEST_LEFT = 4
_MOST_A_PASSAGE = 3
_COMMON = 0.05
_LONGEST = 60

_MONTH = r"\p{L}[\p{L}\p{M}]+"
_DATES = regex.compile(
    r"\p{Nd}{1,4}\s?[年년](?:\s?\p{Nd}{1,2}\s?[月월](?:\s?\p{Nd}{1,2}\s?[日일])?)?"
    r"|\p{Nd}{1,2}\s?[月월]\s?\p{Nd}{1,2}\s?[日일]"
    rf"|\b\p{{Nd}}{{1,2}}\.?\s(?:de\s)?{_MONTH}\s(?:de\s)?\p{{Nd}}{{4}}\b"
    rf"|\b{_MONTH}\s\p{{Nd}}{{1,2}},\s\p{{Nd}}{{4}}\b"
    r"|\b\p{Nd}{1,4}[-/.]\p{Nd}{1,2}[-/.]\p{Nd}{1,4}\b"
)
_NUMBERS = regex.compile(r"(?<![\p{L}\p{N}])\p{Nd}+(?:[.,٫٬]\p{Nd}+)*(?:\s?[%٪])?(?![\p{Nd}])")
# Scripts with capitals: words that begin with one, not at the beginning of the sentence.
_CAPITALISED = regex.compile(
    r"\b\p{Lu}[\p{L}\p{M}'’-]+(?:\s(?:(?:de|da|do|di|del|der|van|von|bin|al|of)\s)?\p{Lu}[\p{L}\p{M}'’.-]+){0,3}"
)
# Without capitals a name shows itself where it is quoted, put into another script, or joined by a middle dot.
_QUOTED = regex.compile(r"(?<=[«„“「『《\"])[^«»„“”「」『』《》\"]{2,40}(?=[»“”」』》\"])")
_FOREIGN = regex.compile(
    r"\p{Script=Latin}[\p{Script=Latin}\p{M}\p{Nd}.'’-]*(?:\s\p{Script=Latin}[\p{Script=Latin}\p{M}\p{Nd}.'’-]*){0,3}"
)
_DOTTED = regex.compile(r"[\p{Script=Han}\p{Script=Katakana}ー]+(?:[·・‧][\p{Script=Han}\p{Script=Katakana}ー]+)+")
_KATAKANA = regex.compile(r"[\p{Script=Katakana}ー]{3,}")
_CASED = regex.compile(r"[\p{Lu}\p{Ll}]")


def clozes(
    passages: Iterator[Passage], lang: str, frequencies: Frequencies, rng: np.random.Generator
) -> Iterator[PseudoQuestion]:
    """Yields cloze questions.

    Args:
        passages: Running text.
        lang: Its language.
        frequencies: How common words are; the passages are not added to it here.
        rng: Chooses answers and the words left out.

    Yields:
        Questions scored by how rare the answer's words are, 0 to 1.
    """
    for passage in passages:
        text = passage.text
        bounds = sentences(text)
        if len(bounds) < 2:
            continue
        found = list(_answers(text, bounds, frequencies))
        made = 0
        asked: set[int] = set()
        for index in rng.permutation(len(found)):
            answer = found[index]
            number = sentence_of(bounds, answer.start)
            # An answer that stands elsewhere too would make that place look wrong.
            if number in asked or text.count(answer.of(text)) > 1:
                continue
            question = _question(text, bounds[number], answer, rng)
            if question is None:
                continue
            asked.add(number)
            made += 1
            score = _rarity(answer.of(text), frequencies)
            place = (answer.of(text), answer.start)
            yield PseudoQuestion(
                identity("clozes", passage.where, question), lang, question, text, (place,), "clozes", score
            )
            if made == _MOST_A_PASSAGE:
                break


def _answers(text: str, bounds: list[Span], frequencies: Frequencies) -> Iterator[Span]:
    """Yields names, numbers and dates that do not overlap, the longer kinds first."""
    taken: list[Span] = []
    beginnings = {span.start for span in bounds}
    letters = regex.findall(r"\p{L}", text)
    cased = bool(letters) and sum(map(bool, map(_CASED.match, letters))) > len(letters) / 2
    names = (_QUOTED, _CAPITALISED) if cased else (_QUOTED, _DOTTED, _KATAKANA, _FOREIGN)
    for pattern in (_DATES, *names, _NUMBERS):
        for match in pattern.finditer(text):
            span = Span(*match.span())
            if len(match.group()) > _LONGEST or any(a.start < span.end and span.start < a.end for a in taken):
                continue
            number = sentence_of(bounds, span.start)
            if number < 0 or span.end > bounds[number].end:
                continue
            if pattern is _CAPITALISED and (span.start in beginnings or _is_common(match.group(), frequencies)):
                continue
            taken.append(span)
            yield span


def _is_common(name: str, frequencies: Frequencies) -> bool:
    return all(frequencies.share(word.casefold()) >= _COMMON for word in name.split())


def _rarity(answer: str, frequencies: Frequencies) -> float:
    keys = [span.of(answer).casefold() for span in words(answer)] or [answer]
    return sum(map(frequencies.rarity, keys)) / len(keys) / max(frequencies.rarity(""), 1e-9)


def _question(text: str, sentence: Span, answer: Span, rng: np.random.Generator) -> str | None:
    """Returns the sentence with the answer blanked and a share of its other words left out."""
    tokens = [
        token
        for token in words(text)
        if sentence.start <= token.start
        and token.end <= sentence.end
        and (token.end <= answer.start or token.start >= answer.end)
    ]
    # Without spaces a token is a single character: to leave out some of these would only garble the text.
    fixed = np.array([is_unsegmented(token.of(text)) for token in tokens], dtype=bool)
    kept = (rng.random(len(tokens)) >= _DROPPED) | fixed
    if kept.sum() < _FEWEST_LEFT:
        return None
    parts = []
    place = sentence.start
    for token, keep in zip(tokens, kept, strict=True):
        if place <= answer.start < token.start:
            parts += [text[place : answer.start], BLANK]
            place = answer.end
        parts.append(text[place : token.start])
        if keep:
            parts.append(token.of(text))
        place = token.end
    if place <= answer.start:
        parts += [text[place : answer.start], BLANK]
        place = answer.end
    parts.append(text[place : sentence.end])
    return " ".join("".join(parts).split())
