"""Texts with a class, and how they are read."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from ...data.examples import Example
from ...data.readers import read_word
from ...data.values import Fault, is_missing, quoted, read_text

TEXT, FIRST, SECOND, LABEL = "text", "sentence1", "sentence2", "label"


@dataclass(frozen=True)
class Labelled(Example):
    """One text or two that belong to a class.

    Attributes:
        passages: The text, or the two texts in their order.
        label: Name of the class.
    """

    NOUN = "texts"

    passages: tuple[str, ...]
    label: str

    @property
    def texts(self) -> tuple[str, ...]:
        """The text, or the two."""
        return self.passages

    @property
    def group(self) -> Hashable:
        """The label."""
        return self.label

    @property
    def traces(self) -> tuple[tuple[str, ...], ...]:
        """The text, or the two in their order."""
        return (("text", *self.passages),)

    def rewritten(self, lang: str, texts: Sequence[str]) -> Self:
        """Returns it with other texts."""
        return replace(self, lang=lang, passages=tuple(texts))


def read_example(row: dict[str, Any], lang: str) -> Labelled:
    """Reads an example but for its id.

    Raises:
        Fault: If the row is none.
    """
    columns = (TEXT,) if TEXT in row else (FIRST, SECOND)
    if missing := [name for name in columns if name not in row]:
        raise Fault(f"has no column {TEXT}, nor {' and '.join(missing)}, but {', '.join(row)}")
    return Labelled(
        "", read_word(row, "lang", lang), tuple(read_text(row, name) for name in columns), read_class(row[LABEL])
    )


def read_class(value: object) -> str:
    """Returns the name of a class: a word, or a number or a truth value as a word.

    Raises:
        Fault: If it is empty or something else.
    """
    if is_missing(value):
        raise Fault(f"its {LABEL} is empty")
    if isinstance(value, bool):
        return str(value).lower()
    # Spreadsheets and pandas write 3 as 3.0.
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if not isinstance(value, str | int):
        raise Fault(f"its {LABEL} is {quoted(value)}, expected the name of a class")
    return str(value).strip()
