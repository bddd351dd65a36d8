"""Runs many model inputs in few padded batches."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from copy import copy
from typing import Any, NoReturn, Self

import numpy as np
import numpy.typing as npt

from .encoding import Ints, ModelInput, TextEncoder
from .errors import InputError

Row = dict[str, npt.NDArray[np.float32]]
Model = Callable[[dict[str, Ints]], Row]

# Padded tokens in one batch: bounds memory. More make a CPU of a few cores no faster, and take 20 MB more each time
# that they double.
_TOKEN_BUDGET = 512


class Places:
    """How many batches of one call may run at once: the calls in progress share the CPUs out, and none waits.

    Args:
        most: For one call alone.
    """

    def __init__(self, most: int = 1) -> None:
        self.most = most
        # A set, which threads change in one step: no lock that a fork could leave held.
        self._calls: set[object] = set()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Counts a call as long as the block lasts."""
        call = object()
        self._calls.add(call)
        try:
            yield
        finally:
            self._calls.discard(call)

    def each(self) -> int:
        """Returns what a call may run at once now."""
        return max(1, self.most // max(1, len(self._calls)))


def run_sorted(
    run: Model, encoder: TextEncoder, inputs: Sequence[ModelInput], places: Places | None = None
) -> Iterator[tuple[int, Row]]:
    """Runs inputs sorted by length, so that little of a batch is padding.

    Args:
        run: The model: a padded batch in, arrays whose first axis is the batch out.
        encoder: Pads the batches.
        inputs: Model inputs in any order.
        places: As in `side_by_side`; one batch after the other when None.

    Yields:
        The index of an input and its row of every output, the longest input first.
    """
    order = sorted(range(len(inputs)), key=lambda index: inputs[index].length, reverse=True)
    chunks: list[list[int]] = []
    position = 0
    while position < len(order):
        size = max(1, _TOKEN_BUDGET // inputs[order[position]].length)
        chunks.append(order[position : position + size])
        position += size
    batches = (encoder.collate([inputs[index] for index in chunk]) for chunk in chunks)
    places = places or Places()
    with places.taken():
        several = places.most > 1 and len(chunks) > 1
        for chunk, outputs in zip(
            chunks, side_by_side(run, batches, places) if several else map(run, batches), strict=True
        ):
            for place, index in enumerate(chunk):
                yield index, {name: array[place] for name, array in outputs.items()}


def side_by_side(run: Model, batches: Iterable[dict[str, Ints]], places: Places) -> Iterator[Row]:
    """Runs batches, several at once: a CPU's threads then never wait for each other inside an operator.

    Args:
        run: The model, which may be called from several threads.
        batches: Padded batches, taken as they are needed.
        places: How many may run at once.

    Yields:
        The outputs of each batch, in order.
    """
    running: deque[Future[Row]] = deque()
    with ThreadPoolExecutor(places.most, thread_name_prefix="lrc") as pool:
        try:
            for batch in batches:
                while len(running) >= places.each():
                    yield running.popleft().result()
                running.append(pool.submit(run, batch))
            while running:
                yield running.popleft().result()
        finally:
            # Whoever takes no more of them does not wait for what has not begun.
            for future in running:
                future.cancel()


class Served:
    """What holds a model until it is closed; also the end of a `with` statement closes it.

    A copy shares the model, and is closed by itself. Pickling keeps no model: another process opens the bundle again.
    """

    _encoder: TextEncoder
    _run: Model
    # What opens the bundle again, and its arguments; None for what `load` did not make.
    reopening: tuple[Callable[..., Any], tuple[Any, ...]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Frees the model; using it afterwards is an `InputError`."""
        self._run = closed

    def stoppable(self, check: Callable[[], None]) -> Self:
        """Returns a copy whose calls end with what `check` raises.

        Args:
            check: Called before each batch and each part of a long text, also from several threads.
        """
        one, run = copy(self), self._run

        def checked(batch: dict[str, Ints]) -> Row:
            check()
            return run(batch)

        one._run, one._encoder = checked, self._encoder.stoppable(check)
        return one

    def __copy__(self) -> Self:
        one = object.__new__(type(self))
        one.__dict__.update(self.__dict__)
        return one

    def __deepcopy__(self, _: object) -> Self:
        return copy(self)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        if self._run is closed:
            closed(None)
        if self.reopening is None:
            raise InputError(
                "only what `lrc_runtime.load` opened can be pickled: another process opens its bundle again"
            )
        return self.reopening


def closed(_: object) -> NoReturn:
    """Stands for a model that was freed."""
    raise InputError("this answerer is closed; load the bundle again")
