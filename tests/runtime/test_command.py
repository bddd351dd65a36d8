"""The runtime's own command."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import lrc_runtime
from lrc_runtime.cli import main
from tests.fuzz import resign

CONTEXT = "بنت مريم الحداد الطاحونة سنة ١٨١٢."


def test_ask_prints_answers_as_json(qa_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "context.txt"
    file.write_text(CONTEXT, encoding="utf-8")
    assert main(["ask", str(qa_bundle), "-q", "متى؟", "-c", str(file), "-k", "2", "--json"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(answers) == 2
    assert main(["ask", str(qa_bundle), "-q", "متى؟", "-c", str(file), "--max-windows", "0"]) == 2
    assert "max_windows must be a whole number of at least 1, found 0" in capsys.readouterr().err
    assert all(CONTEXT[answer["start"] : answer["end"]] == answer["text"] for answer in answers)


def test_ask_reads_standard_input(
    qa_bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(CONTEXT.encode())))
    assert main(["ask", str(qa_bundle), "-q", "متى؟", "-c", "-"]) == 0
    assert "score" in capsys.readouterr().out


def test_compare_prints_a_label(pair_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(pair_bundle), "वह घर गया।", "वह घर चला गया।", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["label"] in ("different", "paraphrase")


@pytest.mark.parametrize("context", [b"\xff\xfe\x00", None])
def test_bad_context_is_one_line_and_exit_code_2(
    qa_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], context: bytes | None
) -> None:
    file = tmp_path / "context.txt"
    if context is not None:
        file.write_bytes(context)
    assert main(["ask", str(qa_bundle), "-q", "?", "-c", str(file)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ") and captured.err.count("\n") == 1


# No locale, an encoding that programs ask for, and a code page of Windows.
STREAMS = {
    "no locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "code page": {"PYTHONIOENCODING": "cp1252"},
}


def run(
    *arguments: object, module: str = "lrc_runtime.cli", shell: str = '"$@"', **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """Runs a command in a process of its own, as a line of the shell that says where its streams go."""
    command = [sys.executable, "-c", f"import sys; from {module} import main; sys.exit(main())"]
    given = [os.fsencode(str(argument)) for argument in (*command, *arguments)]
    return subprocess.run(
        ["sh", "-c", shell, "sh", *given], env={**os.environ, **environment}, capture_output=True, check=False
    )


@pytest.fixture
def hindi(tmp_path: Path) -> Path:
    """A text whose characters no code page has together, one of them beyond 16 bits."""
    file = tmp_path / "हिन्दी.txt"
    file.write_text("🛳 रवि ने घर बेचा। ልጁ ቤቱን ሸጠ። Müller 卖了房子", encoding="utf-8")
    return file


@pytest.mark.parametrize("streams", STREAMS)
@pytest.mark.parametrize("module", ["lrc_runtime.cli", "lrc.cli.app"])
def test_any_text_is_read_and_printed_everywhere(qa_bundle: Path, hindi: Path, streams: str, module: str) -> None:
    context = hindi.read_text(encoding="utf-8")
    asked = ("ask", qa_bundle, "-q", "किसने घर बेचा?", "-c", hindi, "-k", "5", "--json")
    said = run(*asked, module=module, **STREAMS[streams])
    assert (said.returncode, said.stderr) == (0, b"")
    answers = [
        json.loads(line) for line in said.stdout.decode("cp1252" if streams == "code page" else "utf-8").splitlines()
    ]
    assert answers == [json.loads(line) for line in run(*asked).stdout.decode().splitlines()] and len(answers) > 2
    assert all(context[answer["start"] : answer["end"]] == answer["text"] for answer in answers)


@pytest.mark.parametrize("streams", STREAMS)
def test_a_line_for_people_is_printed_everywhere(qa_bundle: Path, hindi: Path, streams: str) -> None:
    said = run("ask", qa_bundle, "-q", "किसने?", "-c", hindi, **STREAMS[streams])
    assert said.returncode == 0 and b"(score " in said.stdout
    said = run("ask", qa_bundle, "-q", "किसने?", "-c", f"{hindi}x", **STREAMS[streams])
    assert said.returncode == 2 and said.stderr.startswith(b"error: --context ") and said.stderr.count(b"\n") == 1


@pytest.mark.parametrize("module", ["lrc_runtime.cli", "lrc.cli.app"])
@pytest.mark.parametrize(
    ("arguments", "shell", "says"),
    [
        (["-q", "\udcff?", "-c", "{file}"], '"$@"', "--question: byte 0 is not UTF-8"),
        (["-q", "?", "-c", "-"], '"$@" <&-', "--context -: standard input is closed"),
        (["-q", "?", "-c", "{file}"], '"$@" >/dev/full', "No space left on device"),
    ],
)
def test_what_a_stream_or_an_argument_lacks_is_one_line(
    qa_bundle: Path, hindi: Path, arguments: list[str], shell: str, says: str, module: str
) -> None:
    said = run("ask", qa_bundle, *(word.format(file=hindi) for word in arguments), shell=shell, module=module)
    assert said.returncode == 2 and said.stdout == b""
    assert said.stderr.startswith(b"error: ") and said.stderr.count(b"\n") == 1 and says in said.stderr.decode()


def test_who_does_not_read_to_the_end_sees_no_error(qa_bundle: Path, hindi: Path) -> None:
    said = run("ask", qa_bundle, "-q", "?", "-c", hindi, shell='{ "$@"; echo $? >&2; } | true')
    assert (said.stdout, said.stderr) == (b"", b"1\n")


def test_no_home_and_no_name_are_needed(qa_bundle: Path, hindi: Path) -> None:
    said = run("ask", qa_bundle, "-q", "?", "-c", hindi, shell='env -u HOME -u USER -u LOGNAME "$@"')
    assert said.returncode == 0 and b"(score " in said.stdout


def test_a_bundle_whose_path_is_hindi_opens_without_a_locale(qa_bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "बंडल"
    shutil.copytree(qa_bundle, folder)
    text = tmp_path / "पाठ.txt"
    text.write_text("गंगा हिमालय से निकलती है।", encoding="utf-8")
    result = run("ask", folder, "-q", "गंगा कहाँ से निकलती है?", "-c", text, **STREAMS["no locale"])
    assert result.returncode == 0, result.stderr.decode()


@pytest.mark.parametrize("module", ["lrc_runtime.cli", "lrc.cli.app"])
def test_the_version_is_printed(module: str) -> None:
    result = run("--version", module=module)
    assert result.returncode == 0 and lrc_runtime.__version__ in result.stdout.decode()


def test_nothing_is_reported_or_kept_about_who_asks(qa_bundle: Path, hindi: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    # ONNX Runtime reports nothing where it finds itself tested, as by these variables.
    shell = 'env -u CI -u GITHUB_ACTIONS -u PYTEST_CURRENT_TEST "$@"'
    said = run("ask", qa_bundle, "-q", "?", "-c", hindi, shell=shell, HOME=str(home), XDG_CACHE_HOME="")
    assert said.returncode == 0 and said.stderr == b"" and not list(home.rglob("*"))
    # A home that cannot be written: what wants to keep something there says so.
    said = run("ask", qa_bundle, "-q", "?", "-c", hindi, shell=shell, HOME="/proc/1", XDG_CACHE_HOME="")
    assert said.returncode == 0 and said.stderr == b""


def test_a_language_by_which_scores_are_calibrated_is_named(qa_bundle: Path, hindi: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(qa_bundle, bundle)
    calibration = {**json.loads((bundle / "lrc.json").read_text())["calibration"], "languages": {"hi": 1.5}}
    resign(bundle, {"calibration": calibration})
    asked = ["ask", bundle, "-q", "कहाँ?", "-c", hindi, "--json"]
    for module in ("lrc_runtime.cli", "lrc.cli.app"):
        plain, named = (json.loads(run(*asked, *more, module=module).stdout) for more in ([], ["--lang", "hi-IN"]))
        assert named["text"] == plain["text"] and named["score"] > plain["score"]
        said = run(*asked, "--lang", "hindi!", module=module)
        assert said.returncode == 2 and said.stderr.count(b"\n") == 1 and b"is no language tag" in said.stderr
