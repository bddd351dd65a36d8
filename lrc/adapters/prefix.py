"""Deep soft prompts: a trained key and value prefix in every attention layer.

The prefix enters through transformers' attention registry, so it works for every encoder that uses the
registry. It spends no positions and shifts no token, unlike prompts placed in front of the input.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import bidirectional_mask_function, sdpa_mask

from lrc_exporters.operators import attention

from ..errors import UserError

ATTENTION = "lrc_prefix"
_FUSED = "lrc_fused"
_BOTTLENECK = 64
# Of the ridge regression, as a share of the mean square of a query's components.
_RIDGE = 1e-3


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

    def forward(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns the keys and the values, each (heads, prefix length, head width)."""
        return self.keys, self.values


class ReparametrisedPrefix(KeyValuePrefix):
    """The same through a small network, which lowering folds away.

    With p a position's keys and values of all heads in one vector, it becomes p + up(tanh(down(p))): Li and Liang's
    network with the shortcut of residual prompt tuning (Razdaibiedina et al. 2023), so that it begins where the direct
    prefix does.

    Args:
        keys: Initial keys, shape (heads, prefix length, head width).
        values: Initial values, likewise.
    """

    def __init__(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        super().__init__(keys, values)
        width = 2 * keys.shape[0] * keys.shape[2]
        self.down = nn.Linear(width, _BOTTLENECK)
        self.up = nn.Linear(_BOTTLENECK, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns the keys and the values, each (heads, prefix length, head width)."""
        heads, length, width = self.keys.shape
        flat = torch.stack([self.keys, self.values]).permute(2, 0, 1, 3).reshape(length, -1)
        flat = flat + self.up(torch.tanh(self.down(flat)))
        both = flat.reshape(length, 2, heads, width).permute(1, 2, 0, 3)
        return both[0], both[1]


def _attend(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **kwargs: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Scaled dot-product attention over the layer's prefix, if it has one, and the sequence."""
    key, value, attention_mask = _with_prefix(module, key, value, attention_mask)
    if query.device.type == "cpu" and query.dtype == torch.bfloat16 and query.requires_grad:
        # PyTorch's CPU kernel takes twice as long backwards in bf16 as in float32.
        with torch.autocast("cpu", enabled=False):
            output, weights = sdpa_attention_forward(
                module, query.float(), key.float(), value.float(), attention_mask, **kwargs
            )
        return output.to(query.dtype), weights
    return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)


def _with_prefix(
    module: nn.Module, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Puts the layer's prefix, if it has one, before its keys and values; the mask's last axis is that of the keys."""
    prefix = getattr(module, "prefix", None)
    if not isinstance(prefix, KeyValuePrefix):
        return key, value, mask
    keys, values = (tensor.to(key.dtype).expand(key.shape[0], -1, -1, -1) for tensor in prefix())
    if mask is not None:
        seen = mask.new_zeros(()) if mask.dtype.is_floating_point else mask.new_ones(())
        mask = torch.cat([seen.expand(*mask.shape[:-1], keys.shape[2]), mask], dim=-1)
    return torch.cat([keys, key], dim=2), torch.cat([values, value], dim=2), mask


def _attend_fused(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The same as one operator of the exported graph, where the mask says no more than what is padding."""
    if attention_mask is not None and attention_mask.dim() != 2:
        return _attend(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
    key, value, seen = _with_prefix(module, key, value, attention_mask)
    return attention(query, key, value, seen, scaling or query.shape[-1] ** -0.5), None


def _padding_mask(*, mask_function: Any, attention_mask: torch.Tensor | None = None, **kwargs: Any) -> Any:
    if mask_function is bidirectional_mask_function and attention_mask is not None:
        return attention_mask.to(torch.int32)
    return sdpa_mask(mask_function=mask_function, attention_mask=attention_mask, **kwargs)


for _name, _function, _mask in ((ATTENTION, _attend, sdpa_mask), (_FUSED, _attend_fused, _padding_mask)):
    AttentionInterface.register(_name, _function)
    AttentionMaskInterface.register(_name, _mask)


def any_shape() -> AbstractContextManager[None]:
    """Keeps attention to kernels that take a batch of a new shape as fast as the last one; cuDNN's plans each anew."""
    return sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH])


@contextmanager
def fused(encoder: nn.Module) -> Iterator[None]:
    """While it lasts, an encoder that is exported emits each attention as one operator; it cannot be run."""
    encoder.set_attn_implementation(_FUSED)  # type: ignore[operator]
    try:
        yield
    finally:
        enable(encoder)


def enable(encoder: nn.Module) -> None:
    """Sends the encoder's attention through this module; without prefixes its output stays the same bit by bit."""
    encoder.set_attn_implementation(ATTENTION)  # type: ignore[operator]


@torch.no_grad()
def add_prefixes(
    encoder: nn.Module,
    batch: dict[str, torch.Tensor],
    picked: Sequence[int],
    kind: type[KeyValuePrefix] = KeyValuePrefix,
    frozen: Callable[[str], bool] = lambda name: False,
    aside: float = 0.0,
) -> None:
    """Puts a prefix into every attention layer that is not frozen.

    Each layer's prefix starts as keys and values that the frozen encoder itself computes for the given tokens:
    activations it knows, where random vectors would disturb it.

    Args:
        encoder: The frozen encoder.
        batch: `input_ids` and `attention_mask` (and `token_type_ids` where the encoder has them) of text, (batch,
            length).
        picked: Of its real tokens, counted row by row, those whose keys and values become the prefix.
        kind: Direct or reparametrised.
        frozen: Whether the module of a name stays as it is.
        aside: By how much the keys lower the logits that the queries of this text give them, so that the encoder is
            disturbed less at first.

    Raises:
        UserError: If the encoder does not use transformers' attention registry.
    """
    layers: list[tuple[nn.Module, torch.Tensor, torch.Tensor, torch.Tensor]] = []

    def record(module: nn.Module, query: Any, key: torch.Tensor, value: torch.Tensor, mask: Any, **kwargs: Any) -> Any:
        layers.append((module, query, key, value))
        return sdpa_attention_forward(module, query, key, value, mask, **kwargs)

    recorder = f"{ATTENTION}_recorder"
    AttentionInterface.register(recorder, record)
    AttentionMaskInterface.register(recorder, sdpa_mask)
    encoder.set_attn_implementation(recorder)  # type: ignore[operator]
    encoder(**batch)
    enable(encoder)
    if not layers:
        raise UserError(
            f"--prompt-length {len(picked)}: the attention of {type(encoder).__name__} cannot carry a prefix;"
            " use --prompt-length 0 or another backbone"
        )
    rows, columns = batch["attention_mask"].cpu().nonzero(as_tuple=True)
    chosen = torch.tensor(picked)
    names = {module: name for name, module in encoder.named_modules()}
    for module, query, key, value in layers:
        if frozen(names[module]):
            continue
        # (length, heads, head width) -> (heads, length, head width)
        keys = key[rows[chosen], :, columns[chosen]].transpose(0, 1).float().contiguous()
        values = value[rows[chosen], :, columns[chosen]].transpose(0, 1).float().contiguous()
        if aside:
            keys += _looked_away_from(query.transpose(1, 2)[rows, columns], aside)[:, None]
        module.prefix = kind(keys, values)


def _looked_away_from(queries: torch.Tensor, aside: float) -> torch.Tensor:
    """Returns for each head the vector v that, added to a key, lowers its logits by the same for all queries.

    It minimises the mean of (q . v / sqrt(d) + aside)^2 over the queries, with a ridge. Queries have much in common,
    so that one vector nearly does it; where they have nothing, v is 0.

    Args:
        queries: (queries, heads, head width).
        aside: By how much.

    Returns:
        (heads, head width).
    """
    q = queries.transpose(0, 1).double() * queries.shape[-1] ** -0.5
    squares = q.transpose(1, 2) @ q / q.shape[1]
    ridge = _RIDGE * squares.diagonal(dim1=1, dim2=2).mean(-1)
    squares += ridge[:, None, None] * torch.eye(q.shape[-1], dtype=q.dtype, device=q.device)
    solved: torch.Tensor = torch.linalg.solve(squares, q.mean(1))
    return -aside * solved.to(torch.float32)


def empty_prefixes(encoder: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Makes room for the prefixes of a saved run, to be filled by `load_state_dict`."""
    for name, keys in state.items():
        path, _, leaf = name.rpartition(".prefix.")
        if leaf == "keys":
            kind = ReparametrisedPrefix if f"{path}.prefix.down.weight" in state else KeyValuePrefix
            encoder.get_submodule(path).prefix = kind(torch.zeros_like(keys), torch.zeros_like(keys))
