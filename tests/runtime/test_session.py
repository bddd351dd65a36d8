"""The session takes the fast 8-bit kernels exactly where they are right."""

import base64
from pathlib import Path

import onnx
import pytest

from lrc_runtime.session import PROBE, saturates


def test_probe_is_one_product_in_integers() -> None:
    model = onnx.load_from_string(base64.b64decode(PROBE))
    onnx.checker.check_model(model)
    assert [node.op_type for node in model.graph.node] == ["MatMulInteger"]


def test_processor_with_vnni_takes_the_fast_kernels() -> None:
    cpu = Path("/proc/cpuinfo")
    words = set(cpu.read_text(encoding="utf-8").split()) if cpu.exists() else set()
    if not words & {"avx512_vnni", "avx_vnni", "amx_int8"}:
        pytest.skip("this processor has no VNNI instructions, or does not tell")
    assert not saturates()
