"""Throws arbitrary text at a bundle, and damaged bundles at the runtime.

python tests/fuzz.py BUNDLE --calls 100000 --bundles 10000
"""

import argparse
import hashlib
import itertools
import json
import random
import shutil
import sys
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import regex

import lrc_runtime
from lrc_runtime import Answer, BundleError, InputError, ParaphraseDetector, QuestionAnswerer
from lrc_runtime.files import write_archive
from lrc_runtime.manifest import MANIFEST

# What has broken readers of text before: signs that join, that turn the direction, that end a string, that count twice.
_HARD = (
    "\u0000\u0007\u001b\u00ad\u0301\u0327\u0600\u064b\u093c\u094d\u0e33\u0e4d\u200b\u200c\u200d\u200e\u202e\u2066\u2069"
)
_HARD += "\u3099\ufe0f\ufeff\ufffd\uff21\uff9e\U0001f3f4\U000e0067\U000e007f\U0001f469\U0001f3fd\U0002f800\U0010ffff"
_HARD += "\r\n\t \u00a0\u2028\u3000"
_BLOCKS = [
    (0x20, 0x7E),
    (0xC0, 0x24F),
    (0x400, 0x4FF),
    (0x600, 0x6FF),
    (0x900, 0x97F),
    (0xE00, 0xE7F),
    (0x4E00, 0x9FFF),
]
_BLOCKS += [(0xAC00, 0xD7A3), (0x1F300, 0x1FAFF), (0, 0x10FFFF)]
_WORDS = ["</s>", "<s>", "<pad>", "[SEP]", "▁", "ﷺ", "नमस्ते", "สวัสดี", "مرحبا", "世界", "e\u0301" * 40, "👩🏽‍👩🏽‍👦"]


def text(chance: random.Random) -> str:
    """Returns a text of some length, of one script or of all, now and then with a lone surrogate."""
    length = chance.choice((0, 1, 2, 10, 60, 60, 300, 300, 2000))
    low, high = chance.choice(_BLOCKS)
    parts = []
    while length > 0:
        kind = chance.random()
        part = (
            chance.choice(_HARD)
            if kind < 0.1
            else chance.choice(_WORDS)
            if kind < 0.2
            else chr(chance.randint(low, high))
        )
        parts.append(" " if kind > 0.9 else part)
        length -= len(part)
    whole = "".join(parts)
    return whole if chance.random() < 0.02 else whole.encode("utf-8", "ignore").decode()


def call(bundle: QuestionAnswerer | ParaphraseDetector, chance: random.Random) -> None:
    """Calls a bundle once with arbitrary arguments; what comes back must be true, or an `InputError`.

    Raises:
        AssertionError: If an answer is not the span that it names, or a lone surrogate was let through.
    """
    rows = chance.choice((1, 1, 1, 2, 5))
    first, second = [text(chance) for _ in range(rows)], [text(chance) for _ in range(rows)]
    broken = any("\ud800" <= char <= "\udfff" for one in first + second for char in one)
    try:
        if isinstance(bundle, ParaphraseDetector):
            for verdict in bundle.compare_batch(list(zip(first, second, strict=True))):
                assert verdict.label in bundle.labels and 0 <= verdict.score <= 1
        else:
            top_k = chance.choice((1, 1, 3, 50))
            for context, answers in zip(second, bundle.answer_batch(first, second, top_k), strict=True):
                check(context, answers, top_k)
    except InputError:
        assert broken, (first, second)
        return
    assert not broken, (first, second)


def check(context: str, answers: list[Answer], top_k: int) -> None:
    """Asserts that answers are the spans that they name, in every unit, cut no character, and do not overlap."""
    assert len(answers) <= top_k
    utf16, utf8 = context.encode("utf-16-le"), context.encode()
    bounds = {found.start() for found in regex.finditer(r"\X", context)} | {len(context)}
    for answer in answers:
        assert answer.text and context[answer.start : answer.end] == answer.text
        assert answer.text == answer.text.strip() and {answer.start, answer.end} <= bounds
        assert utf16[2 * answer.utf16_start : 2 * answer.utf16_end].decode("utf-16-le") == answer.text
        assert utf8[answer.utf8_start : answer.utf8_end].decode() == answer.text
        assert 0 <= answer.score <= 1 and 0 <= answer.no_answer <= 1
    spans = sorted((answer.start, answer.end) for answer in answers)
    assert all(left[1] <= right[0] for left, right in itertools.pairwise(spans))


def resign(folder: Path, change: dict[str, Any], raw: bytes | None = None) -> None:
    """Rewrites the manifest with a valid digest of its own, as a hostile author would."""
    document = {**json.loads((folder / MANIFEST).read_text()), **change, "sha256": "0" * 64}
    content = json.dumps(document, ensure_ascii=False, indent=2).encode() if raw is None else raw
    digest = hashlib.sha256(content).hexdigest().encode()
    (folder / MANIFEST).write_bytes(content.replace(b"0" * 64, digest, 1))


