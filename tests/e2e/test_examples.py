"""Every program in examples/ runs as its own first lines say, on a small bundle."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from fastapi.testclient import TestClient

from tests.conftest import ROOT

EXAMPLES = ROOT / "examples"
ASKED = [
    ("चक्की किसने बनाई?", "चक्की १८१२ में मीरा देवी ने बनाई थी। इसमें चालीस गाँवों का गेहूँ पिसता था।"),
    ("من بنى الطاحونة؟", "بنت مريم الحداد الطاحونة سنة ١٨١٢. 🏔 وكانت تطحن القمح لأربعين قرية."),
    ("ใครสร้างโรงสี", "โรงสีสร้างโดยมาลีในปี ๑๘๑๒ และใช้สีข้าวให้สี่สิบหมู่บ้าน"),
]


def run(program: str, *arguments: object, fails: bool = False, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / program), *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert (result.returncode != 0) == fails, result.stderr
    return result


def test_programs_tell_how_they_are_run() -> None:
    named = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for path in EXAMPLES.glob("*.py"):
        assert f"examples/{path.name} " in path.read_text(encoding="utf-8") or f"{path.stem}:app" in named
        assert f"({path.name})" in named


def test_script_prints_the_answer_and_its_place(qa_bundle: Path, tmp_path: Path) -> None:
    question, context = ASKED[1]
    context = f"\r\n\r\n{context}"
    (tmp_path / "text.txt").write_bytes(context.encode())
    text, place, *_ = run("ask.py", qa_bundle, question, tmp_path / "text.txt").stdout.splitlines()
    found = re.fullmatch(r"line 3, characters (\d+) to (\d+), score [01]\.\d\d", place)
    assert found and text and context[int(found[1]) : int(found[2])] == text
    error = run("ask.py", tmp_path, question, tmp_path / "text.txt", fails=True).stderr
    assert error.startswith("error: ") and len(error.splitlines()) == 1


def test_thread_pool_answers_in_order(qa_bundle: Path, tmp_path: Path) -> None:
    lines = [{"id": n, "question": q, "context": c} for n, (q, c) in enumerate(ASKED * 100)]
    file = tmp_path / "questions.jsonl"
    file.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    result = run("thread_pool.py", qa_bundle, file)
    answered = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["id"] for line in answered] == list(range(300))
    for line in answered:
        assert line["context"][line["answer"]["start"] : line["answer"]["end"]] == line["answer"]["text"] != ""
    assert result.stderr.startswith("300 questions in ")


def test_fastapi_application_answers_and_refuses(qa_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRC_BUNDLE", str(qa_bundle))
    spec = importlib.util.spec_from_file_location("fastapi_app", EXAMPLES / "fastapi_app.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "fastapi_app", module)
    spec.loader.exec_module(module)
    with TestClient(module.app) as client:
        for question, context in ASKED:
            answer = client.post("/answer", json={"question": question, "context": context, "lang": "hi"}).json()
            units = context.encode("utf-16-le")[2 * answer["start"] : 2 * answer["end"]]
            assert units.decode("utf-16-le") == answer["text"] != ""
            assert 0 <= answer["score"] <= 1 and 0 <= answer["no_answer"] <= 1
        for body in (
            {"question": "Wer?"},
            {"question": "", "context": "x"},
            {"question": "?", "context": "x" * 100_001},
        ):
            assert client.post("/answer", json=body).status_code == 422
        # A lone surrogate, which JSON can hold and UTF-8 cannot.
        headers = {"content-type": "application/json"}
        refused = client.post("/answer", content=rb'{"question": "Wer?", "context": "a\ud800"}', headers=headers)
        assert refused.status_code == 422 and refused.json()["detail"][0]["loc"] == ["body", "context"]
        refused = client.post("/answer", content=b"{", headers=headers)
        assert refused.status_code == 422
        assert client.get("/openapi.json").json()["paths"]["/answer"]


@pytest.mark.slow
def test_ray_job_answers_parquet(qa_bundle: Path, tmp_path: Path) -> None:
    rows = [{"id": n, "question": q, "context": c} for n, (q, c) in enumerate(ASKED * 100)]
    for part in (0, 1):
        (tmp_path / "questions").mkdir(exist_ok=True)
        table = pyarrow.Table.from_pylist(rows[part::2])
        pyarrow.parquet.write_table(table, tmp_path / "questions" / f"{part}.parquet")
    run("ray_parquet.py", qa_bundle, tmp_path / "questions", tmp_path / "answers", "--workers", 2)
    answered = pyarrow.parquet.read_table(tmp_path / "answers").to_pylist()
    assert sorted(row["id"] for row in answered) == list(range(300))
    for row in answered:
        assert row["context"][row["start"] : row["end"]] == row["answer"] != ""
        assert 0 <= row["score"] <= 1 and 0 <= row["no_answer"] <= 1
