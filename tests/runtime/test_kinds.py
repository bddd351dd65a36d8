"""What a kind of task declares is what the runtime, its command and its service are made of."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import lrc_runtime
from lrc_runtime import AsyncAnswerer, BundleError
from lrc_runtime.cli import command_line
from lrc_runtime.kinds import KINDS, TaskKind, register
from lrc_runtime.manifest import QUESTION_ANSWERING, TASKS
from lrc_runtime.serve import Settings
from lrc_runtime.serve.messages import Bodies
from lrc_runtime.serve.openapi import document
from tests.fuzz import resign


def paths_of(*served: TaskKind) -> dict:
    return document(Settings(), [Bodies.of(kind) for kind in served], False)["paths"]


@pytest.mark.parametrize("task", KINDS)
def test_each_kind_has_its_command_routes_and_method(task: str) -> None:
    kind = KINDS[task]
    assert kind.command.name in command_line()[1]
    assert {f"/v1/{kind.verb}", f"/v1/{kind.verb}/batch"} <= paths_of(*KINDS.values()).keys()
    assert callable(getattr(AsyncAnswerer, kind.verb)) and callable(getattr(kind.answerer, kind.verb))
    assert kind.answerer.__name__ in lrc_runtime.__all__


def test_routes_are_those_of_the_kinds_that_are_served() -> None:
    [kind, *_] = KINDS.values()
    posts = [path for path, what in paths_of(kind).items() if "post" in what]
    assert posts == [f"/v1/{kind.verb}", f"/v1/{kind.verb}/batch"]


def test_a_bundle_of_another_kind_opens_once_it_is_registered(qa_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resign(qa_copy, {"task": "headlines"})
    with pytest.raises(BundleError, match="unknown task 'headlines'"):
        lrc_runtime.load(qa_copy)
    kind = replace(KINDS[QUESTION_ANSWERING], task="headlines", does="finds headlines")
    # What is registered here is forgotten again.
    monkeypatch.setitem(KINDS, "headlines", kind)
    monkeypatch.setitem(TASKS, "headlines", kind.check)
    register(kind)
    assert lrc_runtime.load(qa_copy).answer("किसने घर बेचा?", "रवि ने घर बेचा।").text
    with pytest.raises(BundleError, match="finds headlines and compares no sentences; use `ask`"):
        lrc_runtime.load_paraphrase_detector(qa_copy)


def test_kinds_need_no_extra() -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('pydantic', 'starlette', 'uvicorn')));"
        "import lrc_runtime.cli; lrc_runtime.cli.command_line(); print(*lrc_runtime.kinds.KINDS)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == list(KINDS)
