"""Few-shot draws: fixed by the seed, nested in the number of shots, the same ids in every language."""

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Sequence

from .errors import UserError
from .examples import Example, Pair, Question


def rank(seed: int, text: str) -> str:
    """Returns a sort key that orders ids at random by the seed, the same on every machine."""
    return hashlib.sha256(f"{seed}\0{text}".encode()).hexdigest()


def draw(examples: Sequence[Example], shots: int, seed: int, what: str) -> list[Example]:
    """Draws shots in a fixed order of which any smaller draw is the beginning.

    Pairs alternate between the labels. Questions go round the contexts, so that no context gives its second
    question before each has given its first. Since ids are ranked by the seed alone, languages that share
    ids draw the same ones as far as they have them.

    Args:
        examples: All labels of one language.
        shots: Number wanted.
        seed: Of the draw.
        what: Names the language and the data in the error.

    Raises:
        UserError: If there are fewer examples than shots, or pairs of only one label.
    """
    if len(examples) < shots:
        raise UserError(f"--shots {shots}: {what} has only {len(examples)} labels to draw from")
    labels = {example.label for example in examples if isinstance(example, Pair)}
    if labels and shots and (shots < 2 or len(labels) < 2):
        missing = f"label {1 - min(labels)}" if len(labels) < 2 else "one of the labels"
        raise UserError(
            f"--shots {shots}: {what} gives no shot of {missing}; give examples of both labels and at least 2 shots"
        )
    taken: dict[Hashable, int] = defaultdict(int)
    order: list[tuple[tuple[int, int | str], Example]] = []
    for example in sorted(examples, key=lambda item: rank(seed, item.id)):
        pair = isinstance(example, Pair)
        group = example.label if isinstance(example, Pair) else example.context
        order.append(((taken[group], group if pair else rank(seed, example.id)), example))
        taken[group] += 1
    return [example for _, example in sorted(order, key=lambda item: item[0])][:shots]


def remainder(examples: Sequence[Example], drawn: Sequence[Example]) -> list[Example]:
    """Returns what a draw left, without the contexts that it has shown unless it has shown them all."""
    ids = {example.id for example in drawn}
    seen = {example.context for example in drawn if isinstance(example, Question)}
    left = [example for example in examples if example.id not in ids]
    return [example for example in left if not (isinstance(example, Question) and example.context in seen)] or left
