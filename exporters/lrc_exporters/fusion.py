"""Fusion: attention as one operator of ONNX Runtime.

ONNX Runtime's optimizer finds no attention in what torch's exporter makes of scaled dot-product attention. So the
module itself emits the operator while it is exported (`operators.attention`). GELU and layer norm come out of the
exporter as single operators, and skip connections stay an addition before the norm: the fused `SkipLayerNormalization`
takes twice as long on a CPU as the two.
"""

from collections import Counter
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from .operators import ATTENTION

_MASK = "attention_mask"


def fuse(path: Path) -> dict[str, int]:
    """Lets a batch without padding take attention's faster kernel, which knows no mask.

    Each masked attention becomes a choice between the operator with and without its mask.

    Args:
        path: The float32 model, rewritten in place.

    Returns:
        Numbers of fused operators by name; attention over a sliding window stays in pieces and is not counted.
    """
    model = onnx.load(path)
    graph = model.graph
    counts = Counter(node.op_type for node in graph.node)
    masked = [node for node in graph.node if node.op_type == ATTENTION and len(node.input) > 4]
    if masked:
        nodes = [
            helper.make_node("ReduceMin", [_MASK], ["least_seen"], keepdims=0),
            helper.make_node("Cast", ["least_seen"], ["all_seen"], to=TensorProto.BOOL),
        ]
        nodes += [_choice(node) if node in masked else node for node in graph.node]
        del graph.node[:]
        graph.node.extend(nodes)
        onnx.save(model, path)
    return {"attention": counts[ATTENTION], "gelu": counts["Gelu"], "layer_norm": counts["LayerNormalization"]}


def _choice(masked: onnx.NodeProto) -> onnx.NodeProto:
    """Returns attention without its mask where nothing is padding, and with it elsewhere.

    OpenVINO's provider claims every choice between tensors of types that it knows, whatever operators are within, and
    then cannot build it. A second output, a double that nobody reads, leaves the choice to ONNX Runtime's own.
    """
    branches, unread = {}, helper.make_tensor("", TensorProto.DOUBLE, [], [0])
    for branch, inputs in (("then_branch", masked.input[:3]), ("else_branch", masked.input)):
        node = onnx.NodeProto()
        node.CopyFrom(masked)
        output = f"{masked.output[0]}_{branch}"
        del node.input[:], node.output[:]
        node.input.extend(inputs)
        node.output.append(output)
        constant = helper.make_node("Constant", [], [f"{output}_unread"], value=unread)
        values = [
            helper.make_tensor_value_info(output, TensorProto.FLOAT, None),
            helper.make_tensor_value_info(f"{output}_unread", TensorProto.DOUBLE, []),
        ]
        branches[branch] = helper.make_graph([node, constant], f"{masked.name}_{branch}", [], values)
    outputs = [masked.output[0], f"{masked.output[0]}_unread"]
    return helper.make_node("If", ["all_seen"], outputs, name=f"{masked.name}_choice", **branches)
