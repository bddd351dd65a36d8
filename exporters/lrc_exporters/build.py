"""What is compiled, how, and what the passes hand to each other."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from torch import nn

from lrc_runtime.calibration import Calibration
from lrc_runtime.encoding import Ints, ModelInput, TextEncoder
from lrc_runtime.manifest import MODEL, Manifest
from lrc_runtime.session import Session

from . import gate
from .gate import Scored
from .proof import Model, largest_difference, torch_run
from .quantisers.int8 import INT8
from .quantisers.quantiser import Quantiser
from .vocabulary import Choice, Renumbering

FP32 = "fp32"
# Outputs by name and whether their second axis is the length.
Outputs = dict[str, bool]
Score = Callable[[Model, TextEncoder], Scored | None]
Calibrate = Callable[[Model, TextEncoder], tuple[Calibration, dict[str, Any]] | None]


@dataclass(frozen=True)
class Source:
    """What is compiled.

    Attributes:
        tuned: The module as it was trained, the reference of the proof.
        plain: The same, lowered: no adapters, every learned thing a constant. It is changed.
        table: Its embedding table.
        fused: While the context that it gives lasts, `plain` emits the operators of `operators` when it is exported.
        inputs: Names of the arrays that both take, in order, of those that `TextEncoder.collate` makes.
        outputs: Names of the outputs, and whether their second axis is the length.
        tokenizer: The tokenizer.
        encoder: Pads batches of `texts`.
        texts: Real model inputs of different lengths, at least seven, for tracing and proof.
        samples: Text of each language, on which the vocabulary is described.
        config: Content of `config.json`, with which optimum opens the bundle.
        score: Scores a model on labelled data; None where there is none.
        calibrate: Fits a model's confidence on labelled data, and says for the manifest how well; None where there is
            too little.
        ranks_windows: Whether the windows of a long text are ranked, for which the bundle has the table as a graph.
    """

    tuned: nn.Module
    plain: nn.Module
    table: nn.Embedding
    fused: Callable[[], AbstractContextManager[None]]
    inputs: list[str]
    outputs: Outputs
    tokenizer: Tokenizer
    encoder: TextEncoder
    texts: Sequence[ModelInput]
    samples: dict[str, list[str]]
    config: dict[str, Any]
    score: Score
    calibrate: Calibrate
    ranks_windows: bool = False


@dataclass(frozen=True)
class Options:
    """How it is compiled.

    Attributes:
        vocabulary: What the vocabulary is trimmed for; None leaves it whole.
        without: Names of passes to leave out.
        quantiser: Writes the graph in fewer bits; None leaves it in float32.
        table_bits: Bits of the embedding table, 2, 4 or 8.
        max_drop: Points that a language may lose at the gate.
        force: Whether to go on where the gate refuses.
        tasks: Number of tasks in the bundle.
    """

    vocabulary: Choice | None = None
    without: frozenset[str] = frozenset()
    quantiser: Quantiser | None = INT8
    table_bits: int = 2
    max_drop: float = 1.0
    force: bool = False
    tasks: int = 1

    @property
    def precision(self) -> str:
        """What the manifest calls the outcome."""
        return self.quantiser.precision if self.quantiser else FP32


@dataclass
class Build:
    """What the passes work on.

    Attributes:
        name: Of the task; None for a bundle's first.
        source: What is compiled.
        options: How.
        manifest: Grows from pass to pass.
        folder: Where the graph is worked on.
        renumbering: How ids changed, if the vocabulary was trimmed.
        tokenizer: The bundle's.
        encoder: Of that tokenizer.
        embedded: Tensor of the graph that the token ids are looked up into.
        session: The graph as it is by now.
        metrics: What was measured.
        proof: Differences of the outputs.
    """

    name: str | None
    source: Source
    options: Options
    manifest: Manifest
    folder: Path
    tokenizer: Tokenizer
    encoder: TextEncoder
    renumbering: Renumbering | None = None
    embedded: str | None = None
    session: Session | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    proof: dict[str, float] = field(default_factory=dict)

    @property
    def graph(self) -> Path:
        """The model file."""
        return self.folder / MODEL

    def open(self) -> Session:
        """Opens the graph as it is now."""
        self.session = Session(self.graph)
        return self.session

    def refused(self, before: Scored | None, after: Scored | None) -> bool:
        """Tells whether the gate would refuse such a loss."""
        found = gate.losses(before, after)
        return "gate" not in self.options.without and bool(gate.refused(found, self.options.max_drop))

    def typical_batches(self) -> Iterator[dict[str, Ints]]:
        """Yields the real inputs one by one, numbered as the graph takes them."""
        for row in self.source.texts:
            batch = self.source.encoder.collate([row])
            if self.renumbering is not None:
                batch["input_ids"] = self.renumbering.new[batch["input_ids"]]
            yield {name: batch[name] for name in self.source.inputs}

    def difference(self, candidate: Model) -> float:
        """Compares outputs with those of the tuned module, on pieces that both know."""
        source, run, texts = self.source, candidate, self.source.texts
        if self.renumbering is not None:
            known, new = self.renumbering.known, self.renumbering.new
            texts = [replace(row, input_ids=known[row.input_ids]) for row in texts]

            def run(batch: dict[str, Any]) -> dict[str, Any]:
                return candidate({**batch, "input_ids": new[batch["input_ids"]]})

        return largest_difference(torch_run(source.tuned), run, source.encoder, texts, source.inputs)
