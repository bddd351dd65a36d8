"""Requests that wait for a model, and the micro-batches that they are answered in."""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pydantic import BaseModel

from ..errors import InputError
from .messages import Bodies
from .metrics import Metrics
from .registry import Loaded

_log = logging.getLogger("lrc.serve")

# Code points in one call that holds several requests; also what counts as a long text.
_CHARACTERS = 20_000

Item = tuple[str, ...]


@dataclass(frozen=True)
class Work:
    """What is asked of a model; requests that ask the same can share a call.

    Attributes:
        loaded: The bundle.
        bodies: What its kind of task takes and gives.
        options: What was asked beside the texts.
        lang: Language of the texts.
    """

    loaded: Loaded
    bodies: Bodies
    options: Mapping[str, int]
    lang: str | None


@dataclass(frozen=True, eq=False)
class _Job:
    work: Work
    items: Sequence[Item]
    characters: int
    future: asyncio.Future[list[BaseModel]]


class _Abandoned(Exception):
    """Nobody waits for the answer any more."""


class Queue:
    """Answers requests in threads of its own, oldest first.

    Nothing waits for company: requests share a call only if they had to wait anyway. Long texts never take the last
    worker while there are several, so that short ones get through.

    Args:
        workers: Calls that run at once.
        batch: Items of different requests in one call.
        metrics: Told of what waits and how it is batched.
    """

    def __init__(self, workers: int, batch: int, metrics: Metrics) -> None:
        self._workers = workers
        self._batch = batch
        self._metrics = metrics
        self._waiting: deque[_Job] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._long = 0
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="lrc")

    async def ask(self, work: Work, items: Sequence[Item]) -> list[BaseModel]:
        """Answers items, each of its texts.

        Cancelling it takes the request out of the queue, or stops the model before its next batch.

        Raises:
            InputError: If a text cannot be used.
        """
        future: asyncio.Future[list[BaseModel]] = asyncio.get_running_loop().create_future()
        characters = sum(len(text) for item in items for text in item)
        self._waiting.append(_Job(work, items, characters, future))
        self._start()
        try:
            return await future
        finally:
            self._metrics.waiting.set(sum(not job.future.done() for job in self._waiting))

    def close(self) -> None:
        """Ends the threads, when what runs has ended."""
        self._pool.shutdown()

    def _start(self) -> None:
        while len(self._running) < self._workers and (jobs := self._take()):
            task = asyncio.get_running_loop().create_task(self._run(jobs))
            self._running.add(task)
        self._metrics.waiting.set(len(self._waiting))

    def _take(self) -> list[_Job]:
        """Takes the oldest request that may run now, and those that can share its call."""
        self._waiting = deque(job for job in self._waiting if not job.future.done())
        full = self._long >= max(1, self._workers - 1)
        first = next((job for job in self._waiting if not (full and job.characters > _CHARACTERS)), None)
        if first is None:
            return []
        jobs, items, characters = [first], len(first.items), first.characters
        for job in self._waiting:
            fits = items + len(job.items) <= self._batch and characters + job.characters <= _CHARACTERS
            if job is not first and job.work == first.work and fits:
                jobs.append(job)
                items += len(job.items)
                characters += job.characters
        self._waiting = deque(job for job in self._waiting if job not in jobs)
        return jobs

    async def _run(self, jobs: list[_Job]) -> None:
        long = any(job.characters > _CHARACTERS for job in jobs)
        self._long += long
        self._metrics.batches.observe(len(jobs))
        try:
            outcomes = await asyncio.get_running_loop().run_in_executor(self._pool, _answer_jobs, jobs)
            if any(isinstance(outcome, _Abandoned) for outcome in outcomes):
                self._metrics.abandoned.inc()
            for job, outcome in zip(jobs, outcomes, strict=True):
                if job.future.done():
                    continue
                if isinstance(outcome, BaseException):
                    job.future.set_exception(outcome)
                else:
                    job.future.set_result(outcome)
        finally:
            self._long -= long
            task = asyncio.current_task()
            if task is not None:
                self._running.discard(task)
            self._start()


def _answer_jobs(jobs: Sequence[_Job]) -> list[list[BaseModel] | Exception]:
    """Answers requests in one call; where that fails, each alone, so that one does not fail the others."""
    try:
        results = iter(_call(jobs))
        return [[next(results) for _ in job.items] for job in jobs]
    # Whatever it is, the request that it is handed to says it, and logs what is nobody's input.
    except Exception as error:
        if len(jobs) == 1:
            return [error]
        if not isinstance(error, InputError | _Abandoned):
            _log.warning("a call of %d requests failed, so each is answered alone: %s", len(jobs), type(error).__name__)
        return [outcome for job in jobs for outcome in _answer_jobs([job])]


def _call(jobs: Sequence[_Job]) -> list[BaseModel]:
    work = jobs[0].work
    items = [item for job in jobs for item in job.items]

    def check() -> None:
        if all(job.future.done() for job in jobs):
            raise _Abandoned

    bundle = work.loaded.bundle.stoppable(check)
    found = work.bodies.kind.endpoint.ask(bundle, items, work.options, work.lang)
    return [work.bodies.result.model_validate(one, from_attributes=True) for one in found]
