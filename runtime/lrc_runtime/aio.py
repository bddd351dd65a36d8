"""Answering without blocking an event loop.

asyncio is imported where a coroutine runs, which has it already: it takes 4 MB, which most applications never need.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NoReturn, Self, TypeVar, overload

from .decoding import Answer
from .errors import InputError
from .pairs import Comparison, ParaphraseDetector
from .qa import Progress, QuestionAnswerer

_T = TypeVar("_T")
_Bundle = TypeVar("_Bundle", QuestionAnswerer, ParaphraseDetector)


class _GivenUp(Exception):
    """Nobody waits for the answer any more."""


class AsyncAnswerer:
    """Asks a bundle from coroutines: its calls run in threads of their own, the event loop goes on meanwhile.

    A call that is cancelled, as by `asyncio.wait_for` or `asyncio.timeout`, stops before its next batch of windows. The
    end of `async with` waits for the other calls alone.

    Args:
        bundle: What `lrc_runtime.load` gave; it stays the caller's to close.
        workers: Calls that run at once; with more than one, load the bundle with the preset `throughput`.
    """

    def __init__(self, bundle: QuestionAnswerer | ParaphraseDetector, workers: int = 1) -> None:
        self._bundle = bundle
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="lrc")
        # Calls that somebody waits for.
        self._awaited: set[Future[Any]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        import asyncio

        self._pool.shutdown(wait=False)
        if self._awaited:
            await asyncio.wait([asyncio.wrap_future(future) for future in tuple(self._awaited)])

    def __reduce__(self) -> NoReturn:
        raise InputError("an AsyncAnswerer has threads and cannot be pickled; pickle the bundle that it was given")

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
            InputError: Also if the bundle compares sentences.
        """
        bundle = self._bundle
        if not isinstance(bundle, QuestionAnswerer):
            raise InputError("this bundle compares sentences and answers no questions; use compare")

        def ask(bundle: QuestionAnswerer) -> Answer | list[Answer]:
            if top_k is None:
                return bundle.answer(question, context, lang=lang, max_windows=max_windows, progress=progress)
            return bundle.answer(question, context, top_k, lang=lang, max_windows=max_windows, progress=progress)

        return await self._call(bundle, ask)

    async def compare(self, first: str, second: str, *, lang: str | None = None) -> Comparison:
        """As `ParaphraseDetector.compare`.

        Raises:
            InputError: Also if the bundle answers questions.
        """
        bundle = self._bundle
        if not isinstance(bundle, ParaphraseDetector):
            raise InputError("this bundle answers questions and compares no sentences; use answer")
        return await self._call(bundle, lambda bundle: bundle.compare(first, second, lang=lang))

    async def _call(self, bundle: _Bundle, work: Callable[[_Bundle], _T]) -> _T:
        import asyncio

        given_up = threading.Event()

        def check() -> None:
            if given_up.is_set():
                raise _GivenUp

        future = self._pool.submit(lambda: work(bundle.stoppable(check)))
        self._awaited.add(future)
        try:
            # When it is cancelled, so is a call that has not begun.
            return await asyncio.wrap_future(future)
        finally:
            given_up.set()
            self._awaited.discard(future)
