"""Few-shot draws: fixed by the seed, nested in the number of shots, the same ids in every language or not."""

import hashlib
from collections import defaultdict
from collections.abc import Container, Hashable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ..errors import UserError
from ..files import read_json
from .examples import Example, Question


def rank(seed: int, text: str) -> str:
    """Returns a sort key that orders ids at random by the seed, the same on every machine."""
    return hashlib.sha256(f"{seed}\0{text}".encode()).hexdigest()


def draw(examples: Sequence[Example], shots: int, seed: int, what: str, apart: str = "") -> list[Example]:
    """Draws shots in a fixed order of which any smaller draw is the beginning.

    Labels take turns. Questions go round the contexts, so that no context gives its second
    question before each has given its first. Since ids are ranked by the seed alone, languages that share
    ids draw the same ones as far as they have them, unless they are drawn apart.

    Args:
        examples: All labels of one language.
        shots: Number wanted.
        seed: Of the draw.
        what: Names the language and the data in the error.
        apart: The language, where each draws ids of its own.

    Raises:
        UserError: If there are fewer examples than shots, or of labels, or there is one label alone.
    """
    if len(examples) < shots:
        raise UserError(f"`shots` {shots}: {what} has only {len(examples)} labels to draw from")
    labels = {example.group for example in examples if not isinstance(example, Question)}
    if labels and shots and (shots < len(labels) or len(labels) < 2):
        _refuse(shots, what, labels, examples[0].LABELS)

    def place(example: Example) -> str:
        return rank(seed, f"{apart}\0{example.id}" if apart else example.id)

    taken: dict[Hashable, int] = defaultdict(int)
    order: list[tuple[tuple[int, Any], Example]] = []
    for example in sorted(examples, key=place):
        # Round after round: labels in their own order, contexts in that of the draw.
        within = place(example) if isinstance(example, Question) else example.group
        order.append(((taken[example.group], within), example))
        taken[example.group] += 1
    return [example for _, example in sorted(order, key=lambda item: item[0])][:shots]


def _refuse(shots: int, what: str, labels: set[Hashable], known: Sequence[Hashable]) -> NoReturn:
    missing = [label for label in known if label not in labels]
    if len(labels) < 2:
        name = f"label {missing[0]}" if missing else "a second label"
        raise UserError(f"`shots` {shots}: {what} gives no shot of {name}; give examples of at least two labels")
    raise UserError(
        f"`shots` {shots}: {what} gives no shot of some of its {len(labels)} labels; give at least {len(labels)} shots"
    )


def sample(examples: Sequence[Example], limit: int | None, own: bool) -> list[Example]:
    """Draws test examples from all over a set: the same ones for every model, and in languages that share ids.

    Args:
        examples: Those of one language.
        limit: Most that are wanted; all, in their order, when None.
        own: Whether they are the user's own, from which shots may have been drawn. These must not be the beginning of
            the same order: what they left there has few of one label.
    """
    if limit is None:
        return list(examples)
    return sorted(examples, key=lambda item: rank(0, f"test\0{item.id}" if own else item.id))[:limit]


def pick(examples: Sequence[Example], ids: Sequence[str], what: str) -> list[Example]:
    """Returns the examples of the given ids, in their order.

    Args:
        examples: All labels of one language.
        ids: Of the shots.
        what: Names the file and the language in the error.

    Raises:
        UserError: If an id is not among the examples, or there is none.
    """
    if not ids:
        raise UserError(f"{what}: the file names no shot")
    by_id = {example.id: example for example in examples}
    missing = [identity for identity in ids if identity not in by_id]
    if missing:
        raise UserError(f"{what}: {len(missing)} of {len(ids)} ids are not in the data, such as {missing[0]}")
    return [by_id[identity] for identity in ids]


def read_shots(path: Path) -> dict[str, list[str]]:
    """Reads the ids of shots by language, as `shots.json` in a run folder holds them.

    Raises:
        UserError: If the file is missing or holds something else.
    """
    shots = read_json(path)
    lists = shots.values() if isinstance(shots, dict) else [None]
    if not all(isinstance(ids, list) and all(isinstance(identity, str) for identity in ids) for ids in lists):
        raise UserError(f"{path}: expected an object of lists of ids by language, as a run's shots.json is")
    return dict(shots)


def remainder(examples: Sequence[Example], drawn: Sequence[Example], elsewhere: Container[str]) -> list[Example]:
    """Returns what a draw left, as far as something stays without what it has shown.

    Args:
        examples: All labels of one language.
        drawn: Its shots.
        elsewhere: Ids drawn in other languages, whose translations these examples may be.
    """
    ids = {example.id for example in drawn}
    seen = {part for example in drawn for part in example.traces[1:]}
    left = [example for example in examples if example.id not in ids]
    left = [example for example in left if example.id not in elsewhere] or left
    return [example for example in left if seen.isdisjoint(example.traces[1:])] or left
