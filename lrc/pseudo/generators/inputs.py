"""What a generator declares, and what it may read: opened when it is asked for, so that text alone needs no torch."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...data.examples import BadExamples, Example, Question
from ...data.parallel import SentencePair, read_parallel
from ...data.passages import Passage, read_passages
from ...data.readers import Columns, answer_fault, scan_pairs, scan_questions
from ...tasks.check import guess_kind
from ...tasks.registry import QA
from ..examples import Made
from ..text import Document, Frequencies, Segmenter

if TYPE_CHECKING:
    from ..vectors import WordVectors

# Passages that are read ahead, so that the first ones too meet counts worth something.
_AHEAD = 500


@dataclass(frozen=True)
class Request:
    """What `lrc pseudo` is asked for.

    Attributes:
        generator: One of `GENERATORS`.
        source: A file or folder of unlabelled text, see `lrc.data.passages`, or questions or labels in any format of
            labels: what the generator reads.
        lang: Language of what is made.
        out: File to write.
        seed: Of the choices that the generator makes.
        limit: Most examples.
        least_score: Examples that score less are left out.
        skip_bad: Whether to drop what cannot be read.
        backbone: Its pieces are the words of scripts without spaces, its vectors tell what is alike.
        device: Where it runs.
        run: The run or bundle that answers.
        parallel: Text in the language of the source and its translation.
        columns: Names of the columns of questions or labels, where they are not lrc's.
    """

    generator: str
    source: Path
    lang: str
    out: Path
    seed: int
    limit: int | None
    least_score: float
    skip_bad: bool
    backbone: str
    device: str
    run: Path | None
    parallel: Sequence[Path]
    columns: Columns | None


class Inputs:
    """What a generator may read.

    Args:
        request: What is asked for.
        bad: Takes what cannot be read.
        advance: Called with the number of passages or labels read since the last call.
    """

    def __init__(self, request: Request, bad: BadExamples, advance: Callable[[int], None]) -> None:
        self.request = request
        self.lang = request.lang
        self.rng = np.random.default_rng(request.seed)
        self.frequencies = Frequencies()
        self._bad = bad
        self._advance = advance

    @cached_property
    def segmenter(self) -> Segmenter:
        """Finds words."""
        from ...backbones.load import load_tokenizer

        return Segmenter(load_tokenizer(self.request.backbone))

    @cached_property
    def vectors(self) -> "WordVectors":
        """Vectors of words, out of the backbone."""
        from ...backbones.load import load_backbone
        from ...devices import pick_device
        from ..vectors import WordVectors

        return WordVectors(load_backbone(self.request.backbone), pick_device(self.request.device))

    def documents(self) -> Iterator[Document]:
        """Reads the source as passages, and counts their words in `frequencies` ahead of those it yields."""
        ahead: deque[Document] = deque()
        passages: Iterator[Passage | None] = chain(read_passages(self.request.source, self._bad), repeat(None))
        for passage in passages:
            if passage is not None:
                ahead.append(self.segmenter.document(passage))
                self.frequencies.add(ahead[-1])
            if not ahead:
                return
            if passage is None or len(ahead) > _AHEAD:
                self._advance(1)
                yield ahead.popleft()

    def pairs(self) -> list[SentencePair]:
        """Reads the parallel text."""
        return read_parallel(self.request.parallel)

    def questions(self) -> Iterator[Question]:
        """Reads the source as questions, answered or not."""
        request = self.request
        for _, question in scan_questions(request.source, request.lang, self._bad, request.columns, unanswered=True):
            yield question
            self._advance(1)

    def labels(self) -> Iterator[Example]:
        """Reads the source as labels, questions or pairs."""
        path, lang, columns = self.request.source, self.request.lang, self.request.columns
        scan = scan_questions if guess_kind(path, columns) == QA else scan_pairs
        scanned: Iterator[tuple[str, Example]] = scan(path, lang, self._bad, columns)
        for where, example in scanned:
            fault = answer_fault(example) if isinstance(example, Question) else None
            if fault is None:
                yield example
            else:
                self._bad.found(f"{where}: question {example.id}: {fault}")
            self._advance(1)


Make = Callable[[Inputs], Iterator[Made]]


@dataclass(frozen=True)
class Generator:
    """A way to make examples.

    Attributes:
        make: Makes them of the source alone; None where that is not enough.
        translated: Makes them with parallel text; None where that is of no use.
        run: Whether it needs a run or a bundle that answers.
    """

    make: Make | None = None
    translated: Make | None = None
    run: bool = False
