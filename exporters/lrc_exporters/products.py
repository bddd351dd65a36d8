"""Matrix products in int8: which are worth it, and the operators that they become."""

from collections.abc import Collection, Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .activations import Activations

# Products with a handful of outputs cost nothing and decide everything.
_MIN_OUTPUTS = 16


def constant_products(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Returns the products of token states with constant weights, without those of a few outputs only."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    return [
        node
        for node in model.graph.node
        if node.op_type == "MatMul" and node.input[1] in weights and weights[node.input[1]].dims[-1] >= _MIN_OUTPUTS
    ]


def quantize_products(
    model: onnx.ModelProto, names: Collection[str], ranges: Mapping[str, Activations] | None = None
) -> None:
    """Writes products in int8, in place: weights symmetric per output channel, activations in 8 bits a tensor.

    Args:
        model: The graph.
        names: Names of the product nodes, of those that `constant_products` finds.
        ranges: By the name of the activation, what fixes its scale; when None, each batch sets its own as it comes.
    """
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    constants: dict[str, np.ndarray] = {}
    made: set[str] = set()
    for node in graph.node:
        if node.name not in names:
            nodes.append(node)
            continue
        states, weight = node.input
        if f"{weight}_int8" not in constants:
            quantised, scales = quantize_columns(numpy_helper.to_array(weights[weight]))
            constants |= {f"{weight}_int8": quantised, f"{weight}_scale": scales}
            constants[f"{weight}_zero"] = np.zeros(len(scales), np.int8)
        if states not in made and ranges is not None:
            constants |= _range(states, ranges[states])
        dynamic = _dynamic(node, states in made) if ranges is None else _static(node, made)
        nodes += dynamic
        made |= {states, weight}
    read = {name for node in nodes for name in node.input}
    left = [tensor for tensor in graph.initializer if tensor.name in read or tensor.name not in made]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend([*left, *(numpy_helper.from_array(value, name) for name, value in constants.items())])


def _dynamic(node: onnx.NodeProto, states_made: bool) -> list[onnx.NodeProto]:
    """What ONNX Runtime fuses into one operator: rounded states times rounded weights, in integers, then scaled."""
    states, weight = node.input
    name = node.name
    rounding = helper.make_node(
        "DynamicQuantizeLinear", [states], [f"{states}_uint8", f"{states}_scale", f"{states}_zero"], f"{states}_round"
    )
    inputs = [f"{states}_uint8", f"{weight}_int8", f"{states}_zero", f"{weight}_zero"]
    return [rounding] * (not states_made) + [
        helper.make_node("MatMulInteger", inputs, [f"{name}_int32"], f"{name}_int8"),
        helper.make_node("Cast", [f"{name}_int32"], [f"{name}_sum"], f"{name}_sum", to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{states}_scale", f"{weight}_scale"], [f"{name}_scale"], f"{name}_scale"),
        helper.make_node("Mul", [f"{name}_sum", f"{name}_scale"], list(node.output), name),
    ]


def _static(node: onnx.NodeProto, made: set[str]) -> list[onnx.NodeProto]:
    """The same with the scale of the states fixed, as quantise and dequantise pairs."""
    states, weight = node.input
    scale = [f"{states}_scale", f"{states}_zero"]
    nodes = []
    if states not in made:
        nodes += [
            helper.make_node("QuantizeLinear", [states, *scale], [f"{states}_uint8"], f"{states}_round"),
            helper.make_node("DequantizeLinear", [f"{states}_uint8", *scale], [f"{states}_float"], f"{states}_back"),
        ]
    if weight not in made:
        inputs = [f"{weight}_int8", f"{weight}_scale", f"{weight}_zero"]
        nodes.append(helper.make_node("DequantizeLinear", inputs, [f"{weight}_float"], f"{weight}_back", axis=1))
    inputs = [f"{states}_float", f"{weight}_float"]
    return [*nodes, helper.make_node("MatMul", inputs, list(node.output), node.name)]


def _range(states: str, seen: Activations) -> dict[str, np.ndarray]:
    low, high = min(0.0, float(seen.low.min())), max(0.0, float(seen.high.max()))
    scale = max(high - low, 1e-6) / 255
    return {
        f"{states}_scale": np.array(scale, np.float32),
        f"{states}_zero": np.array(np.clip(round(-low / scale), 0, 255), np.uint8),
    }


def quantize_columns(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantises each column of a weight symmetrically to 8 bits.

    Args:
        weight: Float values, shape (inputs, outputs).

    Returns:
        int8 values of the same shape and float32 scales of shape (outputs,).
    """
    scales = np.abs(weight).max(axis=0).astype(np.float32) / 127
    scales[scales == 0] = 1
    return np.rint(weight / scales).astype(np.int8), scales
