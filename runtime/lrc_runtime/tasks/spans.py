"""Question answering: the span of a text that answers a question."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, overload

from ..aio import Calls
from ..decoding import Answer
from ..errors import InputError
from ..kinds import Command, Count, Endpoint, Opened, Said, Shape, TaskKind, Value
from ..manifest import QUESTION_ANSWERING, Manifest
from ..opening import open_kind
from ..qa import Progress, QuestionAnswerer
from ..streams import read_argument, read_input

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

# Answers to a question that a request may ask for.
_MOST_ANSWERS = 100


def load_question_answerer(
    path: str | os.PathLike[str], threads: int | None = None, *, provider: str = "cpu", preset: str = "default"
) -> QuestionAnswerer:
    """Opens the first task of a bundle that answers questions; otherwise as `load`."""
    return open_kind(SPANS, path, threads, provider, preset)


class AsyncQuestions(Calls):
    """Asks questions from coroutines."""

    @overload
    async def answer(
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
    async def answer(
        self,
        question: str,
        context: str,
        top_k: int,
        *,
        lang: str | None = None,
        max_windows: int | None = None,
        progress: Progress | None = None,
    ) -> list[Answer]: ...

    async def answer(
        self,
        question: str,
        context: str,
        top_k: int | None = None,
        *,
        lang: str | None = None,
        max_windows: int | None = None,
        progress: Progress | None = None,
    ) -> Answer | list[Answer]:
        """As `QuestionAnswerer.answer`; `progress` is called from the thread that reads.

        Raises:
            InputError: Also if the bundle answers no questions.
        """

        def ask(bundle: QuestionAnswerer) -> Answer | list[Answer]:
            if top_k is None:
                return bundle.answer(question, context, lang=lang, max_windows=max_windows, progress=progress)
            return bundle.answer(question, context, top_k, lang=lang, max_windows=max_windows, progress=progress)

        return await self._call(SPANS, ask)


def _check(_: Manifest) -> None:
    """Labels mean nothing here."""


def _open(opened: Opened) -> QuestionAnswerer:
    manifest = opened.manifest
    return QuestionAnswerer(opened.encoder, opened.run, manifest.decoding, manifest, opened.lookup, opened.at_once)


def read_context(name: str) -> str:
    """Reads a UTF-8 text file, or standard input for `-`.

    Raises:
        InputError: If it cannot be read or is not UTF-8.
    """
    try:
        data = read_input() if name == "-" else Path(name).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"--context {name}: {error.strerror}; give a text file, or - for standard input") from error
    except UnicodeDecodeError as error:
        raise InputError(f"--context {name}: byte {error.start} is not UTF-8; convert the file to UTF-8") from error


def ask(
    bundle: str,
    question: str,
    context: str,
    top_k: int = 1,
    max_windows: int | None = None,
    as_json: bool = False,
    lang: str | None = None,
) -> str:
    """Answers one question from a file and returns what to print.

    Args:
        bundle: Bundle folder.
        question: The question.
        context: Path of a UTF-8 text file, or `-`.
        top_k: Number of answers.
        max_windows: Windows of the text to read, those nearest to the question; all when None.
        as_json: One JSON object a line instead of a table.
        lang: Language of the text, by which the score is calibrated where the bundle knows how.
    """
    question = read_argument(question, "--question")
    text = read_context(context)
    answers = load_question_answerer(bundle).answer(question, text, top_k, lang=lang, max_windows=max_windows)
    if as_json:
        return "\n".join(json.dumps(asdict(answer), ensure_ascii=False) for answer in answers)
    if not answers:
        return "no answer: the context holds no text"
    lines = [f"{answer.text}  (score {answer.score:.3f}, {answer.start}:{answer.end})" for answer in answers]
    if not answers[0].answered:
        lines.append(f"the text may well not answer this (probability {answers[0].no_answer:.3f})")
    return "\n".join(lines)


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("-q", "--question", required=True)
    parser.add_argument("-c", "--context", required=True, help="UTF-8 text file, or - for standard input")
    parser.add_argument("-k", "--top-k", type=int, default=1)
    parser.add_argument("--max-windows", type=int, help="read only so many windows, those nearest to the question")


def _run(options: Namespace) -> str:
    return ask(
        options.bundle,
        options.question,
        options.context,
        options.top_k,
        options.max_windows,
        options.json,
        options.lang,
    )


def _answer(
    answerer: QuestionAnswerer, items: Sequence[tuple[str, ...]], options: Mapping[str, int], lang: str | None
) -> list[dict[str, object]]:
    questions, contexts = zip(*items, strict=True)
    return [
        {
            "answers": answers,
            "no_answer": answers[0].no_answer if answers else 1.0,
            "answered": bool(answers) and answers[0].answered,
        }
        for answers in answerer.answer_batch(questions, contexts, options["top_k"], lang=lang)
    ]


_SPAN = Shape(
    "Span",
    "An answer: a part of the context, with where it is in code points, UTF-16 units and UTF-8 bytes.",
    {
        "text": Value(str),
        "start": Value(int, "First code point, as Python counts."),
        "end": Value(int),
        "utf16_start": Value(int, "First UTF-16 unit, as JavaScript, Java and Swift count."),
        "utf16_end": Value(int),
        "utf8_start": Value(int, "First byte of UTF-8, as Go and Rust count."),
        "utf8_end": Value(int),
        "score": Value(float, "Probability that it is right, if the context answers at all."),
    },
)

SPANS = TaskKind(
    task=QUESTION_ANSWERING,
    title="extractive question answering",
    verb="answer",
    does="answers questions",
    lacks="answers no questions",
    outputs=frozenset({"start_logits", "end_logits"}),
    check=_check,
    answerer=QuestionAnswerer,
    open=_open,
    probe=lambda answerer: answerer.answer("?", "?"),
    command=Command("ask", "answer a question from a text file", _add_arguments, _run),
    endpoint=Endpoint(
        item=Shape(
            "Question",
            "A question, and the text to answer it from.",
            {
                "question": Value(str, "The question, in any language that the bundle serves."),
                "context": Value(str, "The text to read, at any length within the size of a request."),
            },
        ),
        options={"top_k": Count("Most answers to return, which do not overlap.", 1, _MOST_ANSWERS)},
        result=Shape(
            "Answers",
            "What a context answers.",
            {
                "answers": Value(_SPAN, "Best first; empty where the context holds no text."),
                "no_answer": Value(float, "Probability that the context does not answer."),
                "answered": Value(bool, "Whether it is more likely than not that the context answers."),
            },
        ),
        one=Said("Answer a question from a text", "Asks one question.", "The answers to one question."),
        many=Said(
            "Answer many questions, each from its text",
            "Asks many questions, each of its own text.",
            "The answers to many questions, in their order.",
        ),
        ask=_answer,
    ),
)
