"""What is trained: prompts and adapters in a frozen backbone, or its own weights, and a task head on top."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from .adapters.bottleneck import add_bottlenecks, add_scaling, feed_forward_outputs, keys_and_values
from .adapters.lora import add_lora
from .adapters.prefix import KeyValuePrefix, ReparametrisedPrefix, add_prefixes, empty_prefixes, enable
from .adapters.prompt import InputPrompt, ReparametrisedPrompt, initial_tokens, insert, text_prompt
from .backbones.load import Backbone
from .config.methods import find_method
from .config.settings import TrainSettings
from .errors import UserError
from .heads import HEADS, build_head

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class TaskModel(nn.Module):
    """Encoder and head: a plain module from token ids to named logits.

    Args:
        encoder: The encoder, with or without prefixes and adapters.
        head: One of `lrc.heads`.
        prompt: Gives the prompt in the input, if there is one.
    """

    def __init__(
        self, encoder: nn.Module, head: nn.Module, prompt: InputPrompt | ReparametrisedPrompt | None = None
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.prompt = prompt

    @property
    def takes_token_types(self) -> bool:
        """Whether the encoder distinguishes the two texts of a pair by `token_type_ids`."""
        return takes_token_types(self.encoder)

    def encode(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Returns the last hidden states, (batch, length, width)."""
        inputs = self.inputs(input_ids, attention_mask, token_type_ids)
        if self.prompt is None:
            hidden: torch.Tensor = self.encoder(**inputs).last_hidden_state
            return hidden
        embeddings = self.prompt()
        hidden = self.encoder(**insert(self.encoder, embeddings, inputs)).last_hidden_state
        return without_prompt(hidden, len(embeddings))

    def encode_layers(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
    ) -> list[torch.Tensor]:
        """Returns the hidden states of the layers, each (batch, length, width); what is replayed has none."""
        inputs = self.inputs(input_ids, attention_mask, token_type_ids)
        if self.prompt is None:
            return encode_layers(self.encoder, inputs)
        embeddings = self.prompt()
        layers = encode_layers(self.encoder, insert(self.encoder, embeddings, inputs))
        return [without_prompt(hidden, len(embeddings)) for hidden in layers]

    def inputs(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """Returns what the encoder takes of a batch."""
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
        if token_type_ids is not None and self.takes_token_types:
            inputs["token_type_ids"] = token_type_ids
        return inputs

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """Maps token ids, mask and segments, each (batch, length), to the head's named logits."""
        hidden = self.encode(input_ids, attention_mask, token_type_ids)
        outputs: dict[str, torch.Tensor] = self.head(hidden, attention_mask, input_ids)
        return outputs

    def trained_state(self) -> dict[str, torch.Tensor]:
        """Returns the trained tensors by name."""
        return {name: value for name, value in self.named_parameters() if value.requires_grad}


def encode_layers(encoder: nn.Module, inputs: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """Returns the hidden states of an encoder's layers from the lowest up, the last as the task's head sees them."""
    outputs = encoder(**inputs, output_hidden_states=True)
    return [*outputs.hidden_states[1:-1], outputs.last_hidden_state]


def without_prompt(hidden: torch.Tensor, length: int) -> torch.Tensor:
    """Drops the states of a prompt behind the first token."""
    return torch.cat([hidden[:, :1], hidden[:, 1 + length :]], dim=1)


def takes_token_types(encoder: Any) -> bool:
    """Whether an encoder distinguishes the two texts of a pair by `token_type_ids`."""
    return int(getattr(encoder.config, "type_vocab_size", 0) or 0) > 1


def layer_stack(encoder: nn.Module) -> tuple[str, nn.ModuleList]:
    """Returns an encoder's layers, from the lowest up, and their path in it.

    Raises:
        UserError: If it keeps them in no list, as where layers share their weights.
    """
    count = int(encoder.config.num_hidden_layers)  # type: ignore[union-attr, arg-type]
    for path, module in encoder.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return path, module
    raise UserError(
        f"--frozen-layers, --unfreezing, --prompt-layers: {type(encoder).__name__} keeps its layers in no list;"
        " leave them out"
    )


def layer_depths(model: TaskModel) -> tuple[dict[str, int], int]:
    """Returns for each parameter of a model the layer it lies in, and the number of layers.

    Layers count from 0, the lowest; what lies below them has -1, the head the number of layers.
    """
    path, layers = layer_stack(model.encoder)
    depths = {}
    for name, _ in model.named_parameters():
        inside = name.removeprefix(f"encoder.{path}.")
        depths[name] = int(inside.split(".")[0]) if inside != name else len(layers) if name.startswith("head.") else -1
    return depths, len(layers)


def frozen_part(encoder: nn.Module, layers: int) -> Callable[[str], bool]:
    """Returns whether a module or parameter of this name lies in the lowest layers, or below them in the embeddings."""
    if not layers:
        return lambda name: False
    path, stack = layer_stack(encoder)
    trained = tuple(f"{path}.{index}." for index in range(layers, len(stack)))
    return lambda name: not f"{name}.".startswith(trained)


def build_model(
    backbone: Backbone,
    settings: TrainSettings,
    batch: dict[str, torch.Tensor] | None = None,
    state: dict[str, torch.Tensor] | None = None,
) -> TaskModel:
    """Adds what a method trains, and a head, to a frozen backbone.

    Args:
        backbone: The backbone; its encoder is changed in place.
        settings: Method, prompt length, LoRA rank, width of the adapters, kind of task, seed.
        batch: Training text from which prompts are initialised, for a new run.
        state: Trained tensors of a saved run, loaded strictly, for an old one.

    Returns:
        The model, in eval mode; only what the method trains requires gradients.
    """
    torch.manual_seed(settings.seed)
    method = find_method(settings.method)
    encoder = backbone.encoder
    enable(encoder)
    frozen = frozen_part(encoder, settings.frozen_layers)
    _add_adapters(encoder, settings, frozen)
    for name, parameter in encoder.named_parameters():
        if method.trains == "all" or ((method.trains == "bias" or settings.bias) and name.endswith("bias")):
            parameter.requires_grad_(not frozen(name))
    prompt: InputPrompt | ReparametrisedPrompt | None = None
    if settings.prompt_length and method.input_length:
        if method.reparametrised:
            prompt = ReparametrisedPrompt(settings.prompt_length, backbone.width)
        elif batch is not None:
            prompt = text_prompt(encoder, *_initial_tokens(backbone, settings, batch))
        else:
            prompt = InputPrompt(torch.zeros(settings.prompt_length, backbone.width))
    elif settings.prompt_length and batch is not None:
        kind = ReparametrisedPrefix if settings.reparametrise else KeyValuePrefix
        without = _outside(encoder, settings.prompt_layers, frozen)
        add_prefixes(encoder, *_initial_tokens(backbone, settings, batch), kind, without, settings.prompt_aside)
    elif state is not None:
        empty_prefixes(encoder, {name.removeprefix("encoder."): value for name, value in state.items()})
    name = settings.head or HEADS[settings.kind][0]
    head = build_head(settings.kind, name, backbone.width, backbone.separator)
    model = TaskModel(encoder, head, prompt)
    if state is not None:
        expected = model.trained_state()
        if expected.keys() != state.keys():
            raise ValueError(f"trained tensors differ: {sorted(expected.keys() ^ state.keys())[:4]}")
        model.load_state_dict(state, strict=False)
    return model.eval()


def _add_adapters(encoder: nn.Module, settings: TrainSettings, frozen: Callable[[str], bool]) -> None:
    # Found before anything is wrapped. LoRA comes first, as it freezes everything else; scaling folds into the layer
    # that it stands next to.
    outputs, keyed = feed_forward_outputs(encoder), keys_and_values(encoder)
    if settings.lora_rank:
        # The mean of several products is one of so many times their rank.
        add_lora(encoder, settings.lora_rank * settings.soup, settings.lora_kind, frozen)
    if (settings.bottleneck or settings.scaling) and not outputs:
        raise UserError(
            f"--backbone {settings.backbone}: {type(encoder).__name__} has no feed-forward blocks for adapters;"
            " use another method"
        )
    if settings.scaling and not keyed:
        raise UserError(f"--scaling: lrc does not know the keys and values of {type(encoder).__name__}; leave it out")
    outputs, keyed = ([path for path in paths if not frozen(path)] for paths in (outputs, keyed))
    if settings.scaling:
        add_scaling(encoder, keyed, outputs)
    if settings.bottleneck:
        add_bottlenecks(encoder, outputs, settings.bottleneck, settings.parallel_adapters)


def _initial_tokens(
    backbone: Backbone, settings: TrainSettings, batch: dict[str, torch.Tensor]
) -> tuple[dict[str, torch.Tensor], list[int]]:
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    return initial_tokens(settings.prompt_init, settings.prompt_length, settings.seed, inputs, backbone.tokenizer)


def _outside(encoder: nn.Module, layers: str, frozen: Callable[[str], bool]) -> Callable[[str], bool]:
    """Returns whether a module of this name is frozen or outside a range of layers such as 7-12, counted from 1."""
    if not layers:
        return frozen
    path, stack = layer_stack(encoder)
    first, _, last = layers.partition("-")
    last = last or first
    if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last) <= len(stack)):
        raise UserError(f"--prompt-layers {layers}: give a range of the layers 1 to {len(stack)}, as 7-{len(stack)}")
    inside = tuple(f"{path}.{index}." for index in range(int(first) - 1, int(last)))
    return lambda name: frozen(name) or not name.startswith(inside)


