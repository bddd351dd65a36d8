"""Runs many model inputs in few padded batches."""

from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn, Self

import numpy as np
import numpy.typing as npt

from .encoding import Ints, ModelInput, TextEncoder
from .errors import InputError

Row = dict[str, npt.NDArray[np.float32]]
Run = Callable[[dict[str, Ints]], Row]

# Padded tokens in one batch: bounds memory. More make a CPU of a few cores no faster, and take 20 MB more each time
# that they double.
_TOKEN_BUDGET = 512


def run_sorted(run: Run, encoder: TextEncoder, inputs: Sequence[ModelInput]) -> Iterator[tuple[int, Row]]:
    """Runs inputs sorted by length, so that little of a batch is padding.

    Args:
        run: The model: a padded batch in, arrays whose first axis is the batch out.
        encoder: Pads the batches.
        inputs: Model inputs in any order.

    Yields:
        The index of an input and its row of every output, the longest input first.
    """
    order = sorted(range(len(inputs)), key=lambda index: inputs[index].length, reverse=True)
    position = 0
    while position < len(order):
        size = max(1, _TOKEN_BUDGET // inputs[order[position]].length)
        chunk = order[position : position + size]
        position += size
        outputs = run(encoder.collate([inputs[index] for index in chunk]))
        for place, index in enumerate(chunk):
            yield index, {name: array[place] for name, array in outputs.items()}


class Served:
    """What holds a model until it is closed; also the end of a `with` statement closes it."""

    _run: Run

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Frees the model; using it afterwards is an `InputError`."""
        self._run = closed


def closed(_: object) -> NoReturn:
    """Stands for a model that was freed."""
    raise InputError("this answerer is closed; load the bundle again")