_HOSTILE: list[dict[str, Any]] = [
    {"files": {"../../etc/passwd": {"sha256": "0" * 64, "bytes": 1}}},
    {"files": {}},
    {"files": [1, 2]},
    {"windowing": {"max_length": 1 << 60, "stride": 64, "max_question_length": 64}},
    {"windowing": {"max_length": -1, "stride": 64, "max_question_length": 64}},
    {"windowing": {"max_length": 256, "stride": 256, "max_question_length": 64}},
    {"windowing": {"max_length": 256.5, "stride": 64, "max_question_length": 64}},
    {"windowing": {"unheard_of": 1}},
    {"decoding": {"max_answer_length": 0}},
    {"decoding": {"max_answer_length": True}},
    {"decoding": None},
    {"task": "translation"},
    {"task": ["question-answering"]},
    {"labels": "ab"},
    {"labels": {"a": 1}},
    {"languages": 5},
    {"training": "x"},
    {"format_version": 99},
    {"format_version": "2"},
    {"calibration": {"slope": "steep"}},
    {"calibration": {"slope": 1e400}},
    {"calibration": []},
]


def damages(folder: Path, chance: random.Random) -> str:
    """Damages a copy of a bundle in place and tells how."""
    names = sorted(path.name for path in folder.iterdir())
    name = chance.choice(names)
    data = bytearray((folder / name).read_bytes())
    kind = chance.choice(("flip", "flip", "cut", "grow", "swap", "lose", "hostile", "json", "empty"))
    if kind == "flip":
        for _ in range(chance.choice((1, 1, 1, 20))):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        if bytes(data) == (folder / name).read_bytes():
            data[0] ^= 1
        (folder / name).write_bytes(data)
    elif kind == "cut":
        (folder / name).write_bytes(data[: chance.randrange(len(data))])
    elif kind == "grow":
        (folder / name).write_bytes(data + bytes([chance.randrange(256)]) * chance.choice((1, 4096)))
    elif kind == "swap":
        other = chance.choice([one for one in names if one != name])
        (folder / name).rename(folder / "x")
        (folder / other).rename(folder / name)
        (folder / "x").rename(folder / other)
    elif kind == "lose":
        (folder / name).unlink()
    elif kind == "hostile":
        resign(folder, chance.choice(_HOSTILE))
    elif kind == "json":
        deep = (
            b"[" * 100_000
            if chance.random() < 0.5
            else b'{"format": "lrc-bundle", "format_version": 2, "sha256": "' + b"0" * 64 + b'"}'
        )
        resign(folder, {}, deep)
    else:
        (folder / name).write_bytes(b"")
    return f"{kind} {name}"


def refuse(folder: Path, how: str, archive: bool) -> None:
    """Asserts that a damaged bundle is refused, and that nothing outside it was opened on the way.

    Raises:
        AssertionError: If it is not.
    """
    path = folder
    if archive:
        path = folder.with_suffix(".lrc")
        write_archive(folder, path)
    opened.clear()
    try:
        lrc_runtime.load(path)
    except BundleError as error:
        assert "\n" not in str(error), how
    else:
        raise AssertionError(f"{how}: was opened")
    outside = [one for one in opened if not one.startswith(str(folder.parent))]
    assert not outside, (how, outside)


opened: list[str] = []
_watching = False


def watch() -> None:
    """Notes from now on which files this process opens."""
    global _watching
    if _watching:
        return
    _watching = True

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        # Modules that are imported late are no part of a bundle.
        if event == "open" and isinstance(arguments[0], str) and not arguments[0].endswith((".py", ".pyc", ".so")):
            opened.append(arguments[0])

    sys.addaudithook(hook)


def damaged(bundle: Path, count: int, seed: int, work: Path) -> Iterator[Callable[[], None]]:
    """Gives so many checks of damaged copies of a bundle."""
    chance = random.Random(seed)
    watch()
    for _ in range(count):

        def check_one() -> None:
            folder = work / "damaged"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(bundle, folder)
            refuse(folder, damages(folder, chance), chance.random() < 0.3)

        yield check_one


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--bundles", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    bundle = lrc_runtime.load(options.bundle)
    for done in range(options.calls):
        call(bundle, chance)
        if done % 1000 == 999:
            print(f"{done + 1} calls", flush=True)
    with tempfile.TemporaryDirectory() as work:
        for done, check_one in enumerate(damaged(options.bundle, options.bundles, options.seed, Path(work)), 1):
            check_one()
            if done % 1000 == 0:
                print(f"{done} damaged bundles refused", flush=True)
    print(
        f"{options.calls} calls and {options.bundles} damaged bundles, Unicode {unicodedata.unidata_version}: no fault"
    )


if __name__ == "__main__":
    main()
