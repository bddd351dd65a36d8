"""The JavaScript gives the tokens, offsets, windows, batches, spans and scores that the Python runtime gives."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from lrc.backbones.builtin import _normalizer
from tests.conftest import make_tokenizer
from tests.web import vectors


def like_builtin() -> Tokenizer:
    """A tokenizer that normalises as the built-in backbone's does, one code point at a time."""
    tokenizer = make_tokenizer()
    forms = {chr(code): "" for code in (1, 2, 0x7F)} | {form: " " for form in "\t\n\r\u200b\u3000\u2581"}
    forms |= {
        "\u00bd": "1\u20442",
        "\ufb01": "fi",
        "\u00b4": " \u0301",
        "\u0958": "\u0915\u093c",
        "\ufefb": "\u0644\u0627",
    }
    tokenizer.normalizer = _normalizer(forms)
    return tokenizer


@pytest.mark.parametrize("make", [like_builtin, vectors.like_xlmr])
def test_javascript_agrees(make: Callable[[], Tokenizer], tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    vectors.write(make(), tmp_path)
    program = Path(__file__).with_name("vectors.test.mjs")
    environment = {**os.environ, "LRC_VECTORS": str(tmp_path)}
    result = subprocess.run([node, "--test", program], env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    assert "pass 10" in result.stdout, result.stdout
