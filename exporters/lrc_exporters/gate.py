"""The gate: no bundle answers worse in any language than the run it was made of, beyond what chance explains."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lrc_runtime.errors import LrcError

from .bootstrap import resampled_means

_DRAWS = 10_000
# Share of the bootstrap's draws below the interval.
_OUTSIDE = 0.025


class GateError(LrcError):
    """A language lost more than it may."""


@dataclass(frozen=True)
class Scored:
    """Scores of labelled examples.

    Attributes:
        summary: F1 and exact match, or accuracy, by language and on average, in percent.
        outcomes: For each language the F1 or accuracy of each example, 0 to 1.
    """

    summary: dict[str, Any]
    outcomes: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Loss:
    """What one language lost, in points of F1 or accuracy.

    Attributes:
        before: Score of the run.
        after: Score of the bundle.
        loss: Their difference; below 0 where the bundle is better.
        low: Lower end of the loss's interval by a paired bootstrap over the examples, 95 % for all languages together
            (Bonferroni).
        count: Number of examples.
    """

    before: float
    after: float
    loss: float
    low: float
    count: int


def losses(before: Scored | None, after: Scored | None) -> dict[str, Loss]:
    """Compares a bundle with its run on the same examples, language by language; nothing where there are none."""
    found: dict[str, Loss] = {}
    if before is None or after is None:
        return found
    for lang, outcomes in before.outcomes.items():
        first, second = np.asarray(outcomes, float), np.asarray(after.outcomes[lang], float)
        lost = first - second
        low = np.quantile(resampled_means([lost[None]], _DRAWS), _OUTSIDE / len(before.outcomes))
        points = [round(100 * float(value), 3) for value in (first.mean(), second.mean(), lost.mean(), low)]
        found[lang] = Loss(points[0], points[1], points[2], points[3], len(first))
    return found


def refused(found: Mapping[str, Loss], most: float) -> list[str]:
    """Returns the languages that surely lost more than so many points: the lower end of their interval is above."""
    return [lang for lang, loss in found.items() if loss.low > most]


def table(found: Mapping[str, Loss]) -> str:
    """Returns the losses as a Markdown table."""
    lines = ["| language | run | bundle | loss | at least (95 %) | examples |", "|---|---:|---:|---:|---:|---:|"]
    for lang, loss in found.items():
        lines.append(
            f"| {lang} | {loss.before:.1f} | {loss.after:.1f} | {loss.loss:+.1f} | {loss.low:+.1f} | {loss.count} |"
        )
    return "\n".join(lines)


def check(found: Mapping[str, Loss], most: float, force: bool) -> dict[str, Any]:
    """Refuses a bundle in which a language surely lost more than it may.

    Args:
        found: The losses.
        most: The largest loss allowed, in points.
        force: Let it pass all the same.

    Returns:
        What the manifest keeps of it.

    Raises:
        GateError: If the lower end of a language's interval is above `most`, with the table.
    """
    failed = refused(found, most)
    if failed and not force:
        raise GateError(
            f"{', '.join(failed)}: the bundle loses more than `max_drop` {most} points; give `precision` fp32,"
            f" `without` the pass that is at fault, or `force`\n\n{table(found)}"
        )
    return {
        "max_drop": most,
        "forced": bool(failed),
        "failed": failed,
        "languages": {lang: asdict(loss) for lang, loss in found.items()},
    }
