"""What tells examples apart: the ids that a file gives, or their own text."""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from .examples import BadExamples, Example

# What ids are taken for. AUTO: names, which languages share where they are translations; but numbers that only count
# the rows of their file name nothing. SHARED: names, numbers or not. ROWS: as runs of before lrc 0.2 took them, where
# an example without an id has the number of its row.
AUTO, SHARED, ROWS = "auto", "shared", "rows"

_OF_TEXT = "text-"

_Example = TypeVar("_Example", bound=Example)


def text_id(*texts: str) -> str:
    """Returns an id made of texts, white space and normalisation form aside: the same on every machine."""
    return _OF_TEXT + digest_of(*texts).hex()[:16]


def is_text_id(identity: str) -> bool:
    """Whether an id was made of texts."""
    return identity.startswith(_OF_TEXT)


def tell_apart(
    examples: Sequence[_Example], where: str, ids: str, bad: BadExamples, several: bool = False
) -> list[_Example]:
    """Gives each example of a file an id of its own, and drops what stands there twice.

    Args:
        examples: All examples of a file.
        where: Names it.
        ids: What its ids are taken for.
        bad: Takes notice of what was found.
        several: Whether other languages are read beside it, so that it matters whether they share ids.

    Returns:
        The examples, in their order.
    """
    if ids == ROWS:
        return list(examples)
    what = examples[0].NOUN if examples else "examples"
    counts = Counter(example.id for example in examples)
    numbers = ids == AUTO and _only_count(counts)
    if numbers and several:
        bad.notice(
            f"{where}: its ids only count its rows, so no other language holds translations of its {what}; where"
            " they are translations, give `ids` shared"
        )
    named = [
        replace(example, id=text_id(*example.texts)) if numbers or counts[example.id] > 1 else example
        for example in examples
    ]
    repeated = {identity: count for identity, count in counts.items() if count > 1 and not is_text_id(identity)}
    if repeated:
        bad.notice(
            f"{where}: {sum(repeated.values())} {what} share {len(repeated)} ids, such as {next(iter(repeated))}, which"
            f" then name something else; these {what} are told apart by their text"
        )
    firsts: dict[str, _Example] = {}
    for example in named:
        firsts.setdefault(example.id, example)
    kept = list(firsts.values())
    if len(kept) < len(named):
        bad.notice(f"{where}: left out {len(named) - len(kept)} {what} that repeat the text of another")
    return kept


def _only_count(ids: Iterable[str]) -> bool:
    """Whether ids are numbers that count rows: whole ones from 0 or 1 on, with at most a part of them left out."""
    numbers = [int(identity) for identity in ids if identity.isascii() and identity.isdigit()]
    found = list(ids)
    return bool(found) and len(numbers) == len(found) and max(numbers) < 4 * len(found) + 8


def digest_of(*texts: str) -> bytes:
    """Returns the SHA-256 of texts, white space and normalisation form aside."""
    plain = (" ".join(unicodedata.normalize("NFC", text).split()) for text in texts)
    return hashlib.sha256("\0".join(plain).encode("utf-8", "surrogatepass")).digest()
