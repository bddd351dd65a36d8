"""What a kind of task declares: everything that the rest of lrc asks of it by name alone."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from lrc_runtime.batching import Model, Served
from lrc_runtime.encoding import ModelInput, TextEncoder
from lrc_runtime.manifest import Decoding

from ..data.examples import BadExamples, Example
from ..data.readers import Columns
from ..data.shots import rank

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer
    from torch import nn

    from .check import Report

E = TypeVar("E", bound=Example)
A = TypeVar("A", bound=Served)
# What became of one example, as the kind keeps it.
J = TypeVar("J")


@dataclass(frozen=True)
class Scheme:
    """What a run and its bundle agree on besides the weights.

    Attributes:
        labels: Names of the classes in the order of the logits; empty where there are none.
        texts: How many texts an input has.
        decoding: Limits on answers.
    """

    labels: tuple[str, ...] = ()
    texts: int = 2
    decoding: Decoding = field(default_factory=Decoding)


@dataclass(frozen=True)
class Feature:
    """One model input with its label.

    Attributes:
        id: Of the example.
        lang: Of the example.
        inputs: The model input.
        targets: What the loss reads, by name: one number each.
        tokens: The first token that a label may name and how many there are; None where the label is of the whole.
    """

    id: str
    lang: str
    inputs: ModelInput
    targets: Mapping[str, int]
    tokens: tuple[int, int] | None = None


@dataclass(frozen=True)
class Score:
    """Scores of one language, over its examples.

    Attributes:
        named: In percent, or thresholds from 0 to 1, by name, the main one first.
        outcomes: The main score of each example, 0 to 1.
        answerable: For each example whether it has an answer; empty where all have one.
    """

    named: Mapping[str, float]
    outcomes: list[float]
    answerable: list[bool] = field(default_factory=list)

    @property
    def main(self) -> float:
        """The main score, in percent."""
        return next(iter(self.named.values()))


@dataclass(frozen=True)
class Steps:
    """How long a run is that does not say so.

    Attributes:
        few: Optimiser steps for a few hundred labels.
        many: For a few thousand.
        batch_size: Examples a step.
    """

    few: int
    many: int
    batch_size: int


class TaskKind(ABC, Generic[E, A, J]):
    """A kind of task: how its examples are read, learned, answered and scored.

    Attributes:
        name: In the settings of a run.
        example: What its examples are.
        served_as: In the manifest of a bundle, where the runtime looks its own side of the kind up.
        what: What a run of it does, in words.
        metric: Name of the metric of a user's own data.
        main_score: Name of the score that counts.
        max_drop: Points of it that a language may lose at the gate.
        reads_tokens: Whether its head reads each token, not the text as a whole; methods have rates for both.
        ranks_windows: Whether its bundles can read only some windows of a long text.
        steps: How long a run is.
        heads: Its task heads by name, the default first.
        means: Whether heads of several runs have a mean.
        outputs: Names of the logits, and whether their second axis is the length.
        suffix: Of the files that `write` makes.
    """

    name: ClassVar[str]
    example: ClassVar[type[Example]]
    served_as: ClassVar[str]
    what: ClassVar[str]
    metric: ClassVar[str]
    main_score: ClassVar[str]
    max_drop: ClassVar[float]
    reads_tokens: ClassVar[bool]
    ranks_windows: ClassVar[bool] = False
    steps: ClassVar[Steps]
    heads: ClassVar[tuple[str, ...]]
    means: ClassVar[bool]
    outputs: ClassVar[Mapping[str, bool]]
    suffix: ClassVar[str]

    @abstractmethod
    def fits(self, columns: Sequence[str], row: Mapping[str, Any]) -> bool:
        """Whether a table is of this kind.

        Args:
            columns: Names that the user gives to columns of lrc; none where the file has lrc's.
            row: The first row; empty where there is none.
        """

    @abstractmethod
    def scan(
        self,
        source: str | Path,
        lang: str,
        bad: BadExamples,
        columns: Columns | None = None,
        split: str = "train",
        ids: str = "auto",
    ) -> Iterator[tuple[str, E]]:
        """Yields examples and where they stand, also those that `fault` finds something in, with ids as given."""

    def fault(self, example: E) -> str | None:
        """Tells what makes an example useless that could be read; None where nothing does."""
        return None

    def scheme(self, settings: Any) -> Scheme:
        """Returns the scheme that a run's settings ask for."""
        return Scheme(tuple(settings.labels), settings.texts, Decoding(settings.max_answer_length))

    def resolve(self, settings: Any, examples: Sequence[E], dev: Sequence[E]) -> None:
        """Fills in the settings that only the labels tell.

        Args:
            settings: They are changed.
            examples: Everything that the run learns from.
            dev: What it is scored on.

        Raises:
            UserError: If the examples do not go together.
        """

    def augment(self, examples: Sequence[E], seed: int) -> list[E]:
        """Changes source and pseudo-labels so that more is learned from them.

        Args:
            examples: Source or pseudo-labels.
            seed: Of the choice.

        Returns:
            The examples in an order fixed by the seed.
        """
        return sorted(examples, key=lambda item: rank(seed, f"distractor {item.id}"))

    @abstractmethod
    def build_head(self, name: str, width: int, separator: int, scheme: Scheme) -> "nn.Module":
        """Makes a task head of fresh weights.

        Args:
            name: One of `heads`.
            width: Size of the hidden states.
            separator: Token id that ends each text.
            scheme: Of the run.

        Raises:
            UserError: If the head does not go with the scheme.
        """

    @abstractmethod
    def features(self, examples: Sequence[E], encoder: TextEncoder, scheme: Scheme) -> list[Feature]:
        """Encodes examples with their labels."""

    @abstractmethod
    def loss(
        self, outputs: "dict[str, torch.Tensor]", batch: "dict[str, torch.Tensor]", smoothing: float = 0.0
    ) -> "torch.Tensor":
        """Returns the cross-entropy of the labels, the mean over the batch.

        Args:
            outputs: The head's logits.
            batch: What `lrc.training.batching.collate` makes of features.
            smoothing: Share of the target mass that is spread evenly (label smoothing, Szegedy et al. 2016).
        """

    @abstractmethod
    def answerer(self, encoder: TextEncoder, model: Model, scheme: Scheme) -> A:
        """Wraps a model as the runtime wraps that of a bundle."""

    @abstractmethod
    def judge(self, answerer: A, examples: Sequence[E], metric: str) -> list[J]:
        """Lets a run or a bundle answer examples."""

    @abstractmethod
    def score(self, judged: Sequence[J]) -> Score:
        """Sums up what became of the examples of one language, at least one."""

    @abstractmethod
    def trivial(self, examples: Sequence[E], metric: str) -> float:
        """Returns the main score, in percent, of an answerer that has learned nothing."""

    @abstractmethod
    def confidences(self, answerer: A, examples: Sequence[E], metric: str) -> list[tuple[float, bool]]:
        """Returns for each example that has an answer the log-probability of the one given, and whether it is right."""

    def margins(self, answerer: A, examples: "Mapping[str, Sequence[E]]") -> "Margins | None":
        """Returns what tells examples without an answer; None where there are none of the kind."""
        return None

    def config(self, scheme: Scheme) -> dict[str, Any]:
        """Returns what a transformers configuration says of the task."""
        return {}

    @abstractmethod
    def write(self, path: Path, examples: Sequence[E]) -> None:
        """Writes examples as a file that `scan` reads."""

    @abstractmethod
    def row(self, example: E) -> dict[str, Any]:
        """Returns what a row of a table holds of an example beside its id and language."""

    @abstractmethod
    def text_key(self, example: E) -> tuple[str, ...]:
        """Returns what two examples share that are the same but for their labels."""

    def find_faults(
        self, report: "Report", found: Sequence[tuple[str, E]], tokenizer: "Tokenizer | None", max_answer_length: int
    ) -> None:
        """Looks for what is wrong with the examples of a file in ways of this kind alone, see `lrc.tasks.check`.

        Args:
            report: Of the file.
            found: Its examples, each with where it stands.
            tokenizer: Of the backbone; without one, nothing is said about tokens.
            max_answer_length: Longest answer that decoding allows, in tokens.
        """

    def repair(self, example: E) -> E | None:
        """Returns an example as it should be; None where it cannot be saved."""
        return example


@dataclass(frozen=True)
class Margins:
    """How far a model is from "no answer".

    Attributes:
        values: Log-odds of the best answer against none.
        answered: Whether there is an answer.
        real: How many of those without one are from the user's labels, not made.
    """

    values: list[float]
    answered: list[bool]
    real: int


Progress = Callable[[int], None]
