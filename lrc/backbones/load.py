"""The frozen backbone: the built-in one, a Hugging Face hub id, or a local folder."""

import hashlib
import os
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer
from torch import nn

from ..config.options import BUILTIN
from ..errors import UserError
from .builtin import LICENCE, builtin_folder
from .families import find_family
from .families.family import Family


@dataclass
class Backbone:
    """A frozen encoder in eval mode.

    Attributes:
        name: What `backbone` said.
        encoder: Any encoder that `AutoModel` loads; `last_hidden_state` of shape (batch, length, width).
        tokenizer: Its fast tokenizer.
        licence: Licence of the weights, as far as it is known.
        fingerprint: SHA-256 over the names and values of all weights.
    """

    name: str
    encoder: nn.Module
    tokenizer: Tokenizer
    licence: str
    fingerprint: str

    @property
    def config(self) -> Any:
        """The encoder's transformers configuration."""
        return self.encoder.config

    @property
    def family(self) -> Family:
        """What is known of encoders of its kind."""
        return find_family(self.config)

    @property
    def width(self) -> int:
        """Size of the hidden states."""
        return int(self.config.hidden_size)

    @property
    def separator(self) -> int:
        """Id of the token that ends each text of a pair."""
        return int(self.tokenizer.encode("a", "b").ids[-1])


def load_backbone(name: str) -> Backbone:
    """Loads a backbone, freezes it and puts it in eval mode.

    Args:
        name: `builtin`, a hub id, or the path of a local folder with config, weights and tokenizer.

    Returns:
        The backbone, in float32 on the CPU.

    Raises:
        UserError: If it cannot be found or is not an encoder with a fast tokenizer.
    """
    import transformers

    source = _source(name)
    try:
        encoder: Any = find_family(transformers.AutoConfig.from_pretrained(source)).load(source)
    except (OSError, ValueError, AttributeError, KeyError) as error:
        raise _unloadable(name, error) from error
    tokenizer = load_tokenizer(name)
    if getattr(encoder.config, "is_encoder_decoder", False) or getattr(encoder.config, "is_decoder", False):
        raise UserError(f"`backbone` {name}: {encoder.config.model_type} is not an encoder; lrc needs one")
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None  # neither task uses it, and many checkpoints leave it untrained
    encoder.eval().requires_grad_(False)
    licence = LICENCE if name == BUILTIN else f"see {os.path.basename(name) if os.path.isdir(name) else name}"
    return Backbone(name, encoder, tokenizer, licence, _fingerprint(encoder))


def load_tokenizer(name: str) -> Tokenizer:
    """Loads a backbone's tokenizer alone.

    Args:
        name: As for `load_backbone`.

    Raises:
        UserError: If it cannot be found or is not a fast tokenizer.
    """
    import transformers
    from transformers.utils.hub import cached_file

    source = _source(name)
    try:
        # The file itself: AutoTokenizer may rebuild it by the model's type and change what it does.
        file = cached_file(source, "tokenizer.json", _raise_exceptions_for_missing_entries=False)
        if file is not None:
            return Tokenizer.from_file(file)
        tokenizer: Tokenizer = transformers.AutoTokenizer.from_pretrained(source, use_fast=True).backend_tokenizer
        return tokenizer
    except (OSError, ValueError, AttributeError, KeyError) as error:
        raise _unloadable(name, error) from error


def _source(name: str) -> str:
    """Returns where transformers finds a backbone, and quiets transformers."""
    import transformers

    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    return str(builtin_folder()) if name == BUILTIN else name


def _unloadable(name: str, error: Exception) -> UserError:
    reason = " ".join(str(error).split())[:200]
    return UserError(
        f"`backbone` {name}: cannot load it ({reason}); give builtin, a hub id such as"
        " intfloat/multilingual-e5-small, or a folder with config.json, model.safetensors and tokenizer.json"
    )


def _fingerprint(module: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().contiguous().numpy())
    return digest.hexdigest()
