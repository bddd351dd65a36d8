"""Fresh environments: the demo, both packages from their wheels, and a device with the runtime alone."""

import email
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.slow


def run(*arguments: object, cwd: Path = ROOT, **environment: str) -> str:
    result = subprocess.run(
        list(map(str, arguments)),
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_packages_are_built_and_installed_and_run_the_demo(tmp_path: Path) -> None:
    built = tmp_path / "built"
    for folder in (ROOT, ROOT / "runtime"):
        run(sys.executable, "-m", "build", "--outdir", built, folder)
    wheels, sources = sorted(built.glob("*.whl")), sorted(built.glob("*.tar.gz"))
    assert len(wheels) == len(sources) == 2
    run(sys.executable, "-m", "twine", "check", "--strict", *wheels, *sources)
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            described = email.message_from_bytes(archive.read(name)).get_payload()
        # An index shows the README alone: a link to another file would lead nowhere.
        assert len(described) > 500
        assert not re.findall(r"\]\((?!https?://|#)|(?:src|href)=\"(?!https?://|#)", described)
    for source in sources:
        with tarfile.open(source) as archive:
            names = [name.partition("/")[2] for name in archive.getnames()]
        assert "README.md" in names and "LICENSE" in names
        assert not [name for name in names if name.startswith(("benchmarks", ".git/", "build"))]

    # Beside a copy of the examples alone, so that nothing is read from the checkout.
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    bin_ = tmp_path / "venv/bin"
    environment = {"PATH": f"{bin_}:{os.environ['PATH']}", "PYTHONPATH": "", "LRC_CACHE_DIR": str(tmp_path / "cache")}
    compiler, runtime = wheels
    install = (bin_ / "python", "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt")
    run(*install, runtime, f"lrc-compiler[offline] @ {compiler.as_uri()}", **environment)
    assert run(bin_ / "lrc", "--version", cwd=tmp_path, **environment).startswith("lrc ")
    printed = run(tmp_path / "examples/demo.sh", cwd=tmp_path, **environment)
    assert_demo_answered(printed)


def assert_demo_answered(printed: str) -> None:
    answer = printed.splitlines()[-1]
    passage = (ROOT / "examples/data/passage.sw.txt").read_text(encoding="utf-8")
    assert answer.rsplit("  (score", 1)[0] in passage


def test_demo_answers_in_a_language_it_never_saw(tmp_path: Path) -> None:
    printed = run("make", f"VENV={tmp_path / 'venv'}", "demo", LRC_CACHE_DIR=str(tmp_path / "cache"))
    assert_demo_answered(printed)


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
