"""What a generator makes: an example with a score, and how it is written."""

import hashlib
from typing import Any, NamedTuple

from ..data.examples import Example
from ..tasks import kind_of

# Stands for the answer in a question made from a sentence.
BLANK = "___"


class Made(NamedTuple):
    """An example that a generator made, and how good the generator thinks it is, 0 to 1."""

    example: Example
    score: float


def to_row(made: Made, generator: str) -> dict[str, Any]:
    """Returns the row of a JSONL file that `lrc train` takes as `pseudo`, and every reader of labels."""
    example, score = made
    columns = {"id": example.id, "lang": example.lang, **kind_of(example).row(example)}
    return columns | {"generator": generator, "score": round(score, 4)}


def identity(*parts: str) -> str:
    """Returns an id that is the same for the same parts on every machine."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
