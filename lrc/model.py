"""What is trained: prompts and adapters in a frozen backbone, or its own weights, and a task head on top."""

import torch
from torch import nn

from .adapters import chosen
from .adapters.adapter import Host, InputAdapter
from .adapters.attention import enable
from .backbones.families import find_family
from .backbones.families.family import Family
from .backbones.load import Backbone
from .config.settings import TrainSettings
from .errors import UserError
from .tasks import find_kind

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class TaskModel(nn.Module):
    """Encoder and head: a plain module from token ids to named logits.

    Args:
        encoder: The encoder, with or without prefixes and adapters.
        head: Of a kind of task.
        prompt: What stands in front of the encoder, if anything does.
    """

    def __init__(self, encoder: nn.Module, head: nn.Module, prompt: InputAdapter | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.prompt = prompt

    @property
    def family(self) -> Family:
        """What is known of encoders of this kind."""
        return find_family(self.encoder.config)

    @property
    def takes_token_types(self) -> bool:
        """Whether the encoder distinguishes the two texts of a pair by `token_type_ids`."""
        return self.family.token_types(self.encoder.config)

    def encode(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Returns the last hidden states, (batch, length, width)."""
        inputs = self.inputs(input_ids, attention_mask, token_type_ids)
        if self.prompt is not None:
            inputs = self.prompt.widen(self.encoder, inputs)
        hidden: torch.Tensor = self.encoder(**inputs).last_hidden_state
        return hidden if self.prompt is None else self.prompt.narrow(hidden)

    def encode_layers(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
    ) -> list[torch.Tensor]:
        """Returns the hidden states of the layers, each (batch, length, width); what is replayed has none."""
        inputs = self.inputs(input_ids, attention_mask, token_type_ids)
        if self.prompt is None:
            return encode_layers(self.encoder, inputs)
        layers = encode_layers(self.encoder, self.prompt.widen(self.encoder, inputs))
        return [self.prompt.narrow(hidden) for hidden in layers]

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


def layer_depths(model: TaskModel) -> tuple[dict[str, int], int]:
    """Returns for each parameter of a model the layer it lies in, and the number of layers.

    Layers count from 0, the lowest; what lies below them has -1, the head the number of layers.
    """
    path, layers = model.family.layers(model.encoder)
    depths = {}
    for name, _ in model.named_parameters():
        inside = name.removeprefix(f"encoder.{path}.")
        depths[name] = int(inside.split(".")[0]) if inside != name else len(layers) if name.startswith("head.") else -1
    return depths, len(layers)


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
    host = Host.of(backbone, settings.frozen_layers, batch, state)
    enable(host.encoder)
    front: InputAdapter | None = None
    for adapter in chosen(settings):
        front = adapter.attach(host, settings) or front
    model = TaskModel(host.encoder, _head(backbone, settings), front)
    if state is not None:
        expected = model.trained_state()
        if expected.keys() != state.keys():
            raise ValueError(f"trained tensors differ: {sorted(expected.keys() ^ state.keys())[:4]}")
        model.load_state_dict(state, strict=False)
    return model.eval()


def _head(backbone: Backbone, settings: TrainSettings) -> nn.Module:
    kind = find_kind(settings.kind)
    name = settings.head or kind.heads[0]
    if name not in kind.heads:
        raise UserError(f"`head` {name}: choose one of {', '.join(kind.heads)}")
    return kind.build_head(name, backbone.width, backbone.separator, kind.scheme(settings))
