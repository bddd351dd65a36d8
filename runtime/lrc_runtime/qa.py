"""Extractive question answering over contexts of any length."""

from collections.abc import Sequence
from typing import overload

from .batching import Run, run_sorted
from .decoding import NO_ANSWER, Answer, decode_spans
from .encoding import TextEncoder
from .errors import InputError
from .manifest import Decoding, Manifest

# Questions whose windows are held in memory at once.
_QUESTIONS_AT_ONCE = 64


class QuestionAnswerer:
    """Finds the span of a context that answers a question.

    `lrc_runtime.load` makes one from a bundle. Any number of threads may share it.

    Args:
        encoder: Turns text into windows.
        run: The model: a padded batch in, `start_logits` and `end_logits` of shape (batch, length) out.
        decoding: Limits on answers.
        manifest: What the bundle says of itself, where there is a bundle.
    """

    def __init__(self, encoder: TextEncoder, run: Run, decoding: Decoding, manifest: Manifest | None = None) -> None:
        self._encoder = encoder
        self._run = run
        self._decoding = decoding
        self.manifest = manifest

    @overload
    def answer(self, question: str, context: str, top_k: None = None) -> Answer: ...

    @overload
    def answer(self, question: str, context: str, top_k: int) -> list[Answer]: ...

    def answer(self, question: str, context: str, top_k: int | None = None) -> Answer | list[Answer]:
        """Answers one question.

        Args:
            question: The question; tokens beyond the bundle's `max_question_length` are ignored.
            context: The text to read, of any length.
            top_k: How many different spans to return.

        Returns:
            The best `Answer`, or with `top_k` a list of at most that many, best first. A context without
            any token gives the empty answer (`text == ""`, `score == 0.0`), or an empty list.

        Raises:
            InputError: If a text is not a string or holds a lone surrogate, or `top_k` is below 1.
        """
        if top_k is None:
            return self.answer_batch([question], [context])[0]
        return self.answer_batch([question], [context], top_k)[0]

    @overload
    def answer_batch(self, questions: Sequence[str], contexts: Sequence[str], top_k: None = None) -> list[Answer]: ...

    @overload
    def answer_batch(self, questions: Sequence[str], contexts: Sequence[str], top_k: int) -> list[list[Answer]]: ...

    def answer_batch(
        self, questions: Sequence[str], contexts: Sequence[str], top_k: int | None = None
    ) -> list[Answer] | list[list[Answer]]:
        """Answers many questions, `questions[i]` from `contexts[i]`; otherwise as `answer`."""
        if isinstance(questions, str) or isinstance(contexts, str):
            raise InputError("answer_batch takes two lists of texts; for one question use answer")
        if len(questions) != len(contexts):
            raise InputError(f"{len(questions)} questions but {len(contexts)} contexts; give one context a question")
        if top_k is not None and (isinstance(top_k, bool) or not isinstance(top_k, int) or top_k < 1):
            raise InputError(f"top_k must be a whole number of at least 1, found {top_k!r}")
        answers: list[list[Answer]] = []
        for start in range(0, len(questions), _QUESTIONS_AT_ONCE):
            part = slice(start, start + _QUESTIONS_AT_ONCE)
            answers += self._answer_part(questions[part], contexts[part], top_k or 1)
        if top_k is None:
            return [found[0] if found else NO_ANSWER for found in answers]
        return answers

    def _answer_part(self, questions: Sequence[str], contexts: Sequence[str], top_k: int) -> list[list[Answer]]:
        question_tokens = self._encoder.tokenize(questions)
        context_tokens = self._encoder.tokenize(contexts)
        windows = [self._encoder.windows(q, c) for q, c in zip(question_tokens, context_tokens, strict=True)]
        rows = iter(run_sorted(self._run, self._encoder, [window for group in windows for window in group]))
        answers = []
        for context, group in zip(contexts, windows, strict=True):
            outputs = [next(rows) for _ in group]
            answers.append(
                decode_spans(
                    context,
                    group,
                    [row["start_logits"] for row in outputs],
                    [row["end_logits"] for row in outputs],
                    self._decoding,
                    top_k,
                )
            )
        return answers
