"""`lrc data check`: what a careful colleague would find in a file of labels before training on it."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from ..data.examples import BadExamples, Example, Question, short
from ..data.identity import SHARED, is_text_id, tell_apart
from ..data.readers import Columns
from ..data.rows import read_rows
from ..data.scripts import script_share
from ..errors import UserError
from . import KINDS, find_kind

# What does not hold for a file as a whole is a finding: so few letters of the language's script.
_LEAST_SCRIPT_SHARE = 0.3
_MOST_UNKNOWN = 0.01
# A language, with a script and a region or not.
_TAG = r"(?:[a-z]{2,3}|[A-Z]{2})(?:[-_][A-Za-z]{4})?(?:[-_](?:[A-Za-z]{2}|[0-9]{3}))?"
_LEAKAGE = "shared with another file"


@dataclass
class Report:
    """What was found in one file.

    Attributes:
        path: The file.
        kind: Kind of task, one of `lrc.tasks.KINDS`.
        lang: Its language; empty where it is not known.
        count: Examples that could be read.
        findings: What is wrong, by kind: one line each.
        notes: What is worth knowing: label balance, tokens a word, unknown tokens.
        fixed: Repaired copy that was written.
    """

    path: Path
    kind: str
    lang: str
    count: int = 0
    findings: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    notes: dict[str, float] = field(default_factory=dict)
    fixed: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns the report as `json` prints it."""
        return {
            "path": str(self.path),
            "kind": self.kind,
            "lang": self.lang,
            "count": self.count,
            "findings": dict(self.findings),
            "notes": self.notes,
            "fixed": str(self.fixed) if self.fixed else None,
        }


class _Unreadable(BadExamples):
    """Puts what cannot be read into the report and goes on."""

    def __init__(self, report: Report) -> None:
        super().__init__(True)
        self._report = report

    def found(self, message: str) -> None:
        super().found(message)
        self._report.findings["unreadable"].append(message)


def check(
    paths: Sequence[Path],
    lang: str | None,
    kind: str | None,
    columns: Columns | None,
    tokenizer: Tokenizer | None,
    max_answer_length: int,
    fix: bool,
) -> list[Report]:
    """Checks files of labels, each by itself and against the others.

    Args:
        paths: The files.
        lang: Language of all; by default each file's name tells, as in `xquad.hi.json`.
        kind: Kind of task; by default the columns tell.
        columns: Names of the columns, where they are not lrc's.
        tokenizer: Of the backbone; without one, nothing is said about tokens.
        max_answer_length: Longest answer that decoding allows, in tokens.
        fix: Whether to write `NAME.fixed.json` (or `.tsv`) with all that is readable and could be repaired.

    Raises:
        UserError: If a file cannot be read at all, or a repaired copy exists already.
    """
    reports = []
    seen: dict[str, Path] = {}
    for path in paths:
        report = Report(path, kind or guess_kind(path, columns), lang or _lang(path))
        found = _read(report, columns)
        examples = [example for _, example in found]
        report.count = len(examples)
        _duplicates(report, examples)
        _leakage(report, examples, seen)
        _texts(report, examples)
        if tokenizer is not None:
            _tokens(report, examples, tokenizer)
        find_kind(report.kind).find_faults(report, found, tokenizer, max_answer_length)
        if fix:
            _fix(report, examples)
        reports.append(report)
    return reports


def _read(report: Report, columns: Columns | None) -> list[tuple[str, Example]]:
    return list(find_kind(report.kind).scan(report.path, report.lang, _Unreadable(report), columns))


