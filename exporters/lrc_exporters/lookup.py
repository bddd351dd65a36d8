"""The embedding table alone, as a graph of its own: what ranks the windows of a long text."""

import onnx
from onnx import TensorProto, helper

from .tables import IDS


def embedded(model: onnx.ModelProto) -> str | None:
    """Returns the tensor that the token ids are looked up into, in a graph that is not quantised yet."""
    tables = {tensor.name for tensor in model.graph.initializer if len(tensor.dims) == 2}
    for node in model.graph.node:
        if node.op_type == "Gather" and node.input[0] in tables and node.input[1] == IDS:
            return str(node.output[0])
    return None


def lookup_graph(model: onnx.ModelProto, tensor: str) -> onnx.ModelProto:
    """Cuts out of a graph what a tensor needs.

    Args:
        model: The graph.
        tensor: Name of a tensor of shape (batch, length, width).

    Returns:
        A graph from `input_ids` to `embeddings` in float32, with the same constants.
    """
    makers = {output: node for node in model.graph.node for output in node.output}
    needed, wanted = set(), [tensor]
    while wanted:
        name = wanted.pop()
        if name not in needed:
            needed.add(name)
            wanted += makers[name].input if name in makers else ()
    nodes = [node for node in model.graph.node if needed & set(node.output)]
    nodes.append(helper.make_node("Cast", [tensor], ["embeddings"], to=TensorProto.FLOAT))
    graph = helper.make_graph(
        nodes,
        "lookup",
        [value for value in model.graph.input if value.name in needed],
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["batch", "length", None])],
        [constant for constant in model.graph.initializer if constant.name in needed],
    )
    return helper.make_model(graph, opset_imports=list(model.opset_import), ir_version=model.ir_version)
