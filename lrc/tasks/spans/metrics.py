"""Official metrics: SQuAD v1.1, MLQA and accuracy, as their evaluation scripts define them."""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

from lrc_runtime.languages import find_lang

_ASCII_PUNCTUATION = set(string.punctuation)
_PUNCTUATION = _ASCII_PUNCTUATION | {
    chr(code) for code in range(0x110000) if unicodedata.category(chr(code)).startswith("P")
}

# MLQA's script: articles by language. Where it leaves a language alone, so does this table.
_ARTICLES = {
    "en": r"\b(a|an|the)\b",
    "es": r"\b(un|una|unos|unas|el|la|los|las)\b",
    "vi": r"\b(của|là|cái|chiếc|những)\b",
    "de": r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b",
    "ar": r"\sال^|ال",
}
# Its segmentation of text of mixed scripts, for Chinese: each Han character is a token of its own.
_HAN = re.compile(r"[一-龥]")


def _squad_tokens(text: str, lang: str) -> list[str]:
    """SQuAD v1.1's normalisation, which XQuAD and TyDi QA GoldP use for every language."""
    text = "".join(character for character in text.lower() if character not in _ASCII_PUNCTUATION)
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


@cache
def _known(lang: str) -> str | None:
    """Returns the language that MLQA's script treats by itself which a tag means."""
    return find_lang(lang, (*_ARTICLES, "zh"))


def _mlqa_tokens(text: str, lang: str) -> list[str]:
    """MLQA's normalisation: lower case, punctuation of all scripts, articles and tokens by language."""
    text = "".join(character for character in text.lower() if character not in _PUNCTUATION)
    known = _known(lang)
    if known in _ARTICLES:
        text = re.sub(_ARTICLES[known], " ", text)
    if known == "zh":
        text = _HAN.sub(r" \g<0> ", text)
    return text.split()


_NORMALISATIONS: dict[str, Callable[[str, str], list[str]]] = {"squad": _squad_tokens, "mlqa": _mlqa_tokens}


def span_scores(prediction: str, answers: Sequence[str], lang: str, metric: str) -> tuple[float, float]:
    """Scores a predicted answer against the accepted ones, taking the best of each measure.

    Args:
        prediction: The predicted text.
        answers: Accepted texts; none where only the empty prediction is right, as SQuAD v2.0 has it.
        lang: Language of the context.
        metric: `squad` or `mlqa`.

    Returns:
        F1 over tokens and exact match, each 0 to 1.
    """
    if not answers:
        right = float(not prediction)
        return right, right
    tokens = _NORMALISATIONS[metric]
    predicted = tokens(prediction, lang)
    gold = [tokens(answer, lang) for answer in answers]
    # The scripts compare the joined text, which for MLQA's Chinese is the characters in order all the same.
    return max(_f1(predicted, answer) for answer in gold), float(any(predicted == answer for answer in gold))


def _f1(predicted: list[str], answer: list[str]) -> float:
    common = sum((Counter(predicted) & Counter(answer)).values())
    if common == 0:
        return 0.0
    precision, recall = common / len(predicted), common / len(answer)
    return 2 * precision * recall / (precision + recall)
