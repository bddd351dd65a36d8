"""Pairs that look different and mean the same: what may stand in another order or form does (after Zhang et al. 2019).

Members of a list around a conjunction, clauses around a semicolon, a time in front of its sentence, a name and its
other name in brackets, and the forms of dates, numbers and digits. Conjunctions and formats are those of the Unicode
CLDR.
"""

from collections.abc import Callable, Iterator
from datetime import date
from difflib import SequenceMatcher

import numpy as np
import regex
from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton
from babel.numbers import format_decimal, get_group_symbol

from lrc_runtime.languages import canonical, find_lang

from ...data.examples import Pair
from ..alike import WORD, Likeness, Sentence, alike
from ..entities import DATES
from ..examples import Made, identity
from ..text import Document, Frequencies, Span, exchanged, is_unsegmented, replaced
from ..vectors import WordVectors
from .inputs import Generator, Inputs

# The name must be whole: not what follows "of" in a longer one.
_BRACKETED = regex.compile(
    r"(?<!\b(?:al|bin|da|de|del|der|di|do|of|van|von)\s)(?<!\p{Lu}[\w'’-]*\s)"
    r"(?P<first>\p{Lu}[\w'’-]+(?:\s\p{Lu}[\w'’-]+){0,4})\s\((?P<second>\p{Lu}[\w'’ -]{1,40})\)"
)
# A short beginning that holds a year or the like, and its comma; in scripts without spaces it must begin with it.
_FRONTED = regex.compile(
    r"(?P<front>(?:(?:[^\s,،，;:()]+\s){1,5})?\p{Nd}{3,4}[^,،，;:()]{0,10})"
    r"(?P<comma>,\s|،\s|，)(?P<rest>[^\p{Nd}].+?)(?P<stop>[.।。۔]?)"
)
_CLAUSES = regex.compile(r"(?P<first>[^;؛；]{20,})(?P<mark>;\s|؛\s|；)(?P<second>[^;؛；]{20,}?)(?P<stop>[.।。۔]?)")
_PLAIN = regex.compile(r"(?<![\p{L}\p{Nd}.,])[1-9][0-9]{4,}(?![\p{L}\p{Nd}.,])")
_GROUPED = regex.compile(r"(?<![\p{L}\p{Nd}.,])[1-9][0-9]{0,2}(?:[., \u00a0\u202f][0-9]{3}){1,4}(?![\p{L}\p{Nd}.,])")
# What a list belongs to by its order: its members must keep it.
_RESPECTIVE = regex.compile(
    r"\b(?:respectively|jeweils|beziehungsweise|respectivamente|respectivement|rispettivamente|соответственно|sırasıyla"
    r"|lần lượt|mtawalia)\b|على التوالي|क्रमशः|क्रमश:|ตามลำดับ|分别|分別|それぞれ|각각",
    regex.IGNORECASE,
)
_DIGITS = {"ar": "٠١٢٣٤٥٦٧٨٩", "fa": "۰۱۲۳۴۵۶۷۸۹", "ur": "۰۱۲۳۴۵۶۷۸۹", "hi": "०१२३४५६७८९", "mr": "०१२३४५६७८९"}
_DIGITS |= {"ne": "०१२३४५६७८९", "bn": "০১২৩৪৫৬৭৮৯", "th": "๐๑๒๓๔๕๖๗๘๙", "my": "၀၁၂၃၄၅၆၇၈၉", "km": "០១២៣៤៥៦៧៨៩"}

Change = Callable[[str], str]


def reorderings(
    documents: Iterator[Document],
    lang: str,
    frequencies: Frequencies,
    vectors: WordVectors,
    rng: np.random.Generator,
) -> Iterator[Made]:
    """Yields pairs of a sentence and itself in another order or form, labelled 1, at most one a sentence.

    Args:
        documents: Running text.
        lang: Its language; one that the CLDR does not know has no conjunctions and no formats.
        frequencies: How common words are.
        vectors: Of words: only what is alike forms a list.
        rng: Chooses among what can be changed.

    Yields:
        Pairs scored by the share of characters that stand elsewhere or are others.
    """
    formats = Formats(lang)
    for sentence, likenesses in alike(documents, frequencies, vectors):
        second = sentence.text
        ordered = _RESPECTIVE.search(sentence.text)
        listed = [found for found in likenesses if not ordered and formats.joins(sentence, found)]
        if listed:
            first, other, _ = listed[rng.integers(len(listed))]
            second = exchanged(second, first, other)
        for change in (_brackets, lambda text: _fronted(text, frequencies), _clauses, formats.dates, formats.numbers):
            changed = change(second)
            # Where there is a choice, each change is made two times in three.
            if second == sentence.text or rng.random() < 2 / 3:
                second = changed
        if second != sentence.text:
            pair = Pair(identity("reorderings", sentence.where, second), lang, sentence.text, second, 1)
            yield Made(pair, _difference(sentence.text, second))


