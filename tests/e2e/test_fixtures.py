"""What an older lrc wrote opens and answers as it did; see `tests/fixtures/make.py`."""

import hashlib
import json
import platform
import shutil
from collections import Counter
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch

import lrc_runtime
from tests.conftest import ROOT, lrc

FIXTURES = sorted(path.parent for path in (ROOT / "tests/fixtures").glob("*/expected.json"))
RUNS = ("qa", "pairs")
BUNDLES = ("qa-int8", "pairs-int8", "both.lrc")
COMPILED = ("model.onnx", "model.onnx.data", "tokenizer.json")


@pytest.fixture(scope="module", params=FIXTURES, ids=lambda folder: folder.name)
def old(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a fixture whose runs name their backbone and labels where the copy lies."""
    folder = Path(shutil.copytree(request.param, tmp_path_factory.mktemp("old") / "fixture"))
    for name in RUNS:
        settings = folder / name / "settings.json"
        settings.write_text(settings.read_text(encoding="utf-8").replace("@fixture@", str(folder)), encoding="utf-8")
    return folder


def expected(old: Path) -> Any:
    return json.loads((old / "expected.json").read_text(encoding="utf-8"))


def assert_alike(found: Any, before: Any) -> None:
    """Asserts that two documents are the same, but for the last digits of their numbers; new keys are no difference."""
    if isinstance(before, dict):
        for key, value in before.items():
            assert_alike(found[key], value)
    elif isinstance(before, list):
        assert len(found) == len(before)
        for one, other in zip(found, before, strict=True):
            assert_alike(one, other)
    elif isinstance(before, float):
        assert found == pytest.approx(before, abs=1e-4)
    else:
        assert found == before


@pytest.mark.parametrize("name", BUNDLES)
def test_bundle_answers_as_it_did(old: Path, name: str) -> None:
    texts, before = expected(old)["texts"], expected(old)["bundles"][name]["answers"]
    if "questions" in before:
        reader = lrc_runtime.load_question_answerer(old / name)
        spans = [reader.answer(question, context, top_k=3) for question, context in texts["questions"]]
        assert_alike([[asdict(span) for span in found] for found in spans], before["questions"])
    if "pairs" in before:
        detector = lrc_runtime.load_paraphrase_detector(old / name)
        assert_alike([asdict(detector.compare(*pair)) for pair in texts["pairs"]], before["pairs"])


@pytest.mark.parametrize("name", RUNS)
def test_run_scores_as_it_did(old: Path, name: str) -> None:
    before = expected(old)["runs"][name]
    langs = ",".join(before["scores"])
    printed = lrc("eval", old / name, "--test", old / "data" / before["data"], "--langs", langs, "--json")
    assert_alike(json.loads(printed)["languages"], before["scores"])


def environment() -> dict[str, str]:
    """Returns what the bytes of an export depend on besides lrc, as `tests/fixtures/make.py` wrote it down."""
    libraries = ("onnx", "onnx-ir", "onnxruntime", "onnxscript", "tokenizers", "torch", "transformers")
    return {
        **{name: version(name) for name in libraries},
        "machine": platform.machine(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
    }


def operators(model: Path) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load(model, load_external_data=False).graph.node)


@pytest.mark.parametrize("name", ["qa-int8", "pairs-int8"])
def test_run_exports_to_the_same_bytes(old: Path, name: str, tmp_path: Path) -> None:
    before = expected(old)
    bundle = before["bundles"][name]
    lrc("export", *(old / run for run in bundle["runs"]), *bundle["options"], "--out", tmp_path / name)
    # These hold wherever the test runs.
    assert (tmp_path / name / "tokenizer.json").read_bytes() == (old / name / "tokenizer.json").read_bytes()
    assert operators(tmp_path / name / "model.onnx") == operators(old / name / "model.onnx")
    if environment() != before["environment"]:
        pytest.skip(f"the fixture was exported with {before['environment']}, this is {environment()}: other bytes")
    files = json.loads((old / name / "lrc.json").read_text(encoding="utf-8"))["files"]
    found = {file: hashlib.sha256((tmp_path / name / file).read_bytes()).hexdigest() for file in COMPILED}
    assert found == {file: files[file]["sha256"] for file in COMPILED}