def _duplicates(report: Report, examples: Sequence[Example]) -> None:
    # What has no id of its own is found below, by its text.
    ids = Counter(example.id for example in examples if not is_text_id(example.id))
    report.findings["duplicate id"] += [f"{identity}: {count} times" for identity, count in ids.items() if count > 1]
    kind = find_kind(report.kind)
    texts: dict[tuple[str, ...], Example] = {}
    for example in examples:
        key = kind.text_key(example)
        first = texts.setdefault(key, example)
        if first is not example:
            differs = not isinstance(example, Question) and first.group != example.group
            line = f"{example.id} repeats {first.id}{' with the other label' * differs}: {short(key[-1])}"
            report.findings[f"duplicate {example.NOUN.removesuffix('s')}"].append(line)


def _leakage(report: Report, examples: Sequence[Example], seen: dict[str, Path]) -> None:
    own: dict[str, str] = {}
    for example in examples:
        # A context stands in one file; its questions go with it.
        key = "\t".join(example.traces[-1][1:])
        own.setdefault(" ".join(key.split()), example.id)
    for key, identity in own.items():
        if key in seen:
            report.findings[_LEAKAGE].append(f"{identity}: {short(key)} stands in {seen[key]} too")
        seen.setdefault(key, report.path)


def _texts(report: Report, examples: Sequence[Example]) -> None:
    for example in examples:
        # A question may be in another language than its context.
        for text in example.traces[-1][1:]:
            share_of_script = script_share(text, report.lang)
            if share_of_script is not None and share_of_script < _LEAST_SCRIPT_SHARE:
                report.findings["script"].append(
                    f"{example.id}: {100 * share_of_script:.0f} % of the letters are of the script of {report.lang}:"
                    f" {short(text)}"
                )
                break


def _tokens(report: Report, examples: Sequence[Example], tokenizer: Tokenizer) -> None:
    unknown = _unknown_id(tokenizer)
    texts = [text for example in examples for text in example.texts]
    tokens = words = missing = 0
    for start in range(0, len(texts), 256):
        chunk = texts[start : start + 256]
        for text, encoding in zip(chunk, tokenizer.encode_batch(chunk, add_special_tokens=False), strict=True):
            tokens += len(encoding.ids)
            words += len(text.split())
            missing += sum(identity == unknown for identity in encoding.ids)
    if tokens:
        report.notes["tokens a word"] = tokens / max(1, words)
        report.notes["unknown tokens"] = missing / tokens
        if missing / tokens > _MOST_UNKNOWN:
            report.findings["unknown tokens"].append(f"{100 * missing / tokens:.1f} % of the tokens are unknown")


def _unknown_id(tokenizer: Tokenizer) -> int | None:
    for name in ("<unk>", "[UNK]"):
        identity: int | None = tokenizer.token_to_id(name)
        if identity is not None:
            return identity
    return None


def _fix(report: Report, examples: Sequence[Example]) -> None:
    kind = find_kind(report.kind)
    target = report.path.with_name(f"{report.path.stem}.fixed{kind.suffix}")
    if target.exists():
        raise UserError(f"{target}: exists already; move it away first")
    apart = tell_apart(examples, report.path.name, SHARED, BadExamples(True))
    kind.write(target, [mended for example in apart if (mended := kind.repair(example)) is not None])
    report.fixed = target


def guess_kind(path: Path, columns: Columns | None) -> str:
    """Tells a kind of task by the names of the columns, or by the first row."""
    row: dict[str, Any] = {}
    if not columns:
        _, row = next(read_rows(str(path), "train", BadExamples(True)), ("", {}))
    fitting = (kind.name for kind in KINDS.values() if kind.fits(list(columns or ()), row))
    return next(fitting, next(iter(KINDS)))


def _lang(path: Path) -> str:
    """Reads the language off names such as `xquad.hi.json`, `test-context-hi-question-en.json` or `hi/test_2k.tsv`."""
    for pattern in (rf"context-({_TAG})-question", rf"\.({_TAG})\.", r"[.\-_]([a-z]{2,3})[.\-_]"):
        if found := re.search(pattern, path.name):
            return found.group(1)
    return path.parent.name if re.fullmatch(_TAG, path.parent.name) else ""
