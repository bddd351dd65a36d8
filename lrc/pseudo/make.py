"""`lrc pseudo`: unlabelled text, labels or questions in, a file of pseudo-labelled examples out, in constant memory."""

import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, repeat
from pathlib import Path

import numpy as np

from ..console import note, progress
from ..data.examples import BadExamples, Example, Question
from ..data.parallel import read_parallel
from ..data.passages import Passage, read_passages
from ..data.readers import Columns, answer_fault, scan_pairs, scan_questions
from ..errors import UserError
from ..files import claimed, replace_file
from ..tasks.check import guess_kind
from ..tasks.registry import QA, find_task
from .examples import Made, to_row
from .text import Document, Frequencies, Segmenter

# Passages that are read ahead, so that the first ones too meet counts worth something.
_AHEAD = 500
# Questions among which answers are looked for to calibrate on.
_HEAD = 256

SPANS, CLOZES, SELF = "spans", "clozes", "self"
SWAPS, REORDERINGS, ROUND_TRIPS = "swaps", "reorderings", "roundtrips"
CODE_SWITCH = "codeswitch"
GENERATORS = (SPANS, CLOZES, SELF, SWAPS, REORDERINGS, ROUND_TRIPS, CODE_SWITCH)

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Request:
    """What `lrc pseudo` is asked for.

    Attributes:
        generator: One of `GENERATORS`.
        source: A file or folder of unlabelled text, see `lrc.data.passages`; for `self` questions and for `codeswitch`
            labels, in any format of labels.
        lang: Language of the text; for `codeswitch` the language to switch to.
        out: File to write.
        seed: Of the choices that the generator makes.
        limit: Most examples.
        least_score: Examples that score less are left out.
        skip_bad: Whether to drop what cannot be read.
        backbone: Its pieces are the words of scripts without spaces, its vectors tell what is alike.
        device: Where it runs.
        run: For `self`, the run or bundle that answers.
        parallel: For `roundtrips`, for `swaps` in other words and for `clozes` across languages, text in `lang` and its
            translation; for `codeswitch` text in the labels' language and its translation into `lang`.
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


def make(request: Request) -> int:
    """Writes pseudo-labelled examples as JSONL, which every reader of labels takes.

    Returns:
        Number of examples.

    Raises:
        UserError: If something cannot be read, an option is unknown or missing, or nothing could be made.
    """
    _check(request)
    bad = BadExamples(request.skip_bad)
    count = 0
    note(f"making {request.generator} from {request.source}; writing to {request.out}")
    with claimed(request.out), replace_file(request.out, new=True) as file, progress("read", 0) as advance:
        for made in _generate(request, bad, advance):
            if made.score >= request.least_score:
                file.write(json.dumps(to_row(made, request.generator), ensure_ascii=False).encode() + b"\n")
                count += 1
                if count == request.limit:
                    break
        if not count:
            raise UserError(f"{request.source}: {request.generator} made nothing of it that scores enough")
    if bad.count:
        note(f"dropped {bad.count} bad lines")
    note(f"wrote {count} examples to {request.out}")
    return count


def _check(request: Request) -> None:
    name = request.generator
    if name not in GENERATORS:
        raise UserError(f"`generator` {name}: choose one of {', '.join(GENERATORS)}")
    if (request.run is not None) != (name == SELF):
        raise UserError(f"`run`: generator {SELF} needs a run or a bundle, and no other takes one")
    if name not in (SWAPS, CLOZES) and bool(request.parallel) != (name in (ROUND_TRIPS, CODE_SWITCH)):
        raise UserError(
            f"`parallel` or `bitext`: generators {ROUND_TRIPS} and {CODE_SWITCH} need one, {SWAPS} and {CLOZES}"
            " may have one, and no other takes it"
        )
    if request.out.exists():
        raise UserError(f"`out` {request.out}: exists already; name a new file")


def _generate(request: Request, bad: BadExamples, advance: Advance) -> Iterator[Made]:
    # Each generator brings its own imports: those that only read text need no torch.
    lang, name = request.lang, request.generator
    rng = np.random.default_rng(request.seed)
    if name == SELF:
        return _self_labels(request, bad, advance)
    if name == SPANS or (name == CLOZES and not request.parallel):
        from ..backbones.load import load_tokenizer
        from .clozes import clozes
        from .spans import recurring_spans

        frequencies = Frequencies()
        documents = _documents(request, Segmenter(load_tokenizer(request.backbone)), frequencies, bad, advance)
        return (recurring_spans if name == SPANS else clozes)(documents, lang, frequencies, rng)
    return _with_vectors(request, bad, rng, advance)


def _with_vectors(request: Request, bad: BadExamples, rng: np.random.Generator, advance: Advance) -> Iterator[Made]:
    from ..backbones.load import load_backbone
    from ..devices import pick_device
    from .codeswitch import code_switch
    from .lexicon import induce
    from .reorderings import reorderings
    from .roundtrips import paraphrases, round_trips
    from .swaps import reworded_swaps, swaps
    from .translated import translated_clozes
    from .vectors import WordVectors

    lang, name = request.lang, request.generator
    backbone = load_backbone(request.backbone)
    vectors = WordVectors(backbone, pick_device(request.device))
    segmenter = Segmenter(backbone.tokenizer)
    if name == CODE_SWITCH:
        lexicon, _ = induce(read_parallel(request.parallel), segmenter, vectors)
        return code_switch(_labels(request, bad, advance), lang, lexicon, segmenter, rng)
    frequencies = Frequencies()
    documents = _documents(request, segmenter, frequencies, bad, advance)
    if name == REORDERINGS:
        return reorderings(documents, lang, frequencies, vectors, rng)
    if not request.parallel:
        return swaps(documents, lang, frequencies, vectors, rng)
    pairs = read_parallel(request.parallel)
    if name == CLOZES:
        return translated_clozes(documents, lang, pairs, segmenter, vectors, rng)
    table = paraphrases(*induce(pairs, segmenter, vectors))
    if name == ROUND_TRIPS:
        return round_trips(documents, lang, frequencies, table, vectors, rng)
    swapped = swaps(documents, lang, frequencies, vectors, rng)
    return reworded_swaps(swapped, segmenter, frequencies, table, vectors, rng)


def _self_labels(request: Request, bad: BadExamples, advance: Advance) -> Iterator[Made]:
    from lrc_runtime import QuestionAnswerer

    from ..evaluation.evaluate import open_subject
    from ..training.labels import draw_labels
    from .selflabels import FEWEST_KNOWN, calibrate, self_labels

    assert request.run is not None
    subject = open_subject(request.run, request.device)
    if not isinstance(subject.answerer, QuestionAnswerer):
        raise UserError(f"`run` {request.run}: compares sentences; {SELF} needs one that answers questions")
    metric = find_task(subject.settings.task).metric
    questions = (item for item in _labels(request, bad, advance) if isinstance(item, Question))
    head = list(islice(questions, _HEAD))
    known = [item for item in head if item.answers]
    if len(known) >= FEWEST_KNOWN:
        what = "of the questions themselves"
    else:
        what = "dev questions"
        settings = subject.settings
        own = [path for path in (settings.train, settings.dev, settings.shots_file) if path]
        if not all(os.path.isabs(path) or path.startswith("hf:") for path in own):
            raise UserError(
                f"`run` {request.run}: a bundle does not tell where its own labels lie; give the run that it was made"
                f" of, or at least {FEWEST_KNOWN} questions with answers"
            )
        # Of the run's files no other is needed, and a bundle does not tell where they lie.
        _, groups = draw_labels(settings, BadExamples(settings.skip_bad))
        dev = groups.get(request.lang) or list(chain.from_iterable(groups.values()))
        known = [item for item in dev if isinstance(item, Question)]
    calibration = calibrate(subject.answerer, known, metric)
    note(f"scores calibrated on {calibration.count} {what}, {calibration.right} of them answered right")
    return self_labels(chain(head, questions), subject.answerer, calibration)


def _labels(request: Request, bad: BadExamples, advance: Advance) -> Iterator[Example]:
    path = request.source
    if request.generator == SELF:
        scanned: Iterator[tuple[str, Example]] = scan_questions(
            path, request.lang, bad, request.columns, unanswered=True
        )
    elif guess_kind(path, request.columns) == QA:
        scanned = scan_questions(path, request.lang, bad, request.columns)
    else:
        scanned = scan_pairs(path, request.lang, bad, request.columns)
    for where, example in scanned:
        fault = answer_fault(example) if isinstance(example, Question) and request.generator != SELF else None
        if fault is None:
            yield example
        else:
            bad.found(f"{where}: question {example.id}: {fault}")
        advance(1)


def _documents(
    request: Request, segmenter: Segmenter, frequencies: Frequencies, bad: BadExamples, advance: Advance
) -> Iterator[Document]:
    """Reads passages, and counts their words `_AHEAD` of those it yields."""
    ahead: deque[Document] = deque()
    passages: Iterator[Passage | None] = chain(read_passages(request.source, bad), repeat(None))
    for passage in passages:
        if passage is not None:
            ahead.append(segmenter.document(passage))
            frequencies.add(ahead[-1])
        if not ahead:
            return
        if passage is None or len(ahead) > _AHEAD:
            advance(1)
            yield ahead.popleft()
