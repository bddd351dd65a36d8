"""`lrc data check`: what a careful colleague would find in a file of labels before training on it."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from ..data.examples import BadExamples, Example, Pair, Question, short, texts_of
from ..data.identity import SHARED, is_text_id, tell_apart
from ..data.offsets import repair
from ..data.readers import Columns, answer_fault, scan_pairs, scan_questions
from ..data.rows import read_rows
from ..data.scripts import script_share
from ..data.writers import write_pairs, write_questions
from ..errors import UserError
from .registry import PARAPHRASE, QA

# What does not hold for a file as a whole is a finding: labels this one-sided, so few letters of the language's script.
_LEAST_LABEL_SHARE = 0.2
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
        kind: `qa` or `paraphrase`.
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
        """Returns the report as `--json` prints it."""
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
        kind: `qa` or `paraphrase`; by default the columns tell.
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
        examples = _read(report, columns)
        report.count = len(examples)
        _duplicates(report, examples)
        _leakage(report, examples, seen)
        _texts(report, examples)
        if tokenizer is not None:
            _tokens(report, examples, tokenizer, max_answer_length)
        if fix:
            _fix(report, examples)
        reports.append(report)
    return reports


def _read(report: Report, columns: Columns | None) -> list[Example]:
    unreadable = _Unreadable(report)
    if report.kind == PARAPHRASE:
        return [pair for _, pair in scan_pairs(report.path, report.lang, unreadable, columns)]
    questions: list[Example] = []
    for where, question in scan_questions(report.path, report.lang, unreadable, columns):
        fault = answer_fault(question)
        if fault is not None:
            repaired = repair(question)
            cause = "is not in its context in any form" if repaired is None else f"likely cause: {repaired[1][0]}"
            report.findings["answer offset"].append(f"{where}: question {question.id}: {fault}; {cause}")
        questions.append(question)
    return questions


def _duplicates(report: Report, examples: Sequence[Example]) -> None:
    # What has no id of its own is found below, by its text.
    ids = Counter(example.id for example in examples if not is_text_id(example.id))
    report.findings["duplicate id"] += [f"{identity}: {count} times" for identity, count in ids.items() if count > 1]
    texts: dict[tuple[str, ...], Example] = {}
    for example in examples:
        if isinstance(example, Question):
            what = "question"
            key: tuple[str, ...] = (example.context, " ".join(example.question.split()).casefold())
        else:
            what = "pair"
            key = tuple(sorted((example.first, example.second)))
        first = texts.setdefault(key, example)
        if first is not example:
            differs = isinstance(example, Pair) and isinstance(first, Pair) and first.label != example.label
            line = f"{example.id} repeats {first.id}{' with the other label' * differs}: {short(key[-1])}"
            report.findings[f"duplicate {what}"].append(line)


def _leakage(report: Report, examples: Sequence[Example], seen: dict[str, Path]) -> None:
    own: dict[str, str] = {}
    for example in examples:
        key = example.context if isinstance(example, Question) else "\t".join(sorted((example.first, example.second)))
        own.setdefault(" ".join(key.split()), example.id)
    for key, identity in own.items():
        if key in seen:
            report.findings[_LEAKAGE].append(f"{identity}: {short(key)} stands in {seen[key]} too")
        seen.setdefault(key, report.path)


def _texts(report: Report, examples: Sequence[Example]) -> None:
    pairs = [example for example in examples if isinstance(example, Pair)]
    for pair in pairs:
        if "NS" in (pair.first.strip(), pair.second.strip()):
            report.findings["placeholder NS"].append(f"{pair.id}: not translated")
        elif pair.first == pair.second:
            what = "equal sentences" if pair.label else "equal sentences labelled 0"
            report.findings[what].append(f"{pair.id}: {short(pair.first)}")
    if pairs:
        share = sum(pair.label for pair in pairs) / len(pairs)
        report.notes["share of label 1"] = share
        if not _LEAST_LABEL_SHARE <= share <= 1 - _LEAST_LABEL_SHARE:
            report.findings["label balance"].append(f"{100 * share:.1f} % of the pairs have the label 1")
    for example in examples:
        texts = (example.context,) if isinstance(example, Question) else (example.first, example.second)
        for text in texts:
            share_of_script = script_share(text, report.lang)
            if share_of_script is not None and share_of_script < _LEAST_SCRIPT_SHARE:
                report.findings["script"].append(
                    f"{example.id}: {100 * share_of_script:.0f} % of the letters are of the script of {report.lang}:"
                    f" {short(text)}"
                )
                break


def _tokens(report: Report, examples: Sequence[Example], tokenizer: Tokenizer, max_answer_length: int) -> None:
    unknown = _unknown_id(tokenizer)
    texts = [text for example in examples for text in texts_of(example)]
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
    questions = [example for example in examples if isinstance(example, Question)]
    for question in questions:
        lengths = [len(tokenizer.encode(text, add_special_tokens=False).ids) for text, _ in question.answers]
        if lengths and min(lengths) > max_answer_length:
            report.findings["long answer"].append(
                f"{question.id}: {min(lengths)} tokens, decoding allows {max_answer_length}:"
                f" {short(question.answers[0][0])}"
            )


def _unknown_id(tokenizer: Tokenizer) -> int | None:
    for name in ("<unk>", "[UNK]"):
        identity: int | None = tokenizer.token_to_id(name)
        if identity is not None:
            return identity
    return None


def _fix(report: Report, examples: Sequence[Example]) -> None:
    suffix = ".tsv" if report.kind == PARAPHRASE else ".json"
    target = report.path.with_name(f"{report.path.stem}.fixed{suffix}")
    if target.exists():
        raise UserError(f"{target}: exists already; move it away first")
    whole: list[Example] = []
    for example in tell_apart(examples, report.path.name, SHARED, BadExamples(True)):
        if isinstance(example, Pair):
            if "NS" not in (example.first.strip(), example.second.strip()):
                whole.append(example)
        elif (repaired := repair(example)) is not None:
            whole.append(repaired[0])
    if report.kind == PARAPHRASE:
        write_pairs(target, [pair for pair in whole if isinstance(pair, Pair)])
    else:
        write_questions(target, [question for question in whole if isinstance(question, Question)])
    report.fixed = target


def guess_kind(path: Path, columns: Columns | None) -> str:
    """Tells pairs from questions by the columns of the first row."""
    if columns:
        return PARAPHRASE if "sentence1" in columns or "sentence2" in columns else QA
    _, row = next(read_rows(str(path), "train", BadExamples(True)), ("", {}))
    return PARAPHRASE if "sentence1" in row else QA


def _lang(path: Path) -> str:
    """Reads the language off names such as `xquad.hi.json`, `test-context-hi-question-en.json` or `hi/test_2k.tsv`."""
    for pattern in (rf"context-({_TAG})-question", rf"\.({_TAG})\.", r"[.\-_]([a-z]{2,3})[.\-_]"):
        if found := re.search(pattern, path.name):
            return found.group(1)
    return path.parent.name if re.fullmatch(_TAG, path.parent.name) else ""
