"""Proof that what was exported computes what was trained."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from lrc_runtime.encoding import ModelInput, TextEncoder
from lrc_runtime.errors import LrcError

TOLERANCE = 1e-4
BATCHES = (1, 7)

Model = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]


class ProofError(LrcError):
    """An exported graph does not compute what the torch module computes."""


def torch_run(module: torch.nn.Module) -> Model:
    """Wraps a torch module as a function of numpy arrays."""

    @torch.inference_mode()
    def run(batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        outputs = module(*(torch.from_numpy(array) for array in batch.values()))
        return {name: value.numpy() for name, value in outputs.items()}

    return run


def largest_difference(
    reference: Model, candidate: Model, encoder: TextEncoder, inputs: Sequence[ModelInput], names: Sequence[str]
) -> float:
    """Compares two models on real text at batch 1 and at batch 7 with padding.

    Args:
        reference: The model that is right.
        candidate: The model to be proved.
        encoder: Pads the batches.
        inputs: Model inputs of different lengths; at least seven, so that a batch of seven holds padding.
        names: Names of the arrays that the models take.

    Returns:
        The largest absolute difference of any output at a token that is not padding.
    """
    largest = 0.0
    for size in BATCHES:
        for start in range(0, max(1, len(inputs) - size + 1), size):
            rows = inputs[start : start + size]
            arrays = encoder.collate(rows)
            batch = {name: arrays[name] for name in names}
            expected, found = reference(batch), candidate(batch)
            for name, value in expected.items():
                real = arrays["attention_mask"].astype(bool) if value.shape == arrays["attention_mask"].shape else ...
                largest = max(largest, float(np.abs(value[real] - found[name][real]).max()))
    return largest


def prove(what: str, difference: float) -> float:
    """Refuses a difference beyond the tolerance.

    Raises:
        ProofError: If it is larger than 1e-4 or not a number.
    """
    if not difference <= TOLERANCE:
        raise ProofError(
            f"{what}: outputs differ by {difference:.2e}, more than {TOLERANCE:.0e}; the export is refused"
        )
    return difference
