"""The rows of a study, grouped into the configurations that its report compares."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .results import Row

_SEEDS = ("seed", "draw_seed")
_OWN_COLUMNS = ("task", "shots", "langs", "method", *_SEEDS)


@dataclass
class Configuration:
    """What was run once for each seed and draw.

    Attributes:
        label: Variant, method and whatever else tells it from the others.
        method: Transfer method.
        task: Name of the task.
        shots: Labels a language.
        rows: Its finished runs by seed and draw; several where each language was trained apart.
        errors: Its runs that stopped with an error.
    """

    label: str
    method: str
    task: str
    shots: int
    rows: dict[tuple[int, int], list[Row]] = field(default_factory=dict)
    errors: list[Row] = field(default_factory=list)

    @property
    def langs(self) -> list[str]:
        """Languages that were tested."""
        return list(dict.fromkeys(lang for row in self.all_rows for lang in row.metrics))

    @property
    def all_rows(self) -> list[Row]:
        """All finished runs."""
        return [row for rows in self.rows.values() for row in rows]

    @property
    def metric(self) -> str:
        """Name of the main score in `Row.metrics`."""
        first = next(iter(self.all_rows[0].metrics.values()))
        return "f1" if "f1" in first else "accuracy"

    @property
    def metric_name(self) -> str:
        """The same for people."""
        return "F1" if self.metric == "f1" else self.metric

    def scores(self, lang: str | None = None) -> list[float]:
        """Returns the score of each seed, in percent: of a language, or the mean over them."""
        return [self._score(rows, lang) for rows in self.rows.values()]

    def _score(self, rows: list[Row], lang: str | None) -> float:
        found = {name: entry[self.metric] for row in rows for name, entry in row.metrics.items()}
        return found.get(lang, float("nan")) if lang is not None else sum(found.values()) / len(found)

    def outcomes(self, keys: Sequence[tuple[int, int]]) -> list[dict[str, list[float]]]:
        """Returns the outcomes by language of the given seeds and draws."""
        return [{lang: values for row in self.rows[key] for lang, values in row.outcomes.items()} for key in keys]


def configurations(rows: Sequence[Row], vary: Sequence[str]) -> list[Configuration]:
    """Groups rows into configurations, in the order of the study.

    Args:
        rows: Of one study.
        vary: Names of the settings that it varies.
    """
    more = [name for name in vary if name not in _OWN_COLUMNS]
    tells_method = len({row.method for row in rows}) > 1
    # Where each language is trained and tested apart, its runs are one configuration.
    tested: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        tested[row.langs] |= set(row.metrics)
    apart = sum(map(len, tested.values())) == len(set().union(*tested.values()))
    found: dict[tuple[Any, ...], Configuration] = {}
    for row in rows:
        parts = [row.variant] if row.variant else []
        if tells_method or not parts:
            parts.append(row.method)
        parts += [f"{name} = {row.settings.get(name)}" for name in more]
        if not apart:
            parts.append(f"trained on {row.langs}")
        label = ", ".join(parts)
        group = found.setdefault((label, row.task, row.shots), Configuration(label, row.method, row.task, row.shots))
        if row.error:
            group.errors.append(row)
        else:
            group.rows.setdefault((row.seed, row.draw_seed), []).append(row)
    return list(found.values())
