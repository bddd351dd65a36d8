"""Spans of whole characters, as readers count them, and in two scripts of whole words.

Characters are the extended grapheme clusters of UAX 29; a virama binds the consonant behind it to a vowel too, as in
Bengali অ্যা. A token may end inside of one: between a consonant and its vowel sign, or between the parts of an emoji.
`docs/runtime.md` has why words are kept whole in no other script.
"""

import regex

# How far a character or a word is followed to either side. The longest that normalised text holds has some 30 marks.
_REACH = 256
_CLUSTER = regex.compile(r"\X")
# What a character of a word begins with, script by script.
_LETTERS = [regex.compile(rf"(?=\p{{Script={script}}})[\p{{L}}\p{{M}}]") for script in ("Cyrillic", "Devanagari")]

_Span = tuple[int, int]


def whole(context: str, start: int, end: int) -> _Span:
    """Widens a span to whole characters and words, less white space at its ends.

    A character that holds white space, as an accent on a space does, is white space.

    Only the text around the two ends is looked at: it may be very long.

    Args:
        context: The text.
        start: First code point of the span.
        end: Code point after its last.

    Returns:
        First code point and the one after the last, the same where nothing is left.
    """
    while start < end:
        first = _around(context, start)
        if not _is_space(context, first):
            break
        start = first[1]
    while start < end:
        last = _around(context, end - 1)
        if not _is_space(context, last):
            return _end_of_word(context, first, -1)[0], _end_of_word(context, last, 1)[1]
        end = last[0]
    return start, start


def _end_of_word(context: str, span: _Span, step: int) -> _Span:
    """Returns the last character of a word in one direction, of one that holds it; itself where it is in no word."""
    for _ in range(_REACH):
        at = span[1] if step > 0 else span[0] - 1
        if not 0 <= at < len(context):
            break
        beside = _around(context, at)
        if not any(letter.match(context[span[0]]) and letter.match(context[beside[0]]) for letter in _LETTERS):
            break
        span = beside
    return span


def _around(context: str, at: int) -> _Span:
    """Returns where the character that holds a code point begins and ends."""
    start = at
    while start > max(0, at - _REACH) and not _begins(context, start):
        start -= 1
    for found in _CLUSTER.finditer(context[start : at + _REACH]):
        if start + found.end() > at:
            return start + found.start(), start + found.end()
    raise AssertionError("no character holds the code point")


def _begins(context: str, at: int) -> bool:
    """Whether a character begins here, whatever stands further left.

    It does where two code points stand apart on their own, unless the left one belongs to what is before it: a
    virama or a joiner may bind what follows.
    """
    left, right = context[at - 1], context[at]
    return len(_CLUSTER.match(left + right)[0]) == 1 and len(_CLUSTER.match("a" + left)[0]) == 1


def _is_space(context: str, span: _Span) -> bool:
    return any(char.isspace() for char in context[span[0] : span[1]])
