"""Soft prompts in the input: trained embeddings after the first special token (prompt tuning and P-tuning).

PEFT puts virtual tokens before the first token, which shifts every gold span and the classification token, and drops
`token_type_ids`. Here they stand after it, and their hidden states are dropped on the way out, so that nothing shifts.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from peft import PromptEncoder, PromptEncoderConfig
from tokenizers import Tokenizer
from torch import nn

from ..config.methods import find_method
from ..config.settings import TrainSettings
from ..errors import UserError
from .adapter import Adapter, Host, InputAdapter, Tensors

LABELS, VOCABULARY, TEXT = "labels", "vocabulary", "text:"


class _Prompt(InputAdapter, ABC):
    """Embeddings after the first token of every input, and nothing of them on the way out."""

    length: int

    @abstractmethod
    def forward(self) -> torch.Tensor:
        """Returns the embeddings, (length, width)."""

    def widen(self, encoder: nn.Module, inputs: Tensors) -> Tensors:
        """Returns `inputs_embeds` (batch, length + prompt length, width) in place of the ids, the others widened."""
        embedded = word_embeddings(encoder, inputs["input_ids"])
        rows = self().to(embedded.dtype).expand(embedded.shape[0], -1, -1)
        widened = {"inputs_embeds": torch.cat([embedded[:, :1], rows, embedded[:, 1:]], dim=1)}
        for name in ("attention_mask", "token_type_ids"):
            if name in inputs:
                # The first token is always attended to and of the first segment, and so is the prompt.
                first = inputs[name][:, :1]
                widened[name] = torch.cat([first, first.expand(-1, self.length), inputs[name][:, 1:]], dim=1)
        return widened

    def narrow(self, hidden: torch.Tensor) -> torch.Tensor:
        """Drops the states of the prompt."""
        return torch.cat([hidden[:, :1], hidden[:, 1 + self.length :]], dim=1)


class InputPrompt(_Prompt):
    """Embeddings that every input reads after its first token (Lester et al. 2021, "prompt tuning").

    Args:
        embeddings: Initial embeddings, shape (length, width).
    """

    def __init__(self, embeddings: torch.Tensor) -> None:
        super().__init__()
        self.embeddings = nn.Parameter(embeddings)
        self.length = len(embeddings)

    def forward(self) -> torch.Tensor:
        """Returns the embeddings, (length, width)."""
        return self.embeddings


class ReparametrisedPrompt(_Prompt):
    """The same out of PEFT's small network (Liu et al. 2021, "P-tuning"), which lowering folds away.

    Args:
        length: Prompt length.
        width: Size of the word embeddings, and of the network's layers.
    """

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        self.length = length
        self.network = PromptEncoder(  # type: ignore[no-untyped-call]
            PromptEncoderConfig(
                task_type="FEATURE_EXTRACTION",
                num_virtual_tokens=length,
                token_dim=width,
                num_transformer_submodules=1,
                encoder_hidden_size=width,
            )
        )
        self.indices: torch.Tensor
        self.register_buffer("indices", torch.arange(length), persistent=False)

    def forward(self) -> torch.Tensor:
        """Returns the embeddings, (length, width)."""
        embeddings: torch.Tensor = self.network(self.indices[None])[0]
        return embeddings


def word_embeddings(encoder: nn.Module, input_ids: torch.Tensor) -> torch.Tensor:
    """Returns the encoder's word embeddings of (batch, length) ids, (batch, length, width)."""
    embeddings: torch.Tensor = encoder.get_input_embeddings()(input_ids)  # type: ignore[operator]
    return embeddings


@torch.no_grad()
def text_prompt(encoder: nn.Module, batch: Tensors, picked: Sequence[int]) -> InputPrompt:
    """Makes a prompt that starts as the embeddings of tokens of text.

    Args:
        encoder: The encoder.
        batch: `input_ids` and `attention_mask` of text, (batch, length).
        picked: Of its real tokens, counted row by row, those whose embeddings become the prompt.
    """
    ids = batch["input_ids"][batch["attention_mask"].bool()][torch.tensor(picked)]
    return InputPrompt(word_embeddings(encoder, ids[None])[0].float().clone())


def initial_tokens(settings: TrainSettings, batch: Tensors, tokenizer: Tokenizer) -> tuple[Tensors, list[int]]:
    """Returns text, and the tokens in it that a prompt starts from.

    Args:
        settings: Prompt length, seed of the draw, and what the prompt is initialised from: `labels`, tokens of the
            training text drawn at random; `vocabulary`, pieces of the vocabulary likewise; or `text:WORDS`, the tokens
            of these words in their order, over and over.
        batch: Training text, (batch, length).
        tokenizer: The backbone's.

    Returns:
        `input_ids` and `attention_mask`, and indices into the real tokens counted row by row.

    Raises:
        UserError: If it is initialised from none of these.
    """
    init, length = settings.prompt_init, settings.prompt_length
    generator = torch.Generator().manual_seed(settings.seed)
    if init == LABELS:
        count = int(batch["attention_mask"].sum())
        text = {name: batch[name] for name in ("input_ids", "attention_mask")}
        return text, torch.randint(count, (length,), generator=generator).tolist()
    if init == VOCABULARY:
        special = tokenizer.get_added_tokens_decoder()
        pieces = torch.tensor([index for index in range(tokenizer.get_vocab_size()) if index not in special])
        ids = pieces[torch.randint(len(pieces), (1, length), generator=generator)]
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, list(range(length))
    words = init.removeprefix(TEXT)
    tokens = tokenizer.encode(words, add_special_tokens=False).ids if init.startswith(TEXT) else []
    if not tokens:
        raise UserError(
            f"`prompt_init` {init}: choose labels or vocabulary, or give words, as in 'text:answer from the passage'"
        )
    ids = torch.tensor([tokens])
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, [index % len(tokens) for index in range(length)]


class _Prompts(Adapter):
    in_layers = False

    def wanted(self, settings: TrainSettings) -> bool:
        return bool(settings.prompt_length and find_method(settings.method).input_length)

    def attach(self, host: Host, settings: TrainSettings) -> InputAdapter:
        if find_method(settings.method).reparametrised:
            return ReparametrisedPrompt(settings.prompt_length, host.width)
        if host.batch is not None:
            return text_prompt(host.encoder, *initial_tokens(settings, host.batch, host.tokenizer))
        return InputPrompt(torch.zeros(settings.prompt_length, host.width))

    def lower(self, module: nn.Module, fold: bool) -> nn.Module | None:
        return InputPrompt(module().clone()) if isinstance(module, ReparametrisedPrompt) else None

    def tokens(self, settings: TrainSettings) -> int:
        return settings.prompt_length

    def without_mean(self, settings: TrainSettings) -> str:
        return "prompts out of a network" if find_method(settings.method).reparametrised else ""


ADAPTER = _Prompts()
