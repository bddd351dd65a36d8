"""The example for Node.js, run against a real server."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.runtime.serve.server import Server, start

NODE = shutil.which("node")
PASSAGE = ROOT / "examples/data/passage.sw.txt"

pytestmark = pytest.mark.skipif(NODE is None, reason="Node.js is not installed; apt-get install nodejs")


def run(server: Server, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    assert NODE is not None
    return subprocess.run(
        [NODE, ROOT / "examples/node/ask.mjs", *map(str, arguments)],
        env={**os.environ, "LRC_URL": server.address, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_prints_the_spans_that_the_service_found(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "context.txt"
    # Two units of UTF-16 each: offsets in code points would be wrong.
    context = "🏔🏔🏔 " + PASSAGE.read_text(encoding="utf-8")
    file.write_text(context, encoding="utf-8")
    question = "Kilele chake kinaitwaje?"
    expected = server.post("/v1/answer", {"question": question, "context": context, "top_k": 3}).json["answers"]
    printed = run(server, question, file)
    assert printed.returncode == 0, printed.stderr
    for one in expected:
        assert f"{one['score']:.3f}  {one['text']}" in printed.stdout


def test_it_carries_the_token(qa_bundle: Path, tmp_path: Path) -> None:
    with start(tmp_path / "log", qa_bundle, token="open-sesame") as server:
        assert run(server, "Kilele?", PASSAGE, LRC_SERVE_TOKEN="open-sesame").returncode == 0
        refused = run(server, "Kilele?", PASSAGE, LRC_SERVE_TOKEN="wrong")
        assert refused.returncode != 0 and "Authorization: Bearer" in refused.stderr
