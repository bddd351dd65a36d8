"""Why an answer is not where its offset says, and where it is."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from .examples import Question


@dataclass(frozen=True)
class Repair:
    """Where an answer really stands.

    Attributes:
        cause: What made the offset or the text differ, as far as it can be told.
        text: The answer as it stands in the context.
        start: Its first code point.
    """

    cause: str
    text: str
    start: int


def diagnose(context: str, text: str, start: int) -> Repair | None:
    """Finds an answer that is not at its offset.

    Args:
        context: The context.
        text: The answer.
        start: The offset that was given for it.

    Returns:
        Where it is, with the likely cause; None where the context does not hold it in any form.
    """
    if not text.strip():
        return None
    places = list(_occurrences(context, text))
    for cause, counted in (
        ("UTF-16 offset", _from_utf16(context, start)),
        ("byte offset", _from_bytes(context, start)),
    ):
        if counted in places:
            return Repair(cause, text, counted)
    if places:
        return Repair("wrong offset", text, _nearest(places, start))
    spaced = r"\s*".join(re.escape(part) for part in text.split())
    matches = [(match.start(), match.group()) for match in re.finditer(spaced, context)]
    if matches:
        place = _nearest([place for place, _ in matches], start)
        return Repair("white space", dict(matches)[place], place)
    for cause, fold in (("Unicode normalisation", False), ("letter case", True)):
        spans = list(_normalised_occurrences(context, text, fold))
        if spans:
            begin = _nearest([begin for begin, _ in spans], start)
            return Repair(cause, context[begin : dict(spans)[begin]], begin)
    return None


def repair(question: Question) -> tuple[Question, list[str]] | None:
    """Puts every answer of a question where it stands.

    Returns:
        The question and the causes of what was wrong; None where an answer is not in the context at all.
    """
    answers, causes = [], []
    for text, start in question.answers:
        if text and start >= 0 and question.context[start : start + len(text)] == text:
            answers.append((text, start))
            continue
        found = diagnose(question.context, text, start)
        if found is None:
            return None
        answers.append((found.text, found.start))
        causes.append(found.cause)
    return replace(question, answers=tuple(answers)), causes


def _occurrences(context: str, text: str) -> Iterator[int]:
    place = context.find(text)
    while place >= 0:
        yield place
        place = context.find(text, place + 1)


def _normalised_occurrences(context: str, text: str, fold: bool) -> Iterator[tuple[int, int]]:
    """Yields code-point spans of the context that equal the text after NFKC, and after case folding where wanted."""

    def normal(value: str) -> str:
        value = unicodedata.normalize("NFKC", value)
        return unicodedata.normalize("NFKC", value.casefold()) if fold else value

    # A base character and its marks are normalised together, so every boundary of these is one in both texts.
    bounds = [place for place, character in enumerate(context) if not unicodedata.combining(character)]
    bounds = [*bounds, len(context)] if bounds and bounds[0] == 0 else [0, *bounds, len(context)]
    pieces = [normal(context[begin:end]) for begin, end in pairwise(bounds)]
    origin: dict[int, int] = {}
    position = 0
    for begin, piece in zip(bounds, pieces, strict=False):
        origin.setdefault(position, begin)
        position += len(piece)
    origin[position] = len(context)
    wanted = normal(text)
    for place in _occurrences("".join(pieces), wanted):
        if place in origin and place + len(wanted) in origin:
            yield origin[place], origin[place + len(wanted)]


def _from_utf16(context: str, start: int) -> int:
    units = context.encode("utf-16-le", "surrogatepass")[: 2 * max(start, 0)]
    return len(units.decode("utf-16-le", "ignore"))


def _from_bytes(context: str, start: int) -> int:
    return len(context.encode("utf-8", "surrogatepass")[: max(start, 0)].decode("utf-8", "ignore"))


def _nearest(places: list[int], start: int) -> int:
    return min(places, key=lambda place: abs(place - start))
