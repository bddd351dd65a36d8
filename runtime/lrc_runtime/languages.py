"""Names of languages: tags of BCP 47 in any spelling, and which of the known ones a tag means."""

import re
from collections.abc import Iterable
from functools import lru_cache

from .errors import InputError

# A language range of RFC 4647, which POSIX and Java write with underscores; longer ones say nothing of use.
PATTERN = r"^[A-Za-z]{1,8}([-_][A-Za-z0-9]{1,8})*$"
LONGEST = 64
# Those behind which a language may be named that belongs to them.
_MACRO = ("ar", "kok", "lv", "ms", "sgn", "sw", "uz", "zh")
# Where libraries differ by their version of CLDR; and Bokmål, which is called Norwegian as often.
_SAME = {"bh": "bho", "gom": "kok", "knn": "kok", "mnk": "man", "nb": "no", "tw": "ak"}


def check_lang(tag: str, where: str = "lang") -> None:
    """Refuses what is no language tag.

    Args:
        tag: What was given.
        where: Name of the argument or flag, for the message.

    Raises:
        InputError: If it is none.
    """
    if not isinstance(tag, str) or not _is_tag(tag):
        raise InputError(
            f"{where}: {repr(tag)[:80]} is no language tag; give one of BCP 47, such as de, pt-BR or zh-Hans"
        )


def find_lang(tag: str, known: Iterable[str]) -> str | None:
    """Returns which of the known languages a tag means, None where there is none.

    Case and underscores do not matter, and old and three-letter codes count as those of today. A tag that is more exact
    than what is known means the next less exact one (RFC 4647, lookup): de-AT means de, zh-Hans-CN means zh-Hans, or
    else zh. One that is less exact means the first that is more so (RFC 4647, filtering): pt means pt-BR.

    Args:
        tag: A language tag; any other text means itself alone.
        known: The known languages, in any spelling.
    """
    spelled = list(known)
    if not spelled:
        return None
    if tag in spelled:
        return tag
    named: dict[str, str] = {}
    for one in spelled:
        named.setdefault(canonical(one), one)
    asked = wanted = canonical(tag)
    while wanted:
        if wanted in named:
            return named[wanted]
        wanted = wanted.rpartition("-")[0]
    return next((one for name, one in named.items() if name.startswith(f"{asked}-")), None)


def canonical(tag: str) -> str:
    """Returns one spelling for all of a language tag, in lower case; of any other text itself."""
    if not _is_tag(tag):
        return tag
    primary, *rest = tag.replace("_", "-").lower().split("-")
    # zh-yue is yue.
    if primary in _MACRO and rest and len(rest[0]) == 3 and rest[0].isalpha():
        primary = rest.pop(0)
    return "-".join((_language(primary), *rest))


def _is_tag(text: str) -> bool:
    return len(text) <= LONGEST and re.fullmatch(PATTERN, text) is not None


@lru_cache(maxsize=1024)
def _language(code: str) -> str:
    """Returns what CLDR has for a language's code: deu is de, iw is he, swh is sw, sh is sr-latn."""
    if len(code) not in (2, 3):
        return code
    # Takes 5 MB and 30 ms, which only a spelling that is not known as it stands asks for.
    from langcodes import standardize_tag

    found: str = standardize_tag(code, macro=True).lower()
    return _SAME.get(found, found)
