"""Names, numbers and dates in running text, found by rules for each kind of script."""

from collections.abc import Iterator

import regex

from .text import Document, Frequencies, Span, sentence_of

_LONGEST = 60

DATE = "date"
NAME = "name"
NUMBER = "number"

_MONTH = r"\p{L}[\p{L}\p{M}]+"
DATES = regex.compile(
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


def entities(document: Document, frequencies: Frequencies) -> Iterator[tuple[str, Span]]:
    """Yields names, numbers and dates that do not overlap and lie in one sentence, the longer kinds first.

    Args:
        document: A passage.
        frequencies: How common words are: a capitalised word that is common is no name.

    Yields:
        `date`, `name` or `number`, and where it stands.
    """
    text, bounds = document.text, document.sentences
    taken: list[Span] = []
    beginnings = {span.start for span in bounds}
    letters = regex.findall(r"\p{L}", text)
    cased = bool(letters) and sum(map(bool, map(_CASED.match, letters))) > len(letters) / 2
    names = (_QUOTED, _CAPITALISED) if cased else (_QUOTED, _DOTTED, _KATAKANA, _FOREIGN)
    for kind, patterns in ((DATE, (DATES,)), (NAME, names), (NUMBER, (_NUMBERS,))):
        for pattern in patterns:
            for match in pattern.finditer(text):
                span = Span(*match.span())
                if len(match.group()) > _LONGEST or any(map(span.overlaps, taken)):
                    continue
                number = sentence_of(bounds, span.start)
                if number < 0 or span.end > bounds[number].end:
                    continue
                if pattern is _CAPITALISED and (
                    span.start in beginnings or all(map(frequencies.is_common, match.group().split()))
                ):
                    continue
                taken.append(span)
                yield kind, span