def task_loss(outputs: dict[str, torch.Tensor], batch: dict[str, torch.Tensor], smoothing: float = 0.0) -> torch.Tensor:
    """Cross-entropy of the labels.

    Args:
        outputs: The head's logits.
        batch: For spans `start_positions` and `end_positions` (batch,) and `span_mask` (batch, length), true
            where a span may begin or end and at the first token, which means "no answer here"; for pairs
            `labels` (batch,).
        smoothing: Share of the target mass that is spread evenly over the labels, for spans over the tokens of
            `span_mask` (label smoothing, Szegedy et al. 2016).

    Returns:
        The mean over the batch; for spans of start and end together.
    """
    if "labels" in batch:
        return nn.functional.cross_entropy(outputs["logits"].float(), batch["labels"], label_smoothing=smoothing)
    allowed = batch["span_mask"]
    total = outputs["start_logits"].new_zeros((), dtype=torch.float32)
    for side in ("start", "end"):
        logits = outputs[f"{side}_logits"].float().masked_fill(~allowed, -1e9)
        loss = nn.functional.cross_entropy(logits, batch[f"{side}_positions"])
        if smoothing:
            even = -(logits.log_softmax(-1) * allowed).sum(-1) / allowed.sum(-1)
            loss = (1 - smoothing) * loss + smoothing * even.mean()
        total = total + loss / 2
    return total
