"""Post-training quantisation: matrix products in int8 or 4 bits, embedding tables in 2, 4 or 8 bits."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnxruntime as ort

from lrc_runtime.errors import LrcError

from .products import constant_products
from .quantisers.int8 import INT8
from .quantisers.quantiser import Quantiser, Ranges
from .tables import quantize_tables


class QuantizationError(LrcError):
    """The graph did not come out quantised as it should."""


@dataclass(frozen=True)
class Precision:
    """How a graph is quantised.

    Attributes:
        quantiser: What writes the products.
        table_bits: Of the embedding table, as `quantize_tables` takes them.
        kept: Names of products that stay in float32.
        ranges: What fixes the scale of each activation; when None each batch sets its own.
    """

    quantiser: Quantiser = INT8
    table_bits: int = 2
    kept: Collection[str] = ()
    ranges: Ranges | None = None


def quantize(source: Path, target: Path, precision: Precision) -> dict[str, int]:
    """Quantises a float32 graph.

    Products with constant weights are quantised except those with a handful of outputs, which cost nothing and
    decide everything; embedding tables are dequantised after the lookup.

    Args:
        source: The float32 model.
        target: The file to write.
        precision: How.

    Returns:
        Numbers of quantised products and of quantised tables, and of products kept in float32.

    Raises:
        QuantizationError: If the embedding table stayed in float32, or ONNX Runtime no longer makes a product one
            operator.
    """
    model = onnx.load(source)
    chosen = [node.name for node in constant_products(model) if node.name not in precision.kept]
    assert precision.quantiser.products is not None
    model = precision.quantiser.products(model, chosen, precision.ranges)
    tables = quantize_tables(model, precision.table_bits)
    onnx.save(model, target)
    done = _fused_products(target, precision.quantiser.fused)
    if done != len(chosen) or not tables:
        raise QuantizationError(
            f"quantised {done} of {len(chosen)} matrix products and {tables} embedding tables; this onnxruntime does"
            " not match the exporter: install the versions of constraints.txt, or export with `precision` fp32"
        )
    return {"matmul": done, "embedding": tables, "kept": len(precision.kept)}


def _fused_products(path: Path, operators: Collection[str]) -> int:
    """Counts the products that ONNX Runtime runs as one quantised operator."""
    optimised = path.with_suffix(".optimised")
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(optimised)
    try:
        ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return sum(node.op_type in operators for node in onnx.load(optimised).graph.node)
    finally:
        optimised.unlink(missing_ok=True)
