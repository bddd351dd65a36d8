"""Bundles open with optimum's ORT classes, in the environment of the `optimum` extra, and agree with the runtime.

`LRC_OPTIMUM_PYTHON` names the interpreter of that environment: see docs/bundle.md.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

import lrc_runtime
from lrc_runtime import ParaphraseDetector, QuestionAnswerer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("LRC_OPTIMUM_PYTHON"), reason="LRC_OPTIMUM_PYTHON is not set"),
]
PROGRAM = Path(__file__).parent.parent.parent / "examples" / "optimum_spans.py"
CASES = [
    ("Wer baute die Mühle?", "Die Mühle baute Anna Berg im Jahr 1812."),
    ("من بنى الطاحونة؟", "بنت مريم الحداد الطاحونة سنة ١٨١٢."),
    ("चक्की किसने बनाई?", "चक्की १८१२ में मीरा देवी ने बनाई थी।"),
    ("谁建了磨坊？", "磨坊由李梅于1812年建成。"),
]


def optimum(bundle: Path, cases: list[tuple[str, str]], folder: Path) -> list[dict]:
    (folder / "cases.json").write_text(json.dumps(cases))
    result = subprocess.run(
        [os.environ["LRC_OPTIMUM_PYTHON"], str(PROGRAM), str(bundle), str(folder / "cases.json")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_same_spans(qa_bundle: Path, tmp_path: Path) -> None:
    qa = lrc_runtime.load(qa_bundle)
    assert isinstance(qa, QuestionAnswerer)
    for (question, context), found in zip(CASES, optimum(qa_bundle, CASES, tmp_path), strict=True):
        answer = qa.answer(question, context)
        assert (found["start"], found["end"]) == (answer.start, answer.end)


def test_same_labels(pair_bundle: Path, tmp_path: Path) -> None:
    detector = lrc_runtime.load(pair_bundle)
    assert isinstance(detector, ParaphraseDetector)
    for pair, found in zip(CASES, optimum(pair_bundle, CASES, tmp_path), strict=True):
        assert found["label"] == detector.compare(*pair).label
