"""A small study on the tiny backbone, and a process that runs it."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import EXAMPLES

STUDY = """
name = "tiny"
kind = "shots"

[settings]
task = "qa"
train = "{examples}/qa.{{lang}}.json"
langs = "hi,ar"
backbone = "{backbone}"
steps = 6
precision = "fp32"
dev_every = 3

[vary]
method = ["lora", "adapters"]
shots = [2, 4]

[test]
langs = ["hi", "zh"]
data = "{examples}/qa.{{lang}}.json"
limit = 6
"""


def study_file(folder: Path, backbone: Path, more: str = "", text: str = STUDY) -> Path:
    path = folder / "study.toml"
    path.write_text(text.format(examples=EXAMPLES, backbone=backbone) + more, encoding="utf-8")
    return path


def start_study(file: Path, out: Path, *extra: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", "from lrc.cli.app import main; main()", "study", str(file), "--out", str(out), *extra],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
