"""Runs many model inputs in few padded batches."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from .encoding import Ints, ModelInput, TextEncoder

Run = Callable[[dict[str, Ints]], dict[str, npt.NDArray[np.float32]]]

# Padded tokens in one batch: bounds memory. More make a CPU of a few cores no faster, and take 20 MB more each time
# that they double.
_TOKEN_BUDGET = 512


def run_sorted(
    run: Run, encoder: TextEncoder, inputs: Sequence[ModelInput]
) -> list[dict[str, npt.NDArray[np.float32]]]:
    """Runs inputs sorted by length, so that little of a batch is padding.

    Args:
        run: The model: a padded batch in, arrays whose first axis is the batch out.
        encoder: Pads the batches.
        inputs: Model inputs in any order.

    Returns:
        For each input, in the order given, its row of every output.
    """
    rows: list[dict[str, npt.NDArray[np.float32]]] = [{} for _ in inputs]
    order = sorted(range(len(inputs)), key=lambda index: inputs[index].length, reverse=True)
    position = 0
    while position < len(order):
        size = max(1, _TOKEN_BUDGET // inputs[order[position]].length)
        chunk = order[position : position + size]
        position += size
        outputs = run(encoder.collate([inputs[index] for index in chunk]))
        for place, index in enumerate(chunk):
            rows[index] = {name: array[place] for name, array in outputs.items()}
    return rows
