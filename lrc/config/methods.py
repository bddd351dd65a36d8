"""Transfer methods by name: lrc's own, and what people use today, which it is measured against."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import UserError
from ..tasks import find_kind
from .options import OPTIONS


@dataclass(frozen=True)
class Method:
    """What a method trains besides the task head, and how.

    Attributes:
        name: As it is asked for.
        what: One line for people.
        lr: Default peak learning rates of heads that read tokens and of those that read whole texts; the middle of the
            grid that a study searches.
        warmup: Default shares of a stage's steps over which the rate rises, likewise.
        prefix_length: Default length of the key/value prefixes; 0 for none.
        prefix_aside: By default, by how much the logits of the prefixes are lowered at first.
        input_length: Default length of the prompt in the input; 0 for none.
        reparametrised: Whether that prompt comes out of a small network.
        lora_rank: Default rank of LoRA; 0 for none.
        bottleneck: Default width of bottleneck adapters; 0 for none.
        align: Default terms of the alignment loss.
        trains: Which of the backbone's own parameters are trained: `none`, `bias` or `all`.
        dropout: Whether the backbone's dropout is on while training, as is usual where its weights are trained.
        source_only: Whether it learns from the source labels alone.
    """

    name: str
    what: str
    lr: tuple[float, float]
    warmup: tuple[float, float] = (0.1, 0.1)
    prefix_length: int = 0
    prefix_aside: float = 0.0
    input_length: int = 0
    reparametrised: bool = False
    lora_rank: int = 0
    bottleneck: int = 0
    align: tuple[str, ...] = ()
    trains: str = "none"
    dropout: bool = False
    source_only: bool = False

    @property
    def prompt_length(self) -> int:
        """Default length of its soft prompt, of either kind."""
        return self.prefix_length or self.input_length


# lrc's own method, of which every part can be chosen.
OWN = "lrc"
# The part that each of these settings says more about.
_ABOUT = {
    "prompt_init": "prompt_length",
    "prompt_aside": "prompt_length",
    "prompt_layers": "prompt_length",
    "reparametrise": "prompt_length",
    "lora_kind": "lora_rank",
    "parallel_adapters": "bottleneck",
}

# The rates are those of the papers and of PEFT's documentation for few labels; a study searches around them.
METHODS = {
    method.name: method
    for method in (
        Method(
            OWN,
            "prefixes in every layer, LoRA and the alignment term",
            (1e-3, 2.5e-4),
            warmup=(0.3, 0.1),
            prefix_length=8,
            prefix_aside=4.0,
            lora_rank=16,
            align=("cosine:0.1",),
        ),
        Method(
            "zero-shot",
            "all parameters, on the source labels alone",
            (5e-5, 5e-5),
            trains="all",
            dropout=True,
            source_only=True,
        ),
        Method("full", "full fine-tuning: all parameters", (5e-5, 5e-5), trains="all", dropout=True),
        Method("bias-only", "BitFit: the bias terms (Ben Zaken et al. 2022)", (1e-3, 1e-3), trains="bias"),
        Method("lora", "LoRA in every linear layer (Hu et al. 2022)", (1e-3, 2.5e-4), lora_rank=16),
        Method("prompt-tuning", "embeddings in the input (Lester et al. 2021)", (1e-2, 1e-2), input_length=16),
        Method(
            "p-tuning",
            "embeddings in the input out of a small network (Liu et al. 2021)",
            (1e-3, 1e-3),
            input_length=16,
            reparametrised=True,
        ),
        Method("prefix-tuning", "keys and values in every layer (Li and Liang 2021)", (1e-2, 1e-2), prefix_length=16),
        Method(
            "adapters",
            "a bottleneck after every feed-forward block (Pfeiffer et al. 2021)",
            (1e-3, 1e-3),
            bottleneck=48,
        ),
    )
}


def find_method(name: str) -> Method:
    """Returns a method by name.

    Raises:
        UserError: If there is none of this name.
    """
    if name not in METHODS:
        raise UserError(f"`method` {name}: unknown method; choose one of {', '.join(METHODS)}")
    return METHODS[name]


def _no_part(setting: str, value: Any, why: str) -> UserError:
    return UserError(f"`{setting}`{'' if value is True else f' {value}'}: {why}; leave it out")


def method_settings(name: str, kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings of a method: its defaults, and what was given in their place.

    lrc's rates are measured, see `benchmarks/results`. For questions 5e-4 learns less in a few hundred steps than 1e-3,
    and 1e-3 ends at a guess now and then where it is reached within a tenth of them. On English PAWS pairs the loss
    leaves its plateau after some 120 steps of 32 with 2.5e-4; with 1e-3 it had not in 600 in one run of two.

    Args:
        name: Of the method.
        kind: Of the task.
        given: Settings by name; None stands for the method's default.

    Raises:
        UserError: If there is no such method, or it has no part that a given setting is about.
    """
    method = find_method(name)
    at = 0 if find_kind(kind).reads_tokens else 1
    defaults: dict[str, Any] = {
        "method": name,
        "lr": method.lr[at],
        "warmup": method.warmup[at],
        "prompt_length": method.prompt_length,
        "prompt_aside": method.prefix_aside,
        "lora_rank": method.lora_rank,
        "bottleneck": method.bottleneck,
        "align": list(method.align),
    }
    chosen = {setting: value for setting, value in given.items() if value is not None}
    if chosen.get("align") == ["none"]:
        chosen["align"] = []
    if name != OWN:
        # A comparison is with what people use, not with a mixture.
        for setting in ("prompt_length", "lora_rank", "bottleneck"):
            if chosen.get(setting) and not defaults[setting]:
                raise _no_part(setting, chosen[setting], f"`method` {name} has no such part")
        for setting in ("prompt_aside", "prompt_layers", "reparametrise", "parallel_adapters", "scaling", "bias"):
            if chosen.get(setting):
                raise _no_part(setting, chosen[setting], f"only `method` {OWN} takes it")
    for setting, part in _ABOUT.items():
        value = chosen.get(setting)
        usual = (None, OPTIONS[setting].default, defaults.get(setting))
        if value and value not in usual and not chosen.get(part, defaults[part]):
            raise _no_part(setting, value, f"there is nothing it is about without `{part}`")
    if method.source_only:
        if not chosen.get("source"):
            raise UserError(f"`method` {name}: learns from source labels alone; give them with `source`")
        chosen["shots"] = 0
    return defaults | chosen
