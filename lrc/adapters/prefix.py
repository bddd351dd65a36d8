"""Deep soft prompts: a trained key and value prefix in every attention layer.

The prefix enters through transformers' attention registry, so it works for every encoder that uses the
registry. It spends no positions and shifts no token, unlike prompts placed in front of the input.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from ..config.methods import find_method
from ..config.settings import TrainSettings
from ..errors import UserError
from .adapter import Adapter, Host
from .attention import ATTENTION, KeyValuePrefix, enable
from .prompt import initial_tokens

_BOTTLENECK = 64
# Of the ridge regression, as a share of the mean square of a query's components.
_RIDGE = 1e-3


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
            f"`prompt_length` {len(picked)}: the attention of {type(encoder).__name__} cannot carry a prefix;"
            " use `prompt_length` 0 or another backbone"
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


class _Prefixes(Adapter):
    def wanted(self, settings: TrainSettings) -> bool:
        return bool(settings.prompt_length and not find_method(settings.method).input_length)

    def attach(self, host: Host, settings: TrainSettings) -> None:
        if host.batch is not None:
            kind = ReparametrisedPrefix if settings.reparametrise else KeyValuePrefix
            tokens = initial_tokens(settings, host.batch, host.tokenizer)
            add_prefixes(host.encoder, *tokens, kind, _outside(host, settings.prompt_layers), settings.prompt_aside)
        elif host.state is not None:
            empty_prefixes(host.encoder, {name.removeprefix("encoder."): value for name, value in host.state.items()})

    def lower(self, module: nn.Module, fold: bool) -> nn.Module | None:
        if not isinstance(module, ReparametrisedPrefix):
            return None
        keys, values = module()
        return KeyValuePrefix(keys.contiguous(), values.contiguous())

    def without_mean(self, settings: TrainSettings) -> str:
        return "prompts out of a network" if settings.reparametrise else ""


def _outside(host: Host, layers: str) -> Callable[[str], bool]:
    """Returns whether a module of this name is frozen or outside a range of layers such as 7-12, counted from 1."""
    if not layers:
        return host.frozen
    path, stack = host.family.layers(host.encoder)
    first, _, last = layers.partition("-")
    last = last or first
    if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last) <= len(stack)):
        raise UserError(f"`prompt_layers` {layers}: give a range of the layers 1 to {len(stack)}, as 7-{len(stack)}")
    inside = tuple(f"{path}.{index}." for index in range(int(first) - 1, int(last)))
    return lambda name: host.frozen(name) or not name.startswith(inside)


ADAPTER = _Prefixes()
