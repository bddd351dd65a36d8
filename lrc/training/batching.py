"""Labelled examples to training batches: features, and a schedule of batches that is a function of the seed."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lrc_runtime.encoding import ModelInput, TextEncoder
from lrc_runtime.graphemes import whole
from lrc_runtime.manifest import Decoding

from ..data.examples import Example, Pair, Question
from ..data.shots import rank

# Batches whose examples are sorted by length together: little padding, yet batches that vary.
_POOL = 16
# One question in so many also gives the windows that do not hold its answer.
_KEEP_OTHERS = 8


@dataclass(frozen=True)
class Feature:
    """One model input with its label.

    Attributes:
        id: Of the example.
        lang: Of the example.
        inputs: The model input.
        target: For a question the tokens (start, end) of the answer in the input, (0, 0) where this window
            does not hold it; for a pair (label, 0).
        is_pair: Whether the example is a pair of sentences.
    """

    id: str
    lang: str
    inputs: ModelInput
    target: tuple[int, int]
    is_pair: bool


def build_features(
    examples: Sequence[Example], encoder: TextEncoder, max_answer_length: int = Decoding.max_answer_length
) -> list[Feature]:
    """Encodes examples.

    A question gives one feature for each window that holds its answer. Windows without it teach one thing only,
    to say so, and are the longest inputs there are: only one question in eight gives them too, and every question
    that its context does not answer. Answers that are longer than decoding allows are no labels at all.

    Args:
        examples: Questions and pairs.
        encoder: Encodes them.
        max_answer_length: Longest answer that decoding allows, in tokens.
    """
    pairs = [example for example in examples if isinstance(example, Pair)]
    questions = [example for example in examples if isinstance(example, Question)]
    features = []
    first, second = encoder.tokenize([p.first for p in pairs]), encoder.tokenize([p.second for p in pairs])
    for pair, a, b in zip(pairs, first, second, strict=True):
        features.append(Feature(pair.id, pair.lang, encoder.pair(a, b), (pair.label, 0), True))
    asked = encoder.tokenize([question.question for question in questions])
    contexts = encoder.tokenize([question.context for question in questions])
    for question, tokens, context in zip(questions, asked, contexts, strict=True):
        # No answer stands in any window of a question that its context does not answer.
        text, begin = question.answers[0] if question.answers else ("", -1)
        # What is taught is what can be answered.
        span = whole(question.context, begin, begin + len(text))
        keeps_others = not question.answers or int(rank(0, question.id)[:8], 16) % _KEEP_OTHERS == 0
        for window in encoder.windows(tokens, context):
            target = locate(window, *span) if question.answers else (0, 0)
            if target[1] - target[0] >= max_answer_length:
                continue
            if target != (0, 0) or keeps_others:
                features.append(Feature(question.id, question.lang, window, target, False))
    return features


def locate(window: ModelInput, start: int, end: int) -> tuple[int, int]:
    """Finds the tokens that cover a span of the context.

    Args:
        window: A window of the context.
        start: First code point of the span.
        end: Code point after its last.

    Returns:
        First and last token as indices into the input, or (0, 0) where the window does not hold all of it.
    """
    covering = np.flatnonzero((window.offsets[:, 1] > start) & (window.offsets[:, 0] < end))
    if not len(covering) or window.offsets[covering[0], 0] > start or window.offsets[covering[-1], 1] < end:
        return 0, 0
    return window.context_start + int(covering[0]), window.context_start + int(covering[-1])


def collate(features: Sequence[Feature], encoder: TextEncoder) -> dict[str, torch.Tensor]:
    """Makes a batch of tensors.

    Returns:
        `input_ids`, `attention_mask`, `token_type_ids` (batch, length); for questions `start_positions`,
        `end_positions` (batch,) and `span_mask` (batch, length); for pairs `labels` (batch,); and
        `translations` (batch, batch), true where two rows are the same example in two languages.
    """
    batch = {name: torch.from_numpy(array) for name, array in encoder.collate([f.inputs for f in features]).items()}
    targets = torch.tensor([feature.target for feature in features])
    if features[0].is_pair:
        batch["labels"] = targets[:, 0]
    else:
        batch["start_positions"], batch["end_positions"] = targets[:, 0], targets[:, 1]
        mask = torch.zeros(batch["input_ids"].shape, dtype=torch.bool)
        mask[:, 0] = True
        for row, feature in enumerate(features):
            begin = feature.inputs.context_start
            mask[row, begin : begin + len(feature.inputs.offsets)] = True
        batch["span_mask"] = mask
    batch["translations"] = torch.tensor(
        [[a.id == b.id and a.lang != b.lang for b in features] for a in features], dtype=torch.bool
    )
    return batch


def schedule(
    target: Sequence[Feature],
    source: Sequence[Feature],
    target_share: float,
    batch_size: int,
    steps: int,
    seed: int,
    pseudo: Sequence[Feature] = (),
    pseudo_share: float = 0.0,
) -> Iterator[list[Feature]]:
    """Yields the batches of a whole run, the same for the same arguments.

    The same example in two languages goes into the same batch, which is what the alignment term needs.
    Where there is a source, target features are repeated until they make up their share.

    Args:
        target: Features of the target's labels.
        source: Features of the source's labels; may be empty.
        target_share: Share of target features where there is a source.
        batch_size: Features a batch.
        steps: Number of batches.
        seed: Of the order.
        pseudo: Features of pseudo-labels; each pass takes other ones, as long as there are any left.
        pseudo_share: Their share of a pass, below 1 where there are labels.
    """
    rng = np.random.default_rng(seed)
    waiting: list[int] = []
    made = 0
    while made < steps:
        units = [[feature] for feature in source]
        repeats = 1
        if source and target:
            repeats = max(1, round(len(source) * target_share / (1 - target_share) / len(target)))
        for _ in range(repeats):
            units += _translations(target, rng)
        wanted = _pseudo_count(sum(map(len, units)), len(pseudo), pseudo_share)
        while len(waiting) < wanted:
            waiting += rng.permutation(len(pseudo)).tolist()
        units += [[pseudo[index]] for index in waiting[:wanted]]
        del waiting[:wanted]
        rng.shuffle(units)
        for pool in _pools(units, _POOL * batch_size):
            batches = list(_fill(sorted(pool, key=lambda unit: max(f.inputs.length for f in unit)), batch_size))
            for index in rng.permutation(len(batches)):
                yield batches[index]
                made += 1
                if made == steps:
                    return


def _pseudo_count(labels: int, available: int, share: float) -> int:
    """Returns how many pseudo-labels make up their share of a pass; all of them where there is no label."""
    if not available or not labels:
        return available
    return round(labels * share / (1 - share))


def _translations(features: Sequence[Feature], rng: np.random.Generator) -> list[list[Feature]]:
    """Pairs features of the same example in two languages at random; what is left over stays single."""
    by_id: dict[str, list[Feature]] = defaultdict(list)
    for feature in features:
        by_id[feature.id].append(feature)
    units = []
    for group in by_id.values():
        order = [group[index] for index in rng.permutation(len(group))]
        units += [order[index : index + 2] for index in range(0, len(order), 2)]
    return units


def _pools(units: list[list[Feature]], size: int) -> Iterator[list[list[Feature]]]:
    for start in range(0, len(units), size):
        yield units[start : start + size]


def _fill(units: Sequence[list[Feature]], batch_size: int) -> Iterator[list[Feature]]:
    batch: list[Feature] = []
    for unit in units:
        if batch and len(batch) + len(unit) > batch_size:
            yield batch
            batch = []
        batch += unit
    if batch:
        yield batch