class Formats:
    """A language's conjunctions and forms of dates and numbers.

    Args:
        lang: Tag of BCP 47.
    """

    def __init__(self, lang: str) -> None:
        try:
            self._locale: Locale | None = Locale.parse(canonical(lang), sep="-")
        except (UnknownLocaleError, ValueError):
            self._locale = None
        known = find_lang(lang, _DIGITS)
        self._digits = "" if known is None else _DIGITS[known]
        self._conjunction = ""
        self._months: dict[str, int] = {}
        if self._locale is not None:
            pattern = self._locale.list_patterns["standard"]["2"]
            self._conjunction = pattern.replace("{0}", "").replace("{1}", "")
            for context in ("format", "stand-alone"):
                for number, name in self._locale.months[context]["wide"].items():
                    self._months[name.casefold()] = number

    def joins(self, sentence: Sentence, likeness: Likeness) -> bool:
        """Whether nothing but the conjunction stands between two spans."""
        first, second, _ = likeness
        # A piece of a script without spaces may be half a word, or a word and a half.
        if is_unsegmented(first.of(sentence.text)) and sentence.kind(first) == WORD:
            return False
        return bool(self._conjunction) and sentence.text[first.end : second.start] == self._conjunction

    def dates(self, text: str) -> str:
        """Writes whole dates in another form of the language."""
        changes = []
        for match in DATES.finditer(text):
            day = self._day(match.group())
            if day is not None and self._locale is not None:
                long = format_date(day, "long", locale=self._locale)
                forms = [long, format_skeleton("yMd", day, locale=self._locale)]
                changes += [(Span(*match.span()), form) for form in forms if form != match.group()][:1]
        return replaced(text, Span(0, len(text)), changes)

    def _day(self, text: str) -> date | None:
        numbers = [int(number) for number in regex.findall(r"\p{Nd}+", text)]
        months = [
            self._months[word] for word in regex.findall(r"[\p{L}\p{M}]+", text.casefold()) if word in self._months
        ]
        if len(numbers) == 3 and numbers[0] > 31:
            year, month, day = numbers
        elif len(numbers) == 2 and len(months) == 1:
            (month,), (day, year) = months, numbers
        else:
            return None
        try:
            return date(year, month, day)
        except ValueError:
            return None

    def numbers(self, text: str) -> str:
        """Groups the digits of large numbers or leaves their groups out, or writes digits in the other script."""
        if self._digits:
            own = str.maketrans(self._digits, "0123456789")
            return text.translate(own if text != text.translate(own) else str.maketrans("0123456789", self._digits))
        if self._locale is None:
            return text
        symbol = get_group_symbol(self._locale)
        plain = [(match, format_decimal(int(match.group()), locale=self._locale)) for match in _PLAIN.finditer(text)]
        grouped = [
            (match, digits)
            for match in _GROUPED.finditer(text)
            if (digits := match.group().replace(symbol, "")).isdigit() and digits != match.group()
        ]
        return replaced(text, Span(0, len(text)), [(Span(*match.span()), new) for match, new in plain + grouped])


def _brackets(text: str) -> str:
    """NATO (North Atlantic Treaty Organization): North Atlantic Treaty Organization (NATO)."""
    found = _BRACKETED.search(text)
    return exchanged(text, Span(*found.span("first")), Span(*found.span("second"))) if found else text


def _fronted(text: str, frequencies: Frequencies) -> str:
    """In 1931, it was built.: It was built, in 1931."""
    found = _FRONTED.fullmatch(text)
    if found is None:
        return text
    front, comma, rest = found["front"], found["comma"], found["rest"]
    word = front.split()[0]
    if word[0].isupper() and not frequencies.is_common(word):
        return text
    return f"{_upper(rest)}{comma}{front[0].lower()}{front[1:]}{found['stop']}"


def _clauses(text: str) -> str:
    """It rained; nobody came.: Nobody came; it rained. The first word keeps its capital, for it may be a name."""
    found = _CLAUSES.fullmatch(text)
    if found is None:
        return text
    return f"{_upper(found['second'])}{found['mark']}{found['first']}{found['stop']}"


def _upper(text: str) -> str:
    return text[0].upper() + text[1:]


def _difference(first: str, second: str) -> float:
    return 1 - SequenceMatcher(None, first, second, autojunk=False).ratio()


def _make(inputs: Inputs) -> Iterator[Made]:
    return reorderings(inputs.documents(), inputs.lang, inputs.frequencies, inputs.vectors, inputs.rng)


GENERATOR = Generator(make=_make)
