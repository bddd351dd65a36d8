"""Operators of ONNX Runtime that a module emits while it is exported; torch knows nothing like them."""

import torch

DOMAIN = "com.microsoft"
ATTENTION = "MultiHeadAttention"


def attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, seen: torch.Tensor | None, scale: float
) -> torch.Tensor:
    """Emits scaled dot-product attention as one operator; for a module to call while it is exported.

    Args:
        query: Of shape (batch, heads, length, head width).
        key: Of shape (batch, heads, keys, head width); a prefix's constants may stand before those of the tokens.
        value: Likewise.
        seen: int32, (batch, keys): 1 for a key that may be attended to, 0 for padding; all of them when None.
        scale: Factor of the products of query and key.

    Returns:
        Shape (batch, length, heads, head width).
    """
    batch, heads, length, width = query.shape
    inputs = [tensor.transpose(1, 2).flatten(2) for tensor in (query, key, value)]
    output: torch.Tensor = torch.onnx.ops.symbolic(
        f"{DOMAIN}::{ATTENTION}",
        inputs if seen is None else [*inputs, None, seen],
        attrs={"num_heads": heads, "scale": scale},
        dtype=query.dtype,
        shape=(batch, length, heads * width),
        version=1,
    )
    return output.reshape(batch, length, heads, width)
