"""Which matrix products of a graph are worth quantising."""

import onnx

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
