"""Question answering: the answer is a span of the context."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lrc_runtime import QuestionAnswerer
from lrc_runtime.batching import Model
from lrc_runtime.calibration import Calibration
from lrc_runtime.encoding import TextEncoder
from lrc_runtime.manifest import QUESTION_ANSWERING

from ...data.examples import BadExamples, Question, short
from ...data.offsets import repair
from ...data.readers import Columns, answer_fault, scan_questions
from ...data.writers import write_questions
from ..kind import Feature, Margins, Scheme, Score, Steps, TaskKind
from .distractors import add_distractors
from .metrics import span_scores
from .unanswerable import Outcome, scores_of_both

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer
    from torch import nn

    from ..check import Report

LINEAR, QUESTION = "linear", "question"
# Probability of "no answer" above which `Answer.answered` is false.
REFUSED = 0.5
# Fewer questions without an answer in a language say too little of them; others are made then.
_FEWEST_UNANSWERABLE = 5


class Spans(TaskKind[Question, QuestionAnswerer, Outcome]):
    """Question answering."""

    name = "qa"
    example = Question
    served_as = QUESTION_ANSWERING
    what = "answers questions"
    metric = "squad"
    main_score = "f1"
    max_drop = 1.0
    reads_tokens = True
    ranks_windows = True
    steps = Steps(few=250, many=700, batch_size=8)
    heads = (LINEAR, QUESTION)
    means = True
    outputs: ClassVar[dict[str, bool]] = {"start_logits": True, "end_logits": True}
    suffix = ".json"

    def fits(self, columns: Sequence[str], row: Mapping[str, Any]) -> bool:
        """Whether there is a question."""
        return "question" in columns or "question" in row

    def scan(
        self,
        source: str | Path,
        lang: str,
        bad: BadExamples,
        columns: Columns | None = None,
        split: str = "train",
        ids: str = "auto",
    ) -> Iterator[tuple[str, Question]]:
        """Yields questions, see `lrc.data.readers`."""
        return scan_questions(source, lang, bad, columns, split, ids=ids)

    def fault(self, example: Question) -> str | None:
        """Tells what is wrong with the offsets of the answers."""
        return answer_fault(example)

    def scheme(self, settings: Any) -> Scheme:
        """Returns the limits on answers."""
        return Scheme(decoding=super().scheme(settings).decoding)

    def augment(self, examples: Sequence[Question], seed: int) -> list[Question]:
        """Joins contexts with a piece of another."""
        return add_distractors(examples, seed)

    def build_head(self, name: str, width: int, separator: int, scheme: Scheme) -> "nn.Module":
        """Makes a head of start and end logits."""
        from .heads import QuestionSpanHead, SpanHead

        return SpanHead(width) if name == LINEAR else QuestionSpanHead(width, separator)

    def features(self, examples: Sequence[Question], encoder: TextEncoder, scheme: Scheme) -> list[Feature]:
        """Encodes questions, a feature for each window that teaches something."""
        from .features import build_features

        return build_features(examples, encoder, scheme.decoding.max_answer_length)

    def loss(
        self, outputs: "dict[str, torch.Tensor]", batch: "dict[str, torch.Tensor]", smoothing: float = 0.0
    ) -> "torch.Tensor":
        """Returns the mean cross-entropy of start and end.

        Args:
            outputs: `start_logits` and `end_logits`, (batch, length).
            batch: `start_positions` and `end_positions` (batch,) and `span_mask` (batch, length), true where a span may
                begin or end and at the first token, which means "no answer here".
            smoothing: Share of the target mass that is spread over the tokens of `span_mask`.
        """
        import torch
        from torch import nn

        allowed = batch["span_mask"]
        total = outputs["start_logits"].new_zeros((), dtype=torch.float32)
        for side in ("start", "end"):
            logits = outputs[f"{side}_logits"].float().masked_fill(~allowed, -1e9)
            loss = nn.functional.cross_entropy(logits, batch[f"{side}_positions"])
            if smoothing:
                even = -(logits.log_softmax(-1) * allowed).sum(-1) / allowed.sum(-1)
                loss = (1 - smoothing) * loss + smoothing * even.mean()
            total = total + loss / 2
        return total

    def answerer(self, encoder: TextEncoder, model: Model, scheme: Scheme) -> QuestionAnswerer:
        """Wraps a model that marks spans."""
        return QuestionAnswerer(encoder, model, scheme.decoding)

    def judge(self, answerer: QuestionAnswerer, examples: Sequence[Question], metric: str) -> list[Outcome]:
        """Asks questions and compares the best spans with the accepted answers."""
        answers = answerer.answer_batch([one.question for one in examples], [one.context for one in examples])
        return [
            Outcome(
                *span_scores(answer.text, [text for text, _ in one.answers], one.lang, metric),
                answer.no_answer,
                bool(one.answers),
            )
            for one, answer in zip(examples, answers, strict=True)
        ]

    def score(self, judged: Sequence[Outcome]) -> Score:
        """Returns F1 and exact match.

        Where some of the questions have no answer, the answerer may refuse, as SQuAD v2.0 has it: an answer that it
        thinks wrong (`Answer.answered`) counts as none. Where all have one, its best span counts whatever it thinks.
        """
        answerable = [outcome.answerable for outcome in judged]
        threshold = 1.0 if all(answerable) else REFUSED
        f1, exact = np.array([outcome.at(threshold) for outcome in judged]).T
        named = {"f1": 100 * float(f1.mean()), "exact_match": 100 * float(exact.mean())}
        if all(answerable):
            return Score(named, f1.tolist())
        return Score(named | scores_of_both(judged, threshold), f1.tolist(), answerable)

    def trivial(self, examples: Sequence[Question], metric: str) -> float:
        """Returns the F1 of the whole context as the answer, or of no answer to all where that is better."""
        scores = [span_scores(q.context, [text for text, _ in q.answers], q.lang, metric)[0] for q in examples]
        return 100 * max(float(np.mean(scores)), float(np.mean([not q.answers for q in examples])))

    def confidences(
        self, answerer: QuestionAnswerer, examples: Sequence[Question], metric: str
    ) -> list[tuple[float, bool]]:
        """Returns log-probabilities of the best spans, and whether each is an accepted answer, spelling aside."""
        known = [one for one in examples if one.answers]
        found = []
        searches = answerer.search([one.question for one in known], [one.context for one in known])
        for one, search in zip(known, searches, strict=True):
            answers = search.answers(Calibration())
            text = answers[0].text if answers else ""
            exact = span_scores(text, [text for text, _ in one.answers], one.lang, metric)[1]
            found.append((search.best, bool(exact)))
        return found

    def margins(self, answerer: QuestionAnswerer, examples: Mapping[str, Sequence[Question]]) -> Margins | None:
        """Asks questions of contexts that answer them and of such that do not.

        Questions that their contexts do not answer are taken where a language has some; elsewhere each question is
        asked of its own context and of another.
        """
        asked: list[tuple[Question, str, bool]] = []
        real = 0
        for group in examples.values():
            known = [one for one in group if one.answers]
            unanswerable = len(group) - len(known)
            made: list[tuple[Question, str, bool]] = []
            if unanswerable < _FEWEST_UNANSWERABLE and len({one.context for one in known}) > 1:
                made = [(one, other, False) for one, other in zip(known, other_contexts(known), strict=True)]
            elif not unanswerable:
                continue
            real += unanswerable
            asked += [(one, one.context, bool(one.answers)) for one in group] + made
        if not asked:
            return None
        searches = answerer.search([one.question for one, _, _ in asked], [context for _, context, _ in asked])
        return Margins([search.margin for search in searches], [answered for _, _, answered in asked], real)

    def write(self, path: Path, examples: Sequence[Question]) -> None:
        """Writes SQuAD v2.0 JSON."""
        write_questions(path, examples)

    def row(self, example: Question) -> dict[str, Any]:
        """Returns the columns of the hub's SQuAD."""
        texts, starts = [text for text, _ in example.answers], [start for _, start in example.answers]
        return {
            "question": example.question,
            "context": example.context,
            "answers": {"text": texts, "answer_start": starts},
        }

    def text_key(self, example: Question) -> tuple[str, ...]:
        """Returns the context and the question, white space and case aside."""
        return example.context, " ".join(example.question.split()).casefold()

    def find_faults(
        self,
        report: "Report",
        found: Sequence[tuple[str, Question]],
        tokenizer: "Tokenizer | None",
        max_answer_length: int,
    ) -> None:
        """Looks for answers that stand elsewhere, and for those that are longer than decoding allows."""
        for where, question in found:
            fault = answer_fault(question)
            if fault is not None:
                repaired = repair(question)
                cause = "is not in its context in any form" if repaired is None else f"likely cause: {repaired[1][0]}"
                report.findings["answer offset"].append(f"{where}: question {question.id}: {fault}; {cause}")
        if tokenizer is None:
            return
        for _, question in found:
            lengths = [len(tokenizer.encode(text, add_special_tokens=False).ids) for text, _ in question.answers]
            if lengths and min(lengths) > max_answer_length:
                report.findings["long answer"].append(
                    f"{question.id}: {min(lengths)} tokens, decoding allows {max_answer_length}:"
                    f" {short(question.answers[0][0])}"
                )

    def repair(self, example: Question) -> Question | None:
        """Moves answers to where they stand."""
        repaired = repair(example)
        return repaired[0] if repaired else None


def other_contexts(questions: Sequence[Question]) -> list[str]:
    """Returns for each question the context of the next one, round the end, that has another; there must be two."""
    found = []
    for at, one in enumerate(questions):
        after = (questions[(at + step) % len(questions)].context for step in range(1, len(questions)))
        found.append(next(context for context in after if context != one.context))
    return found
