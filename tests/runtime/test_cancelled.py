"""A coroutine that is cancelled stops the model between batches, and nobody waits for its text any more."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lrc_runtime
from lrc_runtime import AsyncAnswerer, ParaphraseDetector, QuestionAnswerer
from lrc_runtime.batching import Model, Row
from lrc_runtime.encoding import Ints, TextEncoder
from tests.runtime.test_answerers import CASES

QUESTION, CONTEXT = CASES[2][1:]
LONG = " ".join(context for _, _, context in CASES) * 300


class Held:
    """Calls something; the first call says that it began and waits until it may go on."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call, self.calls = call, 0
        self.began, self.go_on = threading.Event(), threading.Event()
        self.released = True

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.calls += 1
        if self.calls == 1:
            self.began.set()
            # A time limit lets a test fail whose event never comes.
            self.released = self.go_on.wait(20)
        return self._call(*arguments, **named)


class HeldTokenizer:
    """A tokenizer that is held at the first part of a long text."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.encode = Held(tokenizer.encode)
        self.encode.calls = -2  # the templates of pairs and of single texts are read with one call each

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("_tokenizer", "encode"):
            object.__setattr__(self, name, value)
        else:
            setattr(self._tokenizer, name, value)


@pytest.fixture(scope="module")
def qa(qa_bundle: Path) -> QuestionAnswerer:
    return lrc_runtime.load_question_answerer(qa_bundle, threads=1)


def around(qa: QuestionAnswerer, run: Model, at_once: int = 1) -> QuestionAnswerer:
    return QuestionAnswerer(qa._encoder, run, qa._decoding, qa.manifest, qa._lookup, at_once)


async def give_up(asked: "asyncio.Task[Any]") -> None:
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked


@pytest.mark.parametrize("at_once", [1, 2])
def test_a_cancelled_call_stops_before_its_next_batch(qa: QuestionAnswerer, at_once: int) -> None:
    whole = Held(qa._run)
    whole.go_on.set()
    around(qa, whole).answer(QUESTION, LONG)
    model = Held(qa._run)

    async def main() -> None:
        async with AsyncAnswerer(around(qa, model, at_once)) as answerer:
            long = asyncio.create_task(answerer.answer(QUESTION, LONG))
            await asyncio.to_thread(model.began.wait, 20)
            # Those behind it: one is given up before it begins.
            waiting = asyncio.create_task(answerer.answer(QUESTION, LONG))
            short = asyncio.create_task(answerer.answer(QUESTION, CONTEXT))
            await asyncio.sleep(0)
            await give_up(waiting)
            await give_up(long)
            model.go_on.set()
            assert await short == qa.answer(QUESTION, CONTEXT)
            # As `asyncio.wait_for` and `asyncio.timeout` cancel.
            told = threading.Event()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(None) as limit:

                    def late(*_: int) -> None:
                        if not told.is_set():
                            loop.call_soon_threadsafe(limit.reschedule, 0)
                            loop.call_soon_threadsafe(told.set)
                            told.wait(20)

                    loop = asyncio.get_running_loop()
                    await answerer.answer(QUESTION, LONG, progress=late)
            # What the caller's own `progress` raises is the caller's.
            with pytest.raises(ZeroDivisionError):
                await answerer.answer(QUESTION, LONG, progress=lambda read, total: 1 // (read // total))

    asyncio.run(main())
    assert whole.calls > 50
    assert model.calls <= 6 * at_once + 3


def test_leaving_waits_for_those_who_wait_and_for_no_one_else(qa: QuestionAnswerer) -> None:
    model = Held(qa._run)
    asked = around(qa, model)

    async def main() -> None:
        async with AsyncAnswerer(asked, workers=2) as answerer:
            long = asyncio.create_task(answerer.answer(QUESTION, LONG))
            await asyncio.to_thread(model.began.wait, 20)
            others = [asyncio.create_task(answerer.answer(question, context)) for _, question, context in CASES]
            await asyncio.sleep(0)
            await give_up(long)
        assert [task.done() for task in others] == [True] * len(CASES)
        assert [await task for task in others] == [qa.answer(question, context) for _, question, context in CASES]
        model.go_on.set()

    asyncio.run(main())
    assert model.released, "left before the batch of the text that was given up had ended"


def test_a_cancelled_call_stops_between_the_parts_of_a_text_that_it_tokenizes(qa: QuestionAnswerer) -> None:
    text = LONG * 8
    model, tokenizer = Held(qa._run), HeldTokenizer(qa._encoder._tokenizer)
    encoder = TextEncoder(tokenizer, qa._encoder.windowing)  # type: ignore[arg-type]
    assert len(encoder.tokenize([CONTEXT])[0].ids) and tokenizer.encode.calls == 0

    def nothing(batch: dict[str, Ints]) -> Row:
        raise AssertionError("no text was read to its end")

    detector = ParaphraseDetector(encoder, nothing, ("different", "paraphrase"))

    async def give_up_early(ask: Callable[[AsyncAnswerer], Any], bundle: QuestionAnswerer | ParaphraseDetector) -> int:
        tokenizer.encode = Held(tokenizer._tokenizer.encode)
        async with AsyncAnswerer(bundle) as answerer:
            long = asyncio.create_task(ask(answerer))
            await asyncio.to_thread(tokenizer.encode.began.wait, 20)
            behind = asyncio.create_task(ask(answerer))
            await give_up(long)
            tokenizer.encode.go_on.set()
            while tokenizer.encode.calls < 2:
                await asyncio.sleep(0.001)
            await give_up(behind)
        return tokenizer.encode.calls

    answering = QuestionAnswerer(encoder, model, qa._decoding)
    assert len(text) > 10 * 50_000
    assert asyncio.run(give_up_early(lambda answerer: answerer.answer(QUESTION, text), answering)) <= 3
    assert asyncio.run(give_up_early(lambda answerer: answerer.compare(text, text), detector)) <= 3
    assert model.calls == 0
