"""Tells whether a finished run has learned anything."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..data.examples import Example
from ..evaluation.scoring import main_score, trivial_score
from ..tasks.registry import Task

# Of 375 published runs, those whose loss stayed above this share of the first have 8 F1 or 59 % accuracy at most.
_LEARNED = 0.8
_FIRST_STEPS = 5


def signs_of_failure(
    losses: Sequence[float],
    dev: dict[str, Any] | None,
    examples: Mapping[str, Sequence[Example]],
    task: Task,
) -> list[str]:
    """Returns why a run is a failed one (Mosbach et al. 2021), in a sentence each; nothing where it is none.

    Args:
        losses: Task loss of each step.
        dev: Scores on the dev examples, where there are any.
        examples: The dev examples by language.
        task: What they are examples of.
    """
    signs = []
    first = float(np.mean(losses[:_FIRST_STEPS]))
    last = float(np.mean(losses[-max(1, len(losses) // 10) :]))
    if last > _LEARNED * first:
        signs.append(
            f"the loss on the labels began at {first:.2f} and ended at {last:.2f}: hardly anything was learned; try"
            " more `steps`, a lower `lr`, a longer `warmup`, or another `seed`"
        )
    if dev:
        score, trivial = main_score(dev), trivial_score(task, {lang: own for lang, own in examples.items() if own})
        if score <= trivial:
            signs.append(
                f"dev has {score:.1f}, where an answerer that has learned nothing has {trivial:.1f}: do not use this"
                " run; it needs more labels, or `source` or `pseudo`"
            )
    return signs
