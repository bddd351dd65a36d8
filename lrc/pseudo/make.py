"""`lrc pseudo`: unlabelled text in, a file of pseudo-labelled examples out, in constant memory."""

import itertools
import json
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ..console import note, progress
from ..data.examples import BadExamples
from ..data.passages import Passage, read_passages
from ..errors import UserError
from .clozes import clozes
from .questions import PseudoQuestion
from .spans import recurring_spans
from .text import Frequencies, keys, words

# Passages that are read ahead, so that the first ones too meet counts worth something.
_AHEAD = 2000

Generator = Callable[[Iterator[Passage], str, Frequencies, np.random.Generator], Iterator[PseudoQuestion]]
GENERATORS: dict[str, Generator] = {"spans": recurring_spans, "clozes": clozes}


def make(
    generator: str, texts: Path, lang: str, out: Path, seed: int, limit: int | None, least_score: float, skip_bad: bool
) -> int:
    """Writes pseudo-labelled examples as JSONL, which every reader of labels takes.

    Args:
        generator: Name of the generator.
        texts: A file or folder of unlabelled text, see `lrc.data.passages`.
        lang: Its language.
        out: File to write.
        seed: Of the choices that the generator makes.
        limit: Most examples.
        least_score: Examples that score less are left out.
        skip_bad: Whether to drop lines that cannot be read.

    Returns:
        Number of examples.

    Raises:
        UserError: If the text cannot be read, the generator is unknown, or nothing could be made.
    """
    if generator not in GENERATORS:
        raise UserError(f"--generator {generator}: choose one of {', '.join(GENERATORS)}")
    if out.exists():
        raise UserError(f"--out {out}: exists already; name a new file")
    bad = BadExamples(skip_bad)
    frequencies = Frequencies()
    rng = np.random.default_rng(seed)
    count = 0
    note(f"making {generator} from {texts}; writing to {out}")
    out.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=out.parent, prefix=f".{out.name}.", delete=False
        ) as file,
        progress("passages", 0) as advance,
    ):
        partial = Path(file.name)
        try:
            passages = _counted(read_passages(texts, bad), frequencies, advance)
            for question in GENERATORS[generator](passages, lang, frequencies, rng):
                if question.score >= least_score:
                    file.write(json.dumps(question.to_row(), ensure_ascii=False) + "\n")
                    count += 1
                    if count == limit:
                        break
            if not count:
                raise UserError(f"{texts}: {generator} made nothing of it; is it running text in sentences?")
            file.close()
            partial.chmod(0o644)
            partial.rename(out)
        finally:
            partial.unlink(missing_ok=True)
    if bad.count:
        note(f"dropped {bad.count} bad lines")
    note(f"wrote {count} examples from {frequencies.passages} passages to {out}")
    return count


def _counted(
    passages: Iterator[Passage], frequencies: Frequencies, advance: Callable[[int], None]
) -> Iterator[Passage]:
    """Counts the words of passages `_AHEAD` of those it yields."""
    ahead: deque[Passage] = deque()
    for passage in itertools.chain(passages, itertools.repeat(None)):
        if passage is not None:
            frequencies.add(keys([word.of(passage.text).casefold() for word in words(passage.text)]))
            ahead.append(passage)
        if not ahead:
            return
        if passage is None or len(ahead) > _AHEAD:
            advance(1)
            yield ahead.popleft()
