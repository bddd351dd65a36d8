"""Weights in 4 bits, one scale for 32 values."""

from collections.abc import Collection

import onnx

from ..tables import BLOCK
from .quantiser import Quantiser, Ranges


def _products(model: onnx.ModelProto, names: Collection[str], ranges: Ranges | None) -> onnx.ModelProto:
    # Imported late: it makes the whole process log at level INFO, and the tracing of the graph is talkative.
    from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer

    excluded = [node.name for node in model.graph.node if node.op_type == "MatMul" and node.name not in names]
    # Level 4 multiplies in 8-bit integers, the fastest kernel that a CPU has.
    config = DefaultWeightOnlyQuantConfig(block_size=BLOCK, is_symmetric=True, accuracy_level=4)
    quantizer = MatMulNBitsQuantizer(model, nodes_to_exclude=excluded, algo_config=config)
    quantizer.process()
    result: onnx.ModelProto = quantizer.model.model
    return result


# The kernel rounds activations, so smoothing is of use here as well.
INT4 = Quantiser("int4", _products, fused=("MatMulNBits",), rounds=True)
