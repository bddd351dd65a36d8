"""The recipe of a run: stages that train on different labels, one after the other."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain

from ..config.settings import TrainSettings
from ..errors import UserError
from ..tasks.kind import Feature
from .batching import schedule

PSEUDO, SOURCE, TARGET = "pseudo", "source", "target"
_KINDS = (PSEUDO, SOURCE, TARGET)
RECIPES = {
    "joint": "pseudo+source+target:1",
    "staged": "pseudo:0.5,source+target:0.5",
}


@dataclass(frozen=True)
class Stage:
    """A part of a run.

    Attributes:
        kinds: The labels it trains on.
        steps: Its length.
    """

    kinds: tuple[str, ...]
    steps: int

    @property
    def name(self) -> str:
        """Its labels, as the recipe names them."""
        return "+".join(self.kinds)


def parse_recipe(text: str, available: Sequence[str], steps: int) -> list[Stage]:
    """Reads a recipe, as `recipe` gives it.

    Args:
        text: A name of `RECIPES`, or stages KINDS:SHARE separated by commas, in which KINDS are joined by +.
        available: Kinds of labels that the run has. The others are left out, and a stage without any is skipped.
        steps: Of the run, which the stages divide by their shares.

    Raises:
        UserError: If it is not of this form, or names none of the labels that the run has.
    """
    parsed: list[tuple[tuple[str, ...], float]] = []
    for part in RECIPES.get(text, text).split(","):
        names, _, share = part.partition(":")
        kinds = tuple(name.strip() for name in names.split("+"))
        try:
            value = float(share)
        except ValueError:
            value = 0.0
        if not set(kinds) <= set(_KINDS) or not 0 < value <= 1:
            raise UserError(
                f"`recipe` {text}: choose one of {', '.join(RECIPES)}, or write stages such as"
                " pseudo:0.5,source+target:0.5"
            )
        parsed.append((tuple(kind for kind in _KINDS if kind in kinds and kind in available), value))
    kept = [(kinds, value) for kinds, value in parsed if kinds]
    unused = [kind for kind in available if all(kind not in kinds for kinds, _ in kept)]
    if unused:
        raise UserError(f"`recipe` {text}: leaves out the {' and '.join(unused)} labels, which the run has; name them")
    if steps < len(kept):
        raise UserError(f"`steps` {steps}: fewer than the recipe's {len(kept)} stages; take more")
    total = sum(value for _, value in kept)
    ends = [round(steps * value / total) for value in accumulate(value for _, value in kept)]
    # Every stage has a step, however small its share.
    ends = [min(max(end, index + 1), steps - len(ends) + index + 1) for index, end in enumerate(ends)]
    starts = [0, *ends[:-1]]
    return [Stage(kinds, end - start) for (kinds, _), start, end in zip(kept, starts, ends, strict=True)]


def stage_batches(
    stages: Sequence[Stage], features: Mapping[str, Sequence[Feature]], settings: TrainSettings
) -> Iterator[list[Feature]]:
    """Yields the batches of all stages, the same for the same arguments.

    Args:
        stages: The recipe.
        features: By kind of label.
        settings: Shares, batch size and seed.
    """

    def of(stage: Stage, kind: str) -> Sequence[Feature]:
        return features[kind] if kind in stage.kinds else ()

    return chain.from_iterable(
        schedule(
            of(stage, TARGET),
            of(stage, SOURCE),
            settings.target_share,
            settings.batch_size,
            stage.steps,
            settings.seed + index,
            of(stage, PSEUDO),
            settings.pseudo_weight,
        )
        for index, stage in enumerate(stages)
    )


def stage_rate(stages: Sequence[Stage], warmup: float) -> Callable[[int], float]:
    """Returns the factor of the learning rate by step: in each stage a linear warm-up and a linear decay to zero.

    Args:
        stages: The recipe.
        warmup: Share of a stage's steps over which the rate rises.
    """
    ends = list(accumulate(stage.steps for stage in stages))

    def rate(step: int) -> float:
        index = next((number for number, end in enumerate(ends) if step < end), len(ends) - 1)
        length = stages[index].steps
        inside = step - (ends[index] - length)
        warm = max(1, round(length * warmup))
        return min((inside + 1) / warm, max(0.0, (length - inside) / max(1, length - warm)))

    return rate
