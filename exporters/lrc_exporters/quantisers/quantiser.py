"""What a quantiser declares."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import onnx

from ..activations import Activations

Ranges = Mapping[str, Activations]


@dataclass(frozen=True)
class Quantiser:
    """A way to write a float32 graph in fewer bits: product by product, or as a whole.

    Attributes:
        precision: What the manifest calls the outcome.
        products: Writes the products of these names in a graph, which it may change, and returns the graph. Where the
            gate would refuse the bundle, those that cost most accuracy are left out. Of the ranges it takes the scale
            of each activation; without any, each batch sets its own.
        fused: The operators that ONNX Runtime makes of one product; anything else costs more than float32.
        rounds: Whether what runs through the model is rounded too, so that outliers in it are to be smoothed.
        fixed: Whether the scales of activations are fixed by calibration.
        whole: Writes a whole graph instead.
    """

    precision: str
    products: Callable[[onnx.ModelProto, Collection[str], Ranges | None], onnx.ModelProto] | None = None
    fused: tuple[str, ...] = ()
    rounds: bool = False
    fixed: bool = False
    whole: Callable[[onnx.ModelProto], onnx.ModelProto] | None = None
