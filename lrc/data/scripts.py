"""Which script a language is written in, by Unicode's script property."""

from functools import cache

import regex

_LANGUAGES = {
    "Arabic": "ar fa ur ps ckb sd ug",
    "Armenian": "hy",
    "Bengali": "bn as",
    "Cyrillic": "ru uk bg mk be kk ky tg mn tt",
    "Devanagari": "hi mr ne sa mai bho",
    "Ethiopic": "am ti",
    "Georgian": "ka",
    "Greek": "el",
    "Gujarati": "gu",
    "Gurmukhi": "pa",
    "Han": "zh ja ko",
    "Hangul": "ko",
    "Hebrew": "he yi",
    "Hiragana": "ja",
    "Kannada": "kn",
    "Katakana": "ja",
    "Khmer": "km",
    "Lao": "lo",
    "Latin": (
        "af ca cs cy da de en es et eu fi fr ga gl ha hr hu id ig is it jv lt lv mg ms nl no pl pt ro rw sk sl so sq"
        " sv sw tl tr vi xh yo zu"
    ),
    "Malayalam": "ml",
    "Myanmar": "my",
    "Oriya": "or",
    "Sinhala": "si",
    "Tamil": "ta",
    "Telugu": "te",
    "Thai": "th",
}


@cache
def scripts(lang: str) -> tuple[str, ...]:
    """Returns the scripts that a language is usually written in; none where this table does not know it."""
    return tuple(script for script, langs in _LANGUAGES.items() if lang in langs.split())


@cache
def _letters(lang: str) -> "regex.Pattern[str]":
    inside = "".join(rf"\p{{Script={script}}}" for script in scripts(lang))
    return regex.compile(rf"[[{inside}]&&\p{{L}}]", regex.V1)


def script_share(text: str, lang: str) -> float | None:
    """Returns the share of a text's letters that are of a language's scripts, 0 to 1.

    Returns:
        None where the text has no letter or the language's scripts are not known.
    """
    total = len(regex.findall(r"\p{L}", text))
    if not total or not scripts(lang):
        return None
    return len(_letters(lang).findall(text)) / total
