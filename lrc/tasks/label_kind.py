"""What kinds of task share that give an input one of a few labels."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from lrc_runtime.encoding import TextEncoder

from ..errors import UserError
from .kind import A, E, Feature, Scheme, Score, Steps, TaskKind

if TYPE_CHECKING:
    import torch
    from torch import nn

POOLED, INTERACTION = "pooled", "interaction"


class Verdict(NamedTuple):
    """What became of one example.

    Attributes:
        given: Label that was given.
        label: Its own.
        score: Probability that was given for the former.
    """

    given: str
    label: str
    score: float


class LabelKind(TaskKind[E, A, Verdict]):
    """A kind whose examples have a label each, of few."""

    metric = "accuracy"
    main_score = "accuracy"
    max_drop = 0.5
    reads_tokens = False
    steps = Steps(few=250, many=600, batch_size=32)
    heads = (POOLED, INTERACTION)
    # It begins by chance, and enters the model through a layer of its own.
    means = False
    outputs: ClassVar[dict[str, bool]] = {"logits": False}

    @abstractmethod
    def label(self, example: E) -> str:
        """Returns the name of an example's label."""

    @abstractmethod
    def labels(self, answerer: A) -> Sequence[str]:
        """Returns the labels that a run or a bundle gives."""

    @abstractmethod
    def verdicts(self, answerer: A, examples: Sequence[E]) -> list[tuple[str, float]]:
        """Returns the label that is given to each example, and its probability."""

    def build_head(self, name: str, width: int, separator: int, scheme: Scheme) -> "nn.Module":
        """Makes a head of as many labels as the scheme has."""
        from .label_heads import InteractionHead, PooledHead

        if name == POOLED:
            return PooledHead(width, len(scheme.labels))
        if scheme.texts == 1:
            raise UserError(f"`head` {name}: compares two texts, and these labels are of one; use `head` {POOLED}")
        return InteractionHead(width, separator, len(scheme.labels))

    def features(self, examples: Sequence[E], encoder: TextEncoder, scheme: Scheme) -> list[Feature]:
        """Encodes texts, one feature for each example."""
        index = {label: at for at, label in enumerate(scheme.labels)}
        if unknown := [example for example in examples if self.label(example) not in index]:
            raise UserError(
                f"{unknown[0].id}: has the label {self.label(unknown[0])!r}, and the run knows"
                f" {', '.join(scheme.labels)}"
            )
        tokens = [encoder.tokenize([example.texts[at] for example in examples]) for at in range(scheme.texts)]
        inputs = [
            encoder.pair(*both) if len(both) == 2 else encoder.single(*both) for both in zip(*tokens, strict=True)
        ]
        return [
            Feature(example.id, example.lang, row, {"labels": index[self.label(example)]})
            for example, row in zip(examples, inputs, strict=True)
        ]

    def loss(
        self, outputs: "dict[str, torch.Tensor]", batch: "dict[str, torch.Tensor]", smoothing: float = 0.0
    ) -> "torch.Tensor":
        """Returns the cross-entropy of `labels`, (batch,)."""
        from torch import nn

        return nn.functional.cross_entropy(outputs["logits"].float(), batch["labels"], label_smoothing=smoothing)

    def judge(self, answerer: A, examples: Sequence[E], metric: str) -> list[Verdict]:
        """Lets a run or a bundle label examples.

        Raises:
            UserError: If an example has a label that is not among those of the run.
        """
        known = self.labels(answerer)
        for example in examples:
            if self.label(example) not in known:
                raise UserError(
                    f"{example.NOUN.removesuffix('s')} {example.id}: has the label {self.label(example)!r}, which was"
                    f" not trained on; what is scored knows {', '.join(known)}"
                )
        return [
            Verdict(given, self.label(example), score)
            for example, (given, score) in zip(examples, self.verdicts(answerer, examples), strict=True)
        ]

    def score(self, judged: Sequence[Verdict]) -> Score:
        """Returns the accuracy."""
        outcomes = [float(one.given == one.label) for one in judged]
        return Score({"accuracy": 100 * float(np.mean(outcomes))}, outcomes)

    def trivial(self, examples: Sequence[E], metric: str) -> float:
        """Returns the share of the label that most examples have."""
        labels = Counter(map(self.label, examples))
        return 100 * max(labels.values()) / labels.total()

    def confidences(self, answerer: A, examples: Sequence[E], metric: str) -> list[tuple[float, bool]]:
        """Returns the log-probability of each label given, and whether it is right."""
        return [(float(np.log(one.score)), one.given == one.label) for one in self.judge(answerer, examples, metric)]

    def config(self, scheme: Scheme) -> dict[str, Any]:
        """Names the labels."""
        return {
            "id2label": dict(enumerate(scheme.labels)),
            "label2id": {label: index for index, label in enumerate(scheme.labels)},
        }
