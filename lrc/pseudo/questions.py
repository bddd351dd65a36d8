"""What a question made from unlabelled text is, and how it is written."""

import hashlib
from dataclasses import dataclass
from typing import Any

# Stands for the answer in a question made from a sentence.
BLANK = "___"


@dataclass(frozen=True)
class PseudoQuestion:
    """A question made from unlabelled text.

    Attributes:
        id: A function of the generator, the place and the question.
        lang: Language.
        question: The question.
        context: The text that holds the answer.
        answers: Accepted answers as (text, first code point).
        generator: Name of what made it.
        score: How good its generator thinks it is, 0 to 1.
    """

    id: str
    lang: str
    question: str
    context: str
    answers: tuple[tuple[str, int], ...]
    generator: str
    score: float

    def to_row(self) -> dict[str, Any]:
        """Returns the row of a JSONL file that `lrc train --pseudo` and every reader of questions take."""
        return {
            "id": self.id,
            "lang": self.lang,
            "question": self.question,
            "context": self.context,
            "answers": {"text": [text for text, _ in self.answers], "answer_start": [at for _, at in self.answers]},
            "generator": self.generator,
            "score": round(self.score, 4),
        }


def identity(*parts: str) -> str:
    """Returns an id that is the same for the same parts on every machine."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
