"""What real text makes of a graph's activations: their range and mean, channel by channel."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from lrc_runtime.session import Session


@dataclass(frozen=True)
class Activations:
    """One value a channel, over all tokens of some text.

    Attributes:
        low: Smallest value.
        high: Largest value.
        mean: Mean value.
    """

    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray

    @property
    def peak(self) -> np.ndarray:
        """Largest magnitude."""
        peak: np.ndarray = np.maximum(np.abs(self.low), np.abs(self.high))
        return peak


def observe(path: Path, names: Sequence[str], batches: Iterable[dict[str, np.ndarray]]) -> dict[str, Activations]:
    """Runs a graph on real inputs and looks at some of its activations.

    Args:
        path: The model.
        names: Activations of shape (batch, length, channels).
        batches: Inputs without padding.

    Returns:
        For each name what was seen.
    """
    probe = onnx.load(path)
    probe.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    file = path.with_suffix(".probe")
    onnx.save(probe, file)
    try:
        session = Session(file)
        low = {name: np.array(np.inf) for name in names}
        high = {name: np.array(-np.inf) for name in names}
        total = {name: np.array(0.0) for name in names}
        tokens = 0
        for batch in batches:
            outputs = session(batch)
            tokens += next(iter(batch.values())).size
            for name in names:
                low[name] = np.minimum(low[name], outputs[name].min(axis=(0, 1)))
                high[name] = np.maximum(high[name], outputs[name].max(axis=(0, 1)))
                total[name] = total[name] + outputs[name].sum(axis=(0, 1), dtype=np.float64)
    finally:
        file.unlink()
    return {name: Activations(low[name], high[name], total[name] / tokens) for name in names}
