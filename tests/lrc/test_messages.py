"""What the library says names options by their keywords; the command line turns those into flags."""

import ast
import re

import pytest

from lrc.cli.common import with_flags
from lrc.errors import UserError
from lrc.tasks.registry import check_langs, find_task
from tests.conftest import ROOT
from tests.lrc.test_cli import refused

# Flags of other programs.
_OTHERS = ("--pack-destination", "--force-reinstall")


def test_the_library_knows_no_flag() -> None:
    for path in sorted([*(ROOT / "lrc").rglob("*.py"), *(ROOT / "exporters").rglob("*.py")]):
        if path.is_relative_to(ROOT / "lrc" / "cli"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found = [flag for flag in re.findall(r"--[a-z][a-z-]*", node.value) if flag not in _OTHERS]
                assert not found, f"{path}:{node.lineno}: {found}"


def test_the_command_line_names_flags() -> None:
    assert with_flags("`lora_rank` 4: `method` full") == "--lora-rank 4: --method full"
    # What is no option stays, and so do commands and text in other scripts.
    assert with_flags("use `classify`; `lrc train`; `भाषा` `not_an_option`") == (
        "use `classify`; `lrc train`; `भाषा` `not_an_option`"
    )


def test_the_same_error_in_both_words() -> None:
    with pytest.raises(UserError, match=r"^`langs` xx: xquad has ar, de"):
        check_langs(find_task("xquad"), ["xx"])
    said = refused("train", "--task", "xquad", "--langs", "xx", "--data-dir", ROOT)
    assert said.startswith("error: --langs xx: xquad has ar, de")
