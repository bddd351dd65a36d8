"""JavaScript reproduces the golden vectors: those in the repository, and more of the same."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from spec import make
from tests.conftest import ROOT


def _assert_held(folder: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    program = Path(__file__).with_name("vectors.test.mjs")
    environment = {**os.environ, "LRC_VECTORS": str(folder)}
    result = subprocess.run([node, "--test", program], env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    assert f"pass {len(make.SUBJECTS) + 2}\n" in result.stdout, result.stdout


def test_javascript_reproduces_the_vectors() -> None:
    _assert_held(ROOT / "spec" / "vectors")


def test_javascript_agrees_on_more_arbitrary_text(tmp_path: Path) -> None:
    make.write(tmp_path, 1000)
    _assert_held(tmp_path)
