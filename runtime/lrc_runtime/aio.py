"""Answering without blocking an event loop.

asyncio is imported where a coroutine runs, which has it already: it takes 4 MB, which most applications never need.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Self, TypeVar, overload

from .decoding import Answer
from .errors import InputError
from .pairs import Comparison, ParaphraseDetector
from .qa import Progress, QuestionAnswerer

_T = TypeVar("_T")


class AsyncAnswerer:
    """Asks a bundle from coroutines: its calls run in threads of their own, the event loop goes on meanwhile.

    Args:
        bundle: What `lrc_runtime.load` gave; it stays the caller's to close.
        workers: Calls that run at once; with more than one, load the bundle with the preset `throughput`.
    """

    def __init__(self, bundle: QuestionAnswerer | ParaphraseDetector, workers: int = 1) -> None:
        self._bundle = bundle
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="lrc")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        import asyncio

        await asyncio.to_thread(self._pool.shutdown)

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

        def ask() -> Answer | list[Answer]:
            if top_k is None:
                return bundle.answer(question, context, lang=lang, max_windows=max_windows, progress=progress)
            return bundle.answer(question, context, top_k, lang=lang, max_windows=max_windows, progress=progress)

        return await self._call(ask)

    async def compare(self, first: str, second: str, *, lang: str | None = None) -> Comparison:
        """As `ParaphraseDetector.compare`.

        Raises:
            InputError: Also if the bundle answers questions.
        """
        bundle = self._bundle
        if not isinstance(bundle, ParaphraseDetector):
            raise InputError("this bundle answers questions and compares no sentences; use answer")
        return await self._call(lambda: bundle.compare(first, second, lang=lang))

    async def _call(self, work: Callable[[], _T]) -> _T:
        import asyncio

        return await asyncio.get_running_loop().run_in_executor(self._pool, work)
