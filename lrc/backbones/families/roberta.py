"""RoBERTa and XLM-R: BERT's modules, positions counted from the padding index on."""

from dataclasses import replace
from typing import Any

from .bert import BERT
from .family import from_zero


def _behind_padding(config: Any) -> int:
    return from_zero(config) - int(config.pad_token_id) - 1


ROBERTA = replace(
    BERT,
    name="RoBERTa",
    model_types=("roberta", "xlm-roberta", "camembert", "xlm-roberta-xl"),
    positions=_behind_padding,
)
