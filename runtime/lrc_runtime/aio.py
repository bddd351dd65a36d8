"""Answering without blocking an event loop.

asyncio is imported where a coroutine runs, which has it already: it takes 4 MB, which most applications never need.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NoReturn, Self, TypeVar

from .batching import Served
from .errors import InputError
from .kinds import A, TaskKind, kind_of

_T = TypeVar("_T")


class _GivenUp(Exception):
    """Nobody waits for the answer any more."""


class Calls:
    """Runs the calls of an `AsyncAnswerer`; each kind of task adds its method to it."""

    def __init__(self, bundle: Served, workers: int = 1) -> None:
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

    async def _call(self, kind: TaskKind[A], work: Callable[[A], _T]) -> _T:
        import asyncio

        bundle = self._bundle
        if not isinstance(bundle, kind.answerer):
            other = kind_of(bundle)
            raise InputError(f"this bundle {other.does} and {kind.lacks}; use {other.verb}")
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
