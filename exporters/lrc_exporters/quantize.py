"""Post-training quantisation: matrix products in int8 or 4 bits, embedding tables in 2, 4 or 8 bits."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnxruntime as ort
from onnxruntime.transformers.float16 import convert_float_to_float16

from lrc_runtime.errors import LrcError

from .activations import Activations
from .products import constant_products, quantize_products
from .tables import BLOCK, quantize_tables

INT8, INT4, FP16 = "int8", "int4", "fp16"
# Whatever ONNX Runtime makes of one quantised product; anything else costs more than float32.
_FUSED = {INT8: ("MatMulIntegerToFloat", "DynamicQuantizeMatMul"), INT4: ("MatMulNBits",)}


class QuantizationError(LrcError):
    """The graph did not come out quantised as it should."""


@dataclass(frozen=True)
class Precision:
    """How a graph is quantised.

    Attributes:
        products: `int8`, weights one scale an output and activations in 8 bits too; or `int4`, weights only, one
            scale for 32 values.
        table_bits: Of the embedding table, as `quantize_tables` takes them.
        kept: Names of products that stay in float32.
        ranges: For int8, what fixes the scale of each activation; when None each batch sets its own.
    """

    products: str = INT8
    table_bits: int = 2
    kept: Collection[str] = ()
    ranges: Mapping[str, Activations] | None = None


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
    if precision.products == INT4:
        model = _four_bits(model, chosen)
    else:
        quantize_products(model, chosen, precision.ranges)
    tables = quantize_tables(model, precision.table_bits)
    onnx.save(model, target)
    done = _fused_products(target, precision.products)
    if done != len(chosen) or not tables:
        raise QuantizationError(
            f"quantised {done} of {len(chosen)} matrix products and {tables} embedding tables; this onnxruntime does"
            " not match the exporter: install the versions of constraints.txt, or export with --fp32"
        )
    return {"matmul": done, "embedding": tables, "kept": len(precision.kept)}


def halve(source: Path, target: Path) -> None:
    """Writes a float32 graph in float16, its outputs staying float32: for GPUs, which multiply it in half the time."""
    onnx.save(convert_float_to_float16(onnx.load(source), keep_io_types=True), target)


def _four_bits(model: onnx.ModelProto, names: list[str]) -> onnx.ModelProto:
    # Imported late: it makes the whole process log at level INFO, and the tracing of the graph is talkative.
    from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer

    excluded = [node.name for node in model.graph.node if node.op_type == "MatMul" and node.name not in names]
    # Level 4 multiplies in 8-bit integers, the fastest kernel that a CPU has.
    config = DefaultWeightOnlyQuantConfig(block_size=BLOCK, is_symmetric=True, accuracy_level=4)
    quantizer = MatMulNBitsQuantizer(model, nodes_to_exclude=excluded, algo_config=config)
    quantizer.process()
    result: onnx.ModelProto = quantizer.model.model
    return result


def _fused_products(path: Path, products: str) -> int:
    """Counts the products that ONNX Runtime runs as one quantised operator."""
    optimised = path.with_suffix(".optimised")
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(optimised)
    try:
        ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return sum(node.op_type in _FUSED[products] for node in onnx.load(optimised).graph.node)
    finally:
        optimised.unlink(missing_ok=True)
