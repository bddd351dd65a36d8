"""Distractors: contexts of source and pseudo-labels joined with a piece of another, so that the question is read.

Where every paragraph carries one question, a model learns to pick the first span of the right type and
never looks at the question; and it learns that answers stand early. A foreign passage before or behind breaks both.
"""

from collections.abc import Sequence
from dataclasses import replace

from ...data.examples import Question
from ...data.shots import rank

# Code points of the foreign passage, and contexts that are long enough without one.
_PASSAGE = 500
_LONG = 1500


def add_distractors(examples: Sequence[Question], seed: int) -> list[Question]:
    """Joins three of four contexts with the beginning of another example's context.

    Args:
        examples: Source or pseudo-labels; long contexts stay as they are.
        seed: Of the choice.

    Returns:
        The examples in an order fixed by the seed: of each four questions two have a foreign passage before
        their context, one has it behind, one has none.
    """
    order = sorted(examples, key=lambda item: rank(seed, f"distractor {item.id}"))
    joined: list[Question] = []
    for index, example in enumerate(order):
        other = order[(index + 1) % len(order)]
        if len(example.context) > _LONG:
            joined.append(example)
            continue
        passage = other.context[:_PASSAGE]
        if index % 4 == 0:
            joined.append(replace(example, context=f"{example.context} {passage}"))
        elif index % 4 < 3:
            moved = tuple((text, start + len(passage) + 1) for text, start in example.answers)
            joined.append(replace(example, context=f"{passage} {example.context}", answers=moved))
        else:
            joined.append(example)
    return joined
