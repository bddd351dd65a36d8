"""Which scripts a language is written in, by the likely subtags of Unicode's CLDR."""

from collections.abc import Iterable, Mapping
from functools import cache

import regex
from babel import Locale
from babel.core import get_global

from lrc_runtime.languages import canonical, check_lang

from ..errors import UserError

# What CLDR calls a script that Unicode has as several, or under another name.
_SEVERAL = {
    "Aran": ("Arab",),
    "Hanb": ("Hani", "Bopo"),
    "Hans": ("Hani",),
    "Hant": ("Hani",),
    "Hrkt": ("Hira", "Kana"),
    "Jpan": ("Hani", "Hira", "Kana"),
    "Kore": ("Hang", "Hani"),
}
# Codes of Unicode for what is of no script in particular.
_NONE = ("Zinh", "Zyyy", "Zzzz", "Qaai")


def read_scripts(texts: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Reads each `script`, as `xyz=Latn`.

    Returns:
        For each language its scripts.

    Raises:
        UserError: If one is not of this form, or there is no such script.
    """
    told = {}
    for text in texts:
        lang, sign, code = (part.strip() for part in text.partition("="))
        if not (lang and sign and code):
            raise UserError(f"`script` {text}: expected language=script, such as xyz=Latn")
        check_lang(lang, "`script`")
        told[lang] = _of_code(code)
        if not told[lang]:
            raise UserError(f"`script` {text}: no such script; give a code of ISO 15924, such as Latn, Deva or Ethi")
    return told


@cache
def scripts(lang: str) -> tuple[str, ...]:
    """Returns the scripts that a language is usually written in, or the one that its tag names, as sr-Latn does.

    Returns:
        Their ISO 15924 codes; none where CLDR does not tell.
    """
    language, *rest = canonical(lang).split("-")
    named = next((_of_code(part) for part in rest if len(part) == 4 and part.isalpha()), ())
    if named or language == "und":
        return named
    likely: Mapping[str, str] = get_global("likely_subtags")
    regions = [f"{language}_{part.upper()}" for part in rest if len(part) == 2]
    found = next((likely[name] for name in (*regions, language) if name in likely), "")
    return _of_code(found.split("_")[1]) if found else ()


def script_names(codes: Iterable[str]) -> str:
    """Returns scripts as people call them."""
    return ", ".join(sorted({str(Locale("en").scripts.get(code, code)) for code in codes}))


@cache
def _of_code(code: str) -> tuple[str, ...]:
    """Returns the scripts of Unicode that a code of ISO 15924 stands for."""
    code = code.title()
    if code in _SEVERAL:
        return _SEVERAL[code]
    if not regex.fullmatch("[A-Z][a-z]{3}", code) or code in _NONE:
        return ()
    try:
        regex.compile(rf"\p{{Script={code}}}")
    except regex.error:
        return ()
    return (code,)


@cache
def _letters(codes: tuple[str, ...]) -> "regex.Pattern[str]":
    inside = "".join(rf"\p{{Script={code}}}" for code in codes)
    return regex.compile(rf"[[{inside}]&&\p{{L}}]", regex.V1)


def script_share(text: str, lang: str) -> float | None:
    """Returns the share of a text's letters that are of a language's scripts, 0 to 1.

    Returns:
        None where the text has no letter or the language's scripts are not known.
    """
    total = len(regex.findall(r"\p{L}", text))
    if not total or not scripts(lang):
        return None
    return len(_letters(scripts(lang)).findall(text)) / total


def is_written_in(text: str, codes: tuple[str, ...]) -> bool:
    """Whether a text has a letter of any of these scripts."""
    return _letters(codes).search(text) is not None
