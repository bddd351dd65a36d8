"""The JavaScript runtime as a package."""

import json
import shutil
import subprocess

import pytest

import lrc_runtime
from lrc_runtime.javascript import javascript
from tests.conftest import ROOT

PACKAGE = ROOT / "runtime" / "js"


def test_package_and_installation_have_the_same_modules() -> None:
    described = json.loads((PACKAGE / "package.json").read_text(encoding="utf-8"))
    assert described["version"] == lrc_runtime.__version__
    sources = PACKAGE / "src"
    named = [path.relative_to(sources) for path in sources.rglob("*") if path.is_file()]
    assert named
    for name in named:
        assert (javascript() / name).read_bytes() == (sources / name).read_bytes(), name


def test_modules_are_imported_by_the_name_of_the_package() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    program = """import { findLang } from "lrc-runtime/languages";
        console.log(findLang("hi_IN", ["zh", "hi"]));"""
    command = [node, "--input-type=module", "-e", program]
    result = subprocess.run(command, cwd=PACKAGE, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "hi\n"), result.stderr
