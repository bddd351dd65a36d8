"""Commands as a user runs them: one clear line and exit code 2 for bad input."""

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from huggingface_hub import constants
from typer.testing import CliRunner

from lrc.cli.app import app, main
from lrc.cli.runtime import LISTED
from lrc_runtime.cli import command_line
from tests.conftest import EXAMPLES, data_dir, lrc, tiny_arguments


def command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from lrc.cli.app import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
        check=False,
    )


def refused(*arguments: object, **environment: str) -> str:
    """Runs a command that must end with one line and exit code 2, in this process, which takes no time to start."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, environment),
        mock.patch.object(constants, "HF_HUB_OFFLINE", True),
        mock.patch.object(sys, "argv", ["lrc", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as stopped,
    ):
        main()
    assert stopped.value.code == 2, err.getvalue()
    lines = err.getvalue().strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), err.getvalue()
    assert out.getvalue() == ""
    return lines[0]


QA = ("train", "--task", "qa", "--train", EXAMPLES / "qa.{lang}.json", "--langs", "hi", "--shots", "4", "--steps", "1")


def test_unknown_task_language_backbone_device(tiny: Path, tmp_path: Path) -> None:
    assert "--task poetry" in refused("train", "--task", "poetry")
    out = tmp_path / "run"
    assert "--backbone no/such" in refused(*QA, "--backbone", "no/such", "--out", out)
    assert "--backbone" in refused(*QA, "--backbone", tmp_path, "--out", out)
    assert "--device tpu" in refused(*QA, "--backbone", tiny, "--device", "tpu", "--out", out)
    assert "--precision fp8" in refused(*QA, "--backbone", tiny, "--precision", "fp8", "--out", out)
    assert "--max-length 5000" in refused(*QA, "--backbone", tiny, "--max-length", "5000", "--out", out)
    assert "--lr" in refused(*QA, "--backbone", tiny, "--lr", "-1", "--out", out)
    assert "leaves no room" in refused(*QA, "--backbone", tiny, "--max-length", "100", "--out", out)
    assert not out.exists()


def test_data_folder_without_the_set(tiny: Path, tmp_path: Path) -> None:
    no_data = {"LRC_DATA_DIR": ""}
    assert "LRC_DATA_DIR" in refused("train", "--task", "mlqa", "--langs", "hi", **no_data)
    assert "no such folder" in refused("train", "--task", "mlqa", "--data-dir", tmp_path / "x", **no_data)
    assert "mlqa" in refused("train", "--task", "mlqa", "--data-dir", tmp_path, **no_data)
    message = refused("train", "--task", "mlqa", "--langs", "hi", "--data-dir", tmp_path, **no_data)
    assert "dev-context-hi-question-hi.json" in message
    assert "--langs xx" in refused("train", "--task", "mlqa", "--langs", "xx", "--data-dir", tmp_path, **no_data)


def test_bad_offset_and_skip_bad(tiny: Path, tmp_path: Path) -> None:
    document = json.loads((EXAMPLES / "qa.hi.json").read_text(encoding="utf-8"))
    item = document["data"][3]["paragraphs"][0]["qas"][0]
    item["answers"][0]["answer_start"] += 1
    (tmp_path / "qa.hi.json").write_text(json.dumps(document), encoding="utf-8")
    bad = (*QA[:4], tmp_path / "qa.{lang}.json", *QA[5:], "--backbone", tiny, "--out", tmp_path / "run")
    message = refused(*bad)
    start = item["answers"][0]["answer_start"]
    assert item["id"] in message and f"character {start}" in message and "qa.hi.json" in message
    result = command(*bad, "--skip-bad")
    assert result.returncode == 0, result.stderr
    assert "dropped 1 bad" in result.stderr


def test_shots_of_one_label_only(tiny: Path, tmp_path: Path) -> None:
    rows = (EXAMPLES / "pairs.ar.tsv").read_text(encoding="utf-8").splitlines()
    kept = [rows[0], *[row for row in rows[1:] if row.endswith("1")]]
    (tmp_path / "pairs.tsv").write_text("\n".join(kept), encoding="utf-8")
    arguments = ("train", "--task", "paraphrase", "--train", tmp_path / "pairs.tsv", "--langs", "ar", "--shots", "4")
    assert "label 0" in refused(*arguments, "--backbone", tiny, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_exists_is_never_overwritten(qa_run: Path, qa_bundle: Path, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("keep me")
    assert "exists already" in refused(*QA, "--backbone", tiny, "--out", tmp_path)
    assert "exists already" in refused("export", qa_run, "--out", tmp_path)
    assert "exists already" in refused("export", qa_run, "--out", tmp_path / "precious")
    assert (tmp_path / "precious").read_text() == "keep me"


def test_damaged_runs_are_refused(qa_run: Path, tmp_path: Path) -> None:
    import shutil

    assert "not a run folder" in refused("export", tmp_path, "--out", tmp_path / "b")
    assert "no such folder" in refused("eval", tmp_path / "absent")
    run = tmp_path / "run"
    shutil.copytree(qa_run, run)
    adapter = (run / "adapter.safetensors").read_bytes()
    (run / "adapter.safetensors").write_bytes(adapter[: len(adapter) // 2])
    assert "damaged" in refused("export", run, "--out", tmp_path / "b")
    (run / "adapter.safetensors").write_bytes(adapter)
    settings = json.loads((run / "settings.json").read_text())
    (run / "settings.json").write_text(json.dumps({**settings, "fingerprint": "0"}))
    assert "other weights" in refused("export", run, "--out", tmp_path / "b")
    (run / "settings.json").write_text(json.dumps({**settings, "prompt_length": 4, "lora_rank": 2}))
    assert "does not fit" in refused("export", run, "--out", tmp_path / "b")
    (run / "settings.json").write_text("{")
    assert "not valid JSON" in refused("export", run, "--out", tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_ask_and_compare(qa_bundle: Path, pair_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("नील अफ्रीका की नदी है।", encoding="utf-8")
    answer = json.loads(lrc("ask", qa_bundle, "-q", "नील क्या है?", "-c", tmp_path / "c.txt", "--json"))
    assert answer["text"] in "नील अफ्रीका की नदी है।"
    assert json.loads(lrc("compare", pair_bundle, "नील लंबी है।", "नील छोटी है।", "--json"))["score"] > 0
    assert "use `compare`" in refused("ask", pair_bundle, "-q", "x", "-c", tmp_path / "c.txt")
    assert "--context" in refused("ask", qa_bundle, "-q", "x", "-c", tmp_path / "absent.txt")


def test_run_and_float32_bundle_score_the_same(qa_run: Path, tmp_path: Path) -> None:
    lrc("export", qa_run, "--fp32", "--out", tmp_path / "b")
    test = ("--test", EXAMPLES / "qa.{lang}.json", "--langs", "ar,zh", "--json")
    run, bundle = json.loads(lrc("eval", qa_run, *test)), json.loads(lrc("eval", tmp_path / "b", *test))
    assert set(run["languages"]) == {"ar", "zh"}
    assert run["languages"]["ar"] == pytest.approx(bundle["languages"]["ar"])
    assert run["languages"]["zh"] == pytest.approx(bundle["languages"]["zh"])
    # The eight questions that the run was trained on do not count.
    assert run["languages"]["ar"]["count"] == 56 and run["languages"]["zh"]["count"] == 64


def test_a_limit_takes_the_same_examples_whatever_their_order(qa_run: Path, tmp_path: Path) -> None:
    paragraphs = [
        paragraph
        for entry in json.loads((EXAMPLES / "qa.hi.json").read_text(encoding="utf-8"))["data"]
        for paragraph in entry["paragraphs"]
    ]
    # Any answer shares words with the whole context, so that no two questions score alike.
    for paragraph in paragraphs:
        for question in paragraph["qas"]:
            question["answers"] = [{"text": paragraph["context"], "answer_start": 0}]
    printed = []
    for name, ordered in (("plain", paragraphs), ("turned", paragraphs[::-1])):
        (tmp_path / name).with_suffix(".json").write_text(json.dumps({"data": [{"paragraphs": ordered}]}))
        test = ("--test", tmp_path / f"{name}.json", "--langs", "hi", "--limit", 5, "--json")
        printed.append(json.loads(lrc("eval", qa_run, *test))["languages"])
    assert printed[0] == printed[1] and printed[0]["hi"]["count"] == 5 and printed[0]["hi"]["f1"] > 0


def test_eval_on_another_task_of_the_kind(qa_run: Path) -> None:
    data_dir()
    scores = json.loads(lrc("eval", qa_run, "--task", "xquad", "--langs", "hi,zh", "--limit", 10, "--json"))
    assert scores["task"] == "xquad" and scores["languages"]["hi"]["count"] == 10
    assert "trained for qa" in refused("eval", qa_run, "--task", "pawsx")
    assert "--test" in refused("eval", qa_run)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from lrc.cli.app import app; from typer.testing import CliRunner;"
        "CliRunner().invoke(app, ['--help']);"
        "print([name for name in ('torch', 'transformers', 'onnxruntime', 'numpy') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_precision_by_name_and_by_flag(qa_run: Path, tmp_path: Path) -> None:
    lrc("export", qa_run, "--precision", "fp32", "--fp32", "--out", tmp_path / "b")
    assert json.loads((tmp_path / "b" / "lrc.json").read_text(encoding="utf-8"))["precision"] == "fp32"
    said = refused("export", qa_run, "--precision", "int8", "--int4", "--out", tmp_path / "c")
    assert said == "error: --precision int8 --int4: choose one"
    assert not (tmp_path / "c").exists()


def test_quiet_silences_notes_and_progress_but_no_error(tiny: Path, tmp_path: Path) -> None:
    loud = CliRunner().invoke(app, tiny_arguments(tiny, tmp_path / "loud", "qa"))
    assert "training on cpu" in loud.stderr and "train 4/4" in loud.stderr and "dev examples" in loud.stdout
    for place, arguments in (("after", ("--quiet",)), ("before", ())):
        words = tiny_arguments(tiny, tmp_path / place, "qa", *arguments)
        quiet = CliRunner().invoke(app, words if arguments else ["--quiet", *words])
        assert quiet.exit_code == 0 and "dev examples" in quiet.stdout
        told = quiet.stderr.splitlines()
        assert not [line for line in told if line.startswith(("training on", "train ", "score on", "finished"))], told
    assert "--task कविता" in refused("train", "--quiet", "--task", "कविता")


def test_commands_of_the_runtime_are_lrcs_too(qa_bundle: Path, tmp_path: Path) -> None:
    listed = lrc("--help")
    for name, parser in command_line("lrc")[1].items():
        assert f"  {name} " in listed
        shown = command(name, "--help")
        assert shown.returncode == 0 and shown.stdout.splitlines()[0].startswith(f"usage: lrc {name}")
        assert parser.format_help().split() == shown.stdout.split()
    assert "No such command 'poetry'" in command("poetry").stderr
    (tmp_path / "c.txt").write_text("የዓባይ ወንዝ ረጅም ነው።", encoding="utf-8")
    unknown = command("ask", qa_bundle, "-q", "ምን?", "-c", tmp_path / "c.txt", "--nothing")
    assert unknown.returncode == 2 and "--nothing" in unknown.stderr


def test_a_command_that_only_the_runtime_knows_is_forwarded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(LISTED, "bench")
    monkeypatch.setattr(app, "registered_commands", [each for each in app.registered_commands if each.name != "bench"])
    assert "--preset" in CliRunner().invoke(app, ["bench", "--help"]).stdout


def test_shell_completion_knows_commands_and_options() -> None:
    def completed(words: str) -> str:
        asked = {"_LRC_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
        code = "import sys; sys.argv[0] = 'lrc'; from lrc.cli.app import main; main()"
        result = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ, **asked}
        )
        return result.stdout

    assert "train" in completed("lrc tra") and "--lora-rank" in completed("lrc train --lora")
    assert "--install-completion" in lrc("--help")
