"""OpenVINO's provider gives the spans that the CPU's gives, in an environment with onnxruntime-openvino.

`LRC_OPENVINO_PYTHON` names the interpreter of that environment: see docs/howto/providers.md.
"""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import lrc_runtime
from lrc_exporters.tables import FREQUENT, quantize_tables
from lrc_runtime.session import Session
from tests.conftest import lrc

from .test_optimum import CASES

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("LRC_OPENVINO_PYTHON"), reason="LRC_OPENVINO_PYTHON is not set"),
]
SPANS = """
import json, sys, lrc_runtime
qa = lrc_runtime.load(sys.argv[1], provider=sys.argv[2])
for question, context in json.loads(sys.argv[3]):
    answer = qa.answer(question, context)
    print(json.dumps([answer.start, answer.end, answer.score]))
"""
ROWS = """
import json, sys, numpy as np, onnxruntime as ort
session = ort.InferenceSession(sys.argv[1], providers=["OpenVINOExecutionProvider"])
print(json.dumps(session.run(None, {"input_ids": np.array(json.loads(sys.argv[2]))})[0].tolist()))
"""


def run(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [os.environ["LRC_OPENVINO_PYTHON"], "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("options", [(), ("--fp32",), ("--without", "fusion")], ids=["default", "float32", "in pieces"])
def test_same_spans(options: tuple[str, ...], qa_run: Path, tmp_path: Path) -> None:
    lrc("export", qa_run, *options, "--out", tmp_path / "bundle")
    result = run(SPANS, tmp_path / "bundle", "openvino", json.dumps(CASES))
    assert result.returncode == 0, result.stderr
    qa = lrc_runtime.load(tmp_path / "bundle")
    for case, line in zip(CASES, result.stdout.splitlines(), strict=True):
        start, end, score = json.loads(line)
        answer = qa.answer(*case)
        assert (start, end) == (answer.start, answer.end)
        assert score == pytest.approx(answer.score, abs=0.02)


def test_same_rows(tmp_path: Path) -> None:
    table = np.random.default_rng(0).normal(size=(FREQUENT + 500, 32)).astype(np.float32)
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "length"])
    rows = helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["batch", "length", 32])
    lookup = helper.make_node("Gather", ["table", "input_ids"], ["rows"])
    graph = helper.make_graph([lookup], "lookup", [ids], [rows], [numpy_helper.from_array(table, "table")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    quantize_tables(model, 2)
    path = tmp_path / "rows.onnx"
    onnx.save(model, path)
    asked = np.arange(0, FREQUENT + 500, 7)[None]
    result = run(ROWS, path, json.dumps(asked.tolist()))
    assert result.returncode == 0, result.stderr
    expected = Session(path)({"input_ids": asked})["rows"]
    assert np.allclose(json.loads(result.stdout), expected, atol=1e-6)
