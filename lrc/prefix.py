"""Deep soft prompts: a trained key and value prefix in every attention layer.

The prefix enters through transformers' attention registry, so it works for every encoder that uses the
registry. It spends no positions and shifts no token, unlike prompts placed in front of the input.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from .errors import UserError

ATTENTION = "lrc_prefix"


class KeyValuePrefix(nn.Module):
    """Trained keys and values that every token of one layer attends to (Li and Liang 2021, "Prefix-Tuning").

    Args:
        keys: Initial keys, shape (heads, prefix length, head width).
        values: Initial values, likewise.
    """

    def __init__(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        super().__init__()
        self.keys = nn.Parameter(keys)
        self.values = nn.Parameter(values)


def _attend(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **kwargs: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Scaled dot-product attention over the layer's prefix, if it has one, and the sequence."""
    prefix = getattr(module, "prefix", None)
    if isinstance(prefix, KeyValuePrefix):
        batch = query.shape[0]
        key = torch.cat([prefix.keys.to(key.dtype).expand(batch, -1, -1, -1), key], dim=2)
        value = torch.cat([prefix.values.to(value.dtype).expand(batch, -1, -1, -1), value], dim=2)
        if attention_mask is not None:
            length = prefix.keys.shape[1]
            seen = attention_mask.new_ones(()) if attention_mask.dtype == torch.bool else attention_mask.new_zeros(())
            widened = seen.expand(*attention_mask.shape[:-1], length)
            attention_mask = torch.cat([widened, attention_mask], dim=-1)
    if query.device.type == "cpu" and query.dtype == torch.bfloat16 and query.requires_grad:
        # PyTorch's CPU kernel takes twice as long backwards in bf16 as in float32.
        with torch.autocast("cpu", enabled=False):
            output, weights = sdpa_attention_forward(
                module, query.float(), key.float(), value.float(), attention_mask, **kwargs
            )
        return output.to(query.dtype), weights
    return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)


AttentionInterface.register(ATTENTION, _attend)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)


def enable(encoder: nn.Module) -> None:
    """Sends the encoder's attention through this module; without prefixes its output stays the same bit by bit."""
    encoder.set_attn_implementation(ATTENTION)  # type: ignore[operator]


@torch.no_grad()
def add_prefixes(
    encoder: nn.Module,
    batch: dict[str, torch.Tensor],
    length: int,
    seed: int,
    frozen: Callable[[str], bool] = lambda name: False,
) -> None:
    """Puts a prefix into every attention layer that is not frozen.

    Each layer's prefix starts as keys and values that the frozen encoder itself computes for tokens of
    real text, drawn at random: activations it knows, where random vectors would disturb it.

    Args:
        encoder: The frozen encoder.
        batch: `input_ids` and `attention_mask` (and `token_type_ids` where the encoder has them) of
            training text, shape (batch, length).
        length: Prefix length.
        seed: Of the draw.
        frozen: Whether the module of a name stays as it is.

    Raises:
        UserError: If the encoder does not use transformers' attention registry.
    """
    layers: list[tuple[nn.Module, torch.Tensor, torch.Tensor]] = []

    def record(module: nn.Module, query: Any, key: torch.Tensor, value: torch.Tensor, mask: Any, **kwargs: Any) -> Any:
        layers.append((module, key, value))
        return sdpa_attention_forward(module, query, key, value, mask, **kwargs)

    recorder = f"{ATTENTION}_recorder"
    AttentionInterface.register(recorder, record)
    AttentionMaskInterface.register(recorder, sdpa_mask)
    encoder.set_attn_implementation(recorder)  # type: ignore[operator]
    encoder(**batch)
    enable(encoder)
    if not layers:
        raise UserError(
            f"--prompt-length {length}: the attention of {type(encoder).__name__} cannot carry a prefix;"
            " use --prompt-length 0 or another backbone"
        )
    generator = torch.Generator().manual_seed(seed)
    rows, columns = batch["attention_mask"].cpu().nonzero(as_tuple=True)
    picked = torch.randint(len(rows), (length,), generator=generator)
    names = {module: name for name, module in encoder.named_modules()}
    for module, key, value in layers:
        if frozen(names[module]):
            continue
        # (length, heads, head width) -> (heads, length, head width)
        keys = key[rows[picked], :, columns[picked]].transpose(0, 1).float().contiguous()
        values = value[rows[picked], :, columns[picked]].transpose(0, 1).float().contiguous()
        module.prefix = KeyValuePrefix(keys, values)


def empty_prefixes(encoder: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Makes room for the prefixes of a saved run, to be filled by `load_state_dict`."""
    for name, keys in state.items():
        path, _, leaf = name.rpartition(".prefix.")
        if leaf == "keys":
            encoder.get_submodule(path).prefix = KeyValuePrefix(torch.zeros_like(keys), torch.zeros_like(keys))
