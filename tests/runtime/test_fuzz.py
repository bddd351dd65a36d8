"""A short run of `tests/fuzz.py`: arbitrary text never breaks a bundle, and no damaged bundle is opened."""

import random
from pathlib import Path

import lrc_runtime
from tests import fuzz


def test_arbitrary_text_gives_true_spans_in_every_unit(qa_bundle: Path) -> None:
    bundle, chance = lrc_runtime.load(qa_bundle), random.Random(1)
    for _ in range(300):
        fuzz.call(bundle, chance)


def test_arbitrary_text_is_compared(pair_bundle: Path) -> None:
    bundle, chance = lrc_runtime.load(pair_bundle), random.Random(2)
    for _ in range(200):
        fuzz.call(bundle, chance)


def test_damaged_bundles_are_refused(qa_bundle: Path, tmp_path: Path) -> None:
    for check_one in fuzz.damaged(qa_bundle, 300, 3, tmp_path):
        check_one()
