"""Fresh environments: the demo, and a device with the runtime alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.slow


def run(*arguments: object, **environment: str) -> str:
    result = subprocess.run(
        list(map(str, arguments)),
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_demo_answers_in_a_language_it_never_saw(tmp_path: Path) -> None:
    printed = run("make", f"VENV={tmp_path / 'venv'}", "demo", LRC_CACHE_DIR=str(tmp_path / "cache"))
    answer = printed.splitlines()[-1]
    passage = (ROOT / "examples/data/passage.sw.txt").read_text(encoding="utf-8")
    assert answer.rsplit("  (score", 1)[0] in passage


def test_runtime_installs_alone_and_answers(qa_bundle: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    run(python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", ROOT / "runtime")
    packages = {entry["name"] for entry in json.loads(run(python, "-m", "pip", "list", "--format", "json"))}
    assert {"lrc-runtime", "numpy", "onnxruntime", "tokenizers"} <= packages
    assert not {"torch", "transformers", "lrc-compiler"} & packages
    context = tmp_path / "c.txt"
    context.write_text("नील अफ्रीका की नदी है।", encoding="utf-8")
    command = tmp_path / "venv/bin/lrc-runtime"
    answer = json.loads(run(command, "ask", qa_bundle, "-q", "नील क्या है?", "-c", context, "--json"))
    assert answer["text"] in "नील अफ्रीका की नदी है।"
