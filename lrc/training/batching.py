"""Features to training batches: tensors, and a schedule of batches that is a function of the seed."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from lrc_runtime.encoding import TextEncoder

from ..tasks.kind import Feature

# Batches whose examples are sorted by length together: little padding, yet batches that vary.
_POOL = 16


def collate(features: Sequence[Feature], encoder: TextEncoder) -> dict[str, torch.Tensor]:
    """Makes a batch of tensors.

    Returns:
        `input_ids`, `attention_mask`, `token_type_ids` (batch, length); the targets of the features (batch,); where
        these name tokens `span_mask` (batch, length), true where one may be named and at the first token; and
        `translations` (batch, batch), true where two rows are the same example in two languages.
    """
    batch = {name: torch.from_numpy(array) for name, array in encoder.collate([f.inputs for f in features]).items()}
    for name in features[0].targets:
        batch[name] = torch.tensor([feature.targets[name] for feature in features])
    if features[0].tokens is not None:
        mask = torch.zeros(batch["input_ids"].shape, dtype=torch.bool)
        mask[:, 0] = True
        for row, feature in enumerate(features):
            begin, count = feature.tokens or (0, 0)
            mask[row, begin : begin + count] = True
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
