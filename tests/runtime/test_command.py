"""The runtime's own command."""

import io
import json
import sys
from pathlib import Path

import pytest

from lrc_runtime.cli import main

CONTEXT = "بنت مريم الحداد الطاحونة سنة ١٨١٢."


def test_ask_prints_answers_as_json(qa_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "context.txt"
    file.write_text(CONTEXT, encoding="utf-8")
    assert main(["ask", str(qa_bundle), "-q", "متى؟", "-c", str(file), "-k", "2", "--json"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(answers) == 2
    assert main(["ask", str(qa_bundle), "-q", "متى؟", "-c", str(file), "--max-windows", "0"]) == 2
    assert "max_windows must be a whole number of at least 1, found 0" in capsys.readouterr().err
    assert all(CONTEXT[answer["start"] : answer["end"]] == answer["text"] for answer in answers)


def test_ask_reads_standard_input(
    qa_bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(CONTEXT.encode())))
    assert main(["ask", str(qa_bundle), "-q", "متى؟", "-c", "-"]) == 0
    assert "score" in capsys.readouterr().out


def test_compare_prints_a_label(pair_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(pair_bundle), "वह घर गया।", "वह घर चला गया।", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["label"] in ("different", "paraphrase")


@pytest.mark.parametrize("context", [b"\xff\xfe\x00", None])
def test_bad_context_is_one_line_and_exit_code_2(
    qa_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], context: bytes | None
) -> None:
    file = tmp_path / "context.txt"
    if context is not None:
        file.write_bytes(context)
    assert main(["ask", str(qa_bundle), "-q", "?", "-c", str(file)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ") and captured.err.count("\n") == 1
