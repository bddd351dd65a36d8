"""Extractive question answering over contexts of any length."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import overload

from .batching import Model, Places, Served, closed, run_sorted
from .calibration import Calibration
from .decoding import NO_ANSWER, Answer, SpanSearch
from .encoding import ModelInput, TextEncoder, Tokens, check_text
from .errors import InputError
from .languages import check_lang
from .manifest import Decoding, Manifest
from .ranking import Lookup, rank_windows

# Windows that are held in memory at once: enough of them to find many of one length.
_WINDOWS_AT_ONCE = 512
# Contexts that are tokenized at once, in code points.
_CHARACTERS_AT_ONCE = 100_000

# Called with the characters read by now and those that there are.
Progress = Callable[[int, int], None]


class QuestionAnswerer(Served):
    """Finds the span of a context that answers a question.

    `lrc_runtime.load` makes one from a bundle. Any number of threads may share it; `close` it, or use it in a `with`
    statement, to give its memory back at once.

    Args:
        encoder: Turns text into windows.
        run: The model: a padded batch in, `start_logits` and `end_logits` of shape (batch, length) out.
        decoding: Limits on answers.
        manifest: What the bundle says of itself, where there is a bundle.
        lookup: Looks embeddings up, by which windows are ranked.
        at_once: Batches that a call may run at once while it is the only one, each from a thread of its own.
    """

    def __init__(
        self,
        encoder: TextEncoder,
        run: Model,
        decoding: Decoding,
        manifest: Manifest | None = None,
        lookup: Lookup | None = None,
        at_once: int = 1,
    ) -> None:
        self._encoder = encoder
        self._run = run
        self._decoding = decoding
        self._calibration = manifest.calibration if manifest else Calibration()
        self._lookup = lookup
        self._places = Places(at_once)
        self.manifest = manifest

    @overload
    def answer(
        self,
        question: str,
        context: str,
        top_k: None = None,
        *,
        lang: str | None = None,
        max_windows: int | None = None,
        progress: Progress | None = None,
    ) -> Answer: ...

    @overload
    def answer(
        self,
        question: str,
        context: str,
        top_k: int,
        *,
        lang: str | None = None,
        max_windows: int | None = None,
        progress: Progress | None = None,
    ) -> list[Answer]: ...

    def answer(
        self,
        question: str,
        context: str,
        top_k: int | None = None,
        *,
        lang: str | None = None,
        max_windows: int | None = None,
        progress: Progress | None = None,
    ) -> Answer | list[Answer]:
        """Answers one question.

        Args:
            question: The question; tokens beyond the bundle's `max_question_length` are ignored.
            context: The text to read, of any length: memory is bounded but for the text's own tokens.
            top_k: How many spans to return, which do not overlap.
            lang: Language of the text as a tag of BCP 47, by which the score is calibrated where the bundle knows how.
            max_windows: Of a longer text, read only so many windows: those nearest to the question, of which
                `docs/runtime.md` has how often they hold the answer. All when None.
            progress: Called with the characters read by now and those that there are, window by window.

        Returns:
            The best `Answer`, or with `top_k` a list of at most that many, best first. A context without
            any token gives the empty answer (`text == ""`, `score == 0.0`), or an empty list.

        Raises:
            InputError: If a text is not a string or holds a lone surrogate, `top_k` or `max_windows` is below 1, `lang`
                is no language tag, or the bundle cannot rank windows.
        """
        questions, contexts = [question], [context]
        if top_k is None:
            return self.answer_batch(questions, contexts, lang=lang, max_windows=max_windows, progress=progress)[0]
        return self.answer_batch(questions, contexts, top_k, lang=lang, max_windows=max_windows, progress=progress)[0]

    @overload
    def answer_batch(
        self,
        questions: Sequence[str],
        contexts: Sequence[str],
        top_k: None = None,
        *,
        lang: str | None = None,
        max_windows: int | None = None,
        progress: Progress | None = None,
    ) -> list[Answer]: ...

    @overload
    def answer_batch(
        self,
        questions: Sequence[str],
        contexts: Sequence[str],
        top_k: int,
        *,
        lang: str | None = None,
        max_windows: int | None = None,
        progress: Progress | None = None,
    ) -> list[list[Answer]]: ...

    def answer_batch(
        self,
        questions: Sequence[str],
        contexts: Sequence[str],
        top_k: int | None = None,
        *,
        lang: str | None = None,
        max_windows: int | None = None,
        progress: Progress | None = None,
    ) -> list[Answer] | list[list[Answer]]:
        """Answers many questions, `questions[i]` from `contexts[i]`; otherwise as `answer`."""
        for name, value in (("top_k", top_k), ("max_windows", max_windows)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise InputError(f"{name} must be a whole number of at least 1, found {value!r}")
        if lang is not None:
            check_lang(lang)
        searches = self.search(questions, contexts, top_k or 1, max_windows, progress)
        answers = [search.answers(self._calibration, lang) for search in searches]
        if top_k is None:
            return [found[0] if found else NO_ANSWER for found in answers]
        return answers

    def search(
        self,
        questions: Sequence[str],
        contexts: Sequence[str],
        top_k: int = 1,
        max_windows: int | None = None,
        progress: Progress | None = None,
    ) -> list[SpanSearch]:
        """Reads `contexts[i]` for `questions[i]` and returns what each search found, not yet calibrated.

        Raises:
            InputError: As `answer`.
        """
        if isinstance(questions, str) or isinstance(contexts, str):
            raise InputError("answer_batch takes two lists of texts; for one question use answer")
        if len(questions) != len(contexts):
            raise InputError(f"{len(questions)} questions but {len(contexts)} contexts; give one context a question")
        for text in (*questions, *contexts):
            check_text(text)
        searches = [SpanSearch(context, self._decoding, top_k) for context in contexts]
        read, total = 0, sum(map(len, contexts))
        stream = self._windows(questions, contexts, max_windows)
        while chunk := list(islice(stream, _WINDOWS_AT_ONCE)):
            windows = [piece.window for piece in chunk]
            for at, outputs in run_sorted(self._run, self._encoder, windows, self._places):
                piece = chunk[at]
                searches[piece.index].add(piece.window, outputs["start_logits"], outputs["end_logits"])
                read += piece.characters
                if progress is not None:
                    progress(read, total)
        # White space at the end, and windows that were left out there, are in none that was read.
        if progress is not None and read < total:
            progress(total, total)
        return searches

    def close(self) -> None:
        """Frees the model; using it afterwards is an `InputError`."""
        super().close()
        self._lookup = self._lookup and closed

    def _windows(
        self, questions: Sequence[str], contexts: Sequence[str], max_windows: int | None
    ) -> Iterator["_Piece"]:
        """Cuts the contexts into windows, tokenizing a bounded amount of text at once."""
        asked = self._encoder.tokenize(questions)
        start = 0
        while start < len(contexts):
            end, characters = start + 1, len(contexts[start])
            while end < len(contexts) and characters + len(contexts[end]) <= _CHARACTERS_AT_ONCE:
                characters += len(contexts[end])
                end += 1
            tokens = self._encoder.tokenize(contexts[start:end])
            for index, context in zip(range(start, end), tokens, strict=True):
                windows: Iterable[ModelInput] = self._encoder.windows(asked[index], context)
                if max_windows is not None:
                    windows = self._nearest(asked[index], list(windows), max_windows)
                covered = 0
                for window in windows:
                    reaches = int(window.offsets[-1, 1])
                    yield _Piece(index, window, reaches - covered)
                    covered = reaches
            start = end

    def _nearest(self, question: Tokens, windows: list[ModelInput], count: int) -> list[ModelInput]:
        """Keeps the windows that are nearest to the question, in the order of the text."""
        if len(windows) <= count:
            return windows
        if self._lookup is None:
            raise InputError("max_windows: this bundle cannot rank windows; export it again, or leave max_windows out")
        return [windows[at] for at in sorted(rank_windows(self._lookup, question, windows)[:count])]


@dataclass(frozen=True)
class _Piece:
    """A window of the context of one question, and the code points between the end of the one before and its own."""

    index: int
    window: ModelInput
    characters: int
